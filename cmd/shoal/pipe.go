package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// runPipe fetches one file in order and writes it to standard output as it
// arrives. It keeps nothing on disk except what the node had before.
func runPipe(ctx context.Context, n client, lease string, opts getOptions, out *output) (err error) {
	have, err := present(ctx, n, opts.links[0])
	if err != nil {
		return err
	}
	if have != nil {
		return pourPresent(ctx, n, *have, opts, out)
	}
	dir, err := os.MkdirTemp("", "shoal-")
	if err != nil {
		return share.Errorf(share.Disk, "creating a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	t, err := fetch(ctx, n, opts.links[0], api.FetchRequest{
		Output: dir, Lease: lease,
		FetchOptions: share.FetchOptions{Files: opts.files, Sequential: true, Goal: &share.Goal{None: true}, NoTrackers: opts.noTrackers},
	}, opts.timeout)
	if err != nil {
		return err
	}
	if strings.HasPrefix(t.Path, dir) || t.Path == "" {
		defer func() {
			_, gone := n.Remove(context.WithoutCancel(ctx), t.ID, true)
			err = errors.Join(err, gone)
		}()
	}
	file, err := awaitFile(ctx, n, t, opts, out)
	if err != nil {
		return err
	}
	body, err := n.Content(ctx, t.ID, file.Index)
	if err != nil {
		return err
	}
	defer body.Close()
	return pour(ctx, n, t.ID, body, file, out)
}

// pourPresent writes a file of a transfer that the node has, as it arrives where it is not
// complete. The transfer stays as it is: a fetch into another folder would take it away from
// where it is.
func pourPresent(ctx context.Context, n client, t share.Transfer, opts getOptions, out *output) error {
	files, err := n.Files(ctx, t.ID)
	if err != nil {
		return err
	}
	skipped := map[int]bool{}
	for i, f := range files {
		skipped[f.Index] = f.Priority == share.Skip
		switch {
		case len(opts.files) == 0:
		case slices.ContainsFunc(opts.files, func(g string) bool { return share.MatchPath(g, f.Path) }):
			files[i].Priority = share.Normal
		default:
			files[i].Priority = share.Skip
		}
	}
	if len(files) == 0 {
		return usageErrorf("the node has this already, and does not know its files yet (%s): try again later, or remove %s first", t.State, t.ID.Short())
	}
	file, err := single(files, "--output -")
	if err != nil {
		return err
	}
	switch {
	case file.Bytes == file.Total:
	case skipped[file.Index]:
		return usageErrorf("the node downloads this already, into %s, and without %s: select it with shoal files --want, or remove %s first", t.Path, file.Path, t.ID.Short())
	case t.State != share.Fetching && t.State != share.Queued:
		return usageErrorf("the node downloads this already, into %s, and that is not complete (%s): resume it, or remove %s first", t.Path, t.State, t.ID.Short())
	}
	body, err := n.Content(ctx, t.ID, file.Index)
	if err != nil {
		return err
	}
	defer body.Close()
	return pour(ctx, n, t.ID, body, file, out)
}

// awaitFile waits until the file list is known and returns the selected file.
func awaitFile(ctx context.Context, n client, t share.Transfer, opts getOptions, out *output) (share.File, error) {
	var file share.File
	p := newProgress(out)
	begin := time.Now()
	var room roomWarning
	err := follow(ctx, n, []share.Transfer{t}, func(ev share.Event) (bool, error) {
		if ev.Transfer != nil {
			t = *ev.Transfer
		}
		if t.State == share.Stopped {
			return false, stopped(t)
		}
		room.look(ctx, n, opts.links[0], t, opts, out)
		files, err := n.Files(ctx, t.ID)
		if err != nil || len(files) == 0 {
			if opts.timeout > 0 && time.Since(begin) >= opts.timeout {
				return false, nobody(ctx, n, t, opts.timeout)
			}
			p.people([]share.Transfer{t})
			return false, nil
		}
		file, err = single(files, "--output -")
		return true, err
	})
	p.clear()
	return file, err
}

// single returns the one selected file, or an error if there is not exactly one.
func single(files []share.File, flag string) (share.File, error) {
	var wanted []share.File
	for _, f := range files {
		if f.Priority != share.Skip {
			wanted = append(wanted, f)
		}
	}
	switch len(wanted) {
	case 1:
		return wanted[0], nil
	case 0:
		return share.File{}, usageErrorf("--file matches none of the %s", count(len(files), "file"))
	}
	return share.File{}, usageErrorf("%s takes only one file, but %d are selected: choose one with --file", flag, len(wanted))
}

// pour copies a file to standard output while it arrives.
func pour(ctx context.Context, n client, id share.ID, body io.Reader, file share.File, out *output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	copied := make(chan error, 1)
	go func() {
		written, err := io.Copy(out, body)
		if err == nil && written != file.Total {
			err = share.Errorf(share.Disk, "%s: only %d of %d bytes could be read", file.Path, written, file.Total)
		}
		copied <- err
	}()
	p := newProgress(out)
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		select {
		case err := <-copied:
			p.clear()
			if err == nil {
				out.say("%s: %s", escape(file.Path), size(file.Total))
			}
			return err
		case <-clock.C:
			if t, err := n.Transfer(ctx, id); err == nil {
				p.people([]share.Transfer{t})
			}
		}
	}
}
