package main

import (
	"context"
	"fmt"

	"github.com/shoalnet/shoal/share"
)

func filesVerb() *verb {
	return &verb{
		name: "files", args: "ID...", short: "list the files of a transfer", group: "Inspect", min: 1, max: -1, ids: true,
		examples: []example{
			{"shoal files 3fa9", "each file and how much of it is on disk"},
			{"shoal files --json 3fa9 | jq -r .path", "the paths of the files, for a script"},
		},
		flags: nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
				return each(ctx, n, c, func(t share.Transfer) error { return runFiles(ctx, n, t, c.out) })
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
