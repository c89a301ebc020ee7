package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// workSuffix ends the name of the folder, beside the file of -o FILE, that the file is
// downloaded into. The same command continues there.
const workSuffix = ".shoal.part"

func isFolder(path string) bool {
	fi, err := os.Stat(path)
	return strings.HasSuffix(path, string(filepath.Separator)) || err == nil && fi.IsDir()
}

// parseTarget returns the folder to download into and the file to write, for -o FILE.
func parseTarget(file string, o getOptions) (dir, target string, err error) {
	switch {
	case o.adopt:
		return "", "", usageErrorf("-o FILE and --adopt cannot be combined: -o FILE writes a new file")
	case o.detach:
		return "", "", usageErrorf("-o FILE and --detach cannot be combined")
	case o.seed.stay():
		return "", "", usageErrorf("-o FILE and --seed cannot be combined: the file leaves the transfer; --output DIR seeds it")
	}
	if target, err = filepath.Abs(file); err != nil {
		return "", "", share.Errorf(share.Disk, "finding the current folder: %w", err)
	}
	if err := vacant(target); err != nil {
		return "", "", err
	}
	if fi, err := os.Stat(filepath.Dir(target)); err != nil || !fi.IsDir() {
		return "", "", share.Errorf(share.Disk, "writing %s: there is no folder %s", file, filepath.Dir(target))
	}
	return target + workSuffix, target, nil
}

// vacant refuses a name that is taken.
func vacant(target string) error {
	switch _, err := os.Lstat(target); {
	case err == nil:
		return share.Errorf(share.Disk, "%s exists, and is never overwritten: remove it, or give another name", target)
	case !errors.Is(err, fs.ErrNotExist):
		return share.Errorf(share.Disk, "writing %s: %w", target, errors.Unwrap(err))
	}
	return nil
}

// runTarget downloads one file into a folder of its own, and then gives it its name.
func runTarget(ctx context.Context, g *getter, link string) error {
	if err := elsewhere(ctx, g.node, link, g.opts.output); err != nil {
		return err
	}
	if fi, err := os.Lstat(g.opts.output); err == nil && !fi.IsDir() {
		return share.Errorf(share.Disk, "%s is in the way, where the folder for the download would be: rename it, or give another name", g.opts.output)
	}
	if err := os.Mkdir(g.opts.output, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return share.Errorf(share.Disk, "making a folder for the download: %w", err)
	}
	err := g.run(ctx, []string{link})
	_ = os.Remove(g.opts.output) // stays if anything is in it
	if err != nil {
		return g.farewell(err)
	}
	return nil
}

// elsewhere refuses content that the node has in another folder: a second transfer of it
// cannot be, and that one is not taken away from there.
func elsewhere(ctx context.Context, n client, link, work string) error {
	t, err := present(ctx, n, link)
	if err != nil {
		return err
	}
	if t != nil && t.Path != "" && t.Path != work && filepath.Dir(t.Path) != work {
		return usageErrorf("the node has this already, in %s: copy it from there, or use --output DIR", t.Path)
	}
	return nil
}

// present is the transfer that the node already has of what arg names; nil if there is none.
func present(ctx context.Context, n client, arg string) (*share.Transfer, error) {
	src, err := parseSource(arg)
	if err != nil && isShortID(arg) {
		src, err = catalogued(ctx, n, arg)
	}
	if err != nil {
		return nil, err
	}
	r := api.PreviewRequest{}
	r.Link, r.Torrent = src.ask()
	p, err := n.Preview(ctx, r)
	return p.Present, err
}

// chosen refuses a selection of several files as soon as they are known.
func (g *getter) chosen(ctx context.Context, j *job) error {
	files, err := g.node.Files(ctx, j.t.ID)
	if err != nil || len(files) == 0 {
		return nil // asked again
	}
	g.checked = true
	if _, err = single(files, "-o FILE"); err != nil {
		_, gone := g.node.Remove(ctx, j.t.ID, true)
		return errors.Join(err, gone)
	}
	return nil
}

// place gives the complete file its name, and takes the transfer off the list.
func (g *getter) place(ctx context.Context, j *job) error {
	files, err := g.node.Files(ctx, j.t.ID)
	if err != nil {
		return err
	}
	f, err := single(files, "-o FILE")
	if err != nil {
		return err
	}
	from := j.t.Path
	if isFolder(from) {
		from = filepath.Join(from, filepath.FromSlash(orElse(f.Disk, f.Path)))
	}
	if err := move(from, g.opts.target); err != nil {
		return share.Errorf(share.Disk, "%w; the file is complete in %s", err, from)
	}
	j.t.Path = g.opts.target
	_, err = g.node.Remove(ctx, j.t.ID, true)
	return err
}

// move renames a file and replaces none.
func move(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return os.Remove(from)
	} else if errors.Is(err, fs.ErrExist) {
		return vacant(to)
	}
	// Some file systems do not support links.
	if err := vacant(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}
