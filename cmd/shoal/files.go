package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
)

func filesVerb() *verb {
	return &verb{
		name: "files", args: "ID...", short: "list the files of a transfer, or select others", group: "Inspect", min: 1, max: -1, ids: true,
		long: `--want adds files to the selection, and --skip takes files out of it; a file that both match is skipped. ` +
			`A GLOB without a slash is compared with the last part of a path. Data of a skipped file that is on disk stays there.`,
		examples: []example{
			{"shoal files 3fa9", "each file and how much of it is on disk"},
			{"shoal files 3fa9 --want '*.mkv' --skip sample.mkv", "also download the films, but not that one"},
			{"shoal files --json 3fa9 | jq -r .path", "the paths of the files, for a script"},
		},
		flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "want", Usage: "also download the files whose path or name matches `GLOB`; may be given more than once"},
			&cli.StringSliceFlag{Name: "skip", Usage: "do not download the files whose path or name matches `GLOB`; may be given more than once"},
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			change := selection{c.StringSlice("want"), c.StringSlice("skip")}
			if err := change.check(); err != nil {
				return err
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				return each(ctx, n, c, func(t share.Transfer) error {
					if change.empty() {
						return runFiles(ctx, n, t, c.out)
					}
					return runSelect(ctx, n, life, t, change, c.out)
				})
			})
		},
	}
}

func runFiles(ctx context.Context, n client, t share.Transfer, out *output) error {
	files, err := n.Files(ctx, t.ID)
	if err != nil {
		return err
	}
	if out.json {
		records(out, files)
		return nil
	}
	if len(files) == 0 {
		out.say("the file list of %s is unknown yet: no peer has sent it", escape(nameOf(t)))
		return nil
	}
	if t.Seal == share.SealBlind {
		out.say("%s: this node cannot read it, and sees one file", sealedSize(t))
	}
	rows := make([]row, len(files))
	for i, f := range files {
		part := fmt.Sprintf("%d%%", percent(f.Bytes, f.Total))
		switch {
		case f.Priority == share.Skip:
			part = "skip"
		case f.Total == 0:
			part = "100%"
		}
		rows[i].cells = []string{fmt.Sprint(f.Index), part, size(f.Total), escape(f.Path)}
	}
	out.table([]column{
		{title: "NO", right: true}, {title: "DONE", right: true}, {title: "SIZE", right: true}, {title: "PATH"},
	}, rows)
	return nil
}

// selection is a change of which files are downloaded, by patterns.
type selection struct {
	want, skip []string
}

func (s selection) empty() bool { return len(s.want)+len(s.skip) == 0 }

func (s selection) check() error {
	for flag, globs := range map[string][]string{"want": s.want, "skip": s.skip} {
		for _, g := range globs {
			if _, err := path.Match(g, ""); err != nil || g == "" {
				return usageErrorf("--%s %q is not a valid pattern", flag, g)
			}
		}
	}
	return nil
}

// apply sets the priorities in files and returns those that are new, by index.
func (s selection) apply(t share.Transfer, files []share.File) (map[int]share.Priority, error) {
	changed := make(map[int]share.Priority)
	idle := map[string]bool{} // patterns that match nothing
	for _, globs := range [][]string{s.want, s.skip} {
		for _, g := range globs {
			idle[g] = true
		}
	}
	matches := func(globs []string, f share.File) (any bool) {
		for _, g := range globs {
			if share.MatchPath(g, f.Path) {
				any = true
				delete(idle, g)
			}
		}
		return any
	}
	left := 0
	for i := range files {
		f := &files[i]
		was := f.Priority
		if matches(s.want, *f) && f.Priority == share.Skip {
			f.Priority = share.Normal
		}
		if matches(s.skip, *f) {
			f.Priority = share.Skip
		}
		if f.Priority != was {
			changed[f.Index] = f.Priority
		}
		if f.Priority != share.Skip {
			left++
		}
	}
	for _, g := range append(s.want, s.skip...) {
		if idle[g] {
			return nil, usageErrorf("no file of %s matches %q (shoal files %s lists them)", nameOf(t), g, t.ID.Short())
		}
	}
	if left == 0 {
		return nil, usageErrorf("that would leave no file of %s to download: to stop it, use shoal pause or shoal remove", nameOf(t))
	}
	return changed, nil
}

type selectedRecord struct {
	Event string      `json:"event"`
	ID    share.ID    `json:"id"`
	Name  string      `json:"name"`
	State share.State `json:"state"`
	Files int         `json:"files"` // that are wanted
	Bytes int64       `json:"bytes"` // of them, on disk
	Total int64       `json:"total"` // of them
}

// runSelect changes which files of t are downloaded, and says which are now.
func runSelect(ctx context.Context, n client, life lifetime, t share.Transfer, s selection, out *output) error {
	files, err := n.Files(ctx, t.ID)
	switch {
	case err != nil:
		return err
	case t.Own:
		return usageErrorf("%s is shared from this machine: all of its files are here", nameOf(t))
	case len(files) == 0:
		return share.Errorf(share.Failed, "the file list of %s is unknown yet: no peer has sent it", nameOf(t))
	}
	changed, err := s.apply(t, files)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		if err := n.SetPriority(ctx, t.ID, changed); err != nil {
			return err
		}
		if t, err = n.Transfer(ctx, t.ID); err != nil {
			return err
		}
		warnRoom(ctx, n, t, 0, out)
	}
	r := selectedRecord{Event: "selected", ID: t.ID, Name: t.Name, State: t.State}
	for _, f := range files {
		if f.Priority != share.Skip {
			r.Files, r.Bytes, r.Total = r.Files+1, r.Bytes+f.Bytes, r.Total+f.Total
		}
	}
	if out.json {
		out.record(r)
		return nil
	}
	var next strings.Builder
	if left := r.Total - r.Bytes; left > 0 {
		fmt.Fprintf(&next, ", %s still to download", size(left))
		switch {
		case life == ours:
			next.WriteString(" (once a node runs: shoal daemon)")
		case t.State == share.Paused:
			fmt.Fprintf(&next, " (paused; shoal resume %s does it)", t.ID.Short())
		}
	}
	out.say("selected of %s: %d of %s, %s%s", escape(nameOf(t)), r.Files, count(len(files), "file"), size(r.Total), next.String())
	return nil
}
