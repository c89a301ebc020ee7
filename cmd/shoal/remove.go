package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func removeVerb() *verb {
	v := &verb{
		name: "remove", args: "ID...", short: "remove transfers; --data also deletes downloaded files", group: "Manage",
		min: 1, max: -1, ids: true,
		long: `--data deletes the files that the transfer downloaded, and no others. These are kept, and listed with the reason: ` +
			`files that you shared, files that existed before the download, files completed in place with --adopt, and files ` +
			`changed since they were downloaded. Files that were uploaded to the node by a browser are copies: --data deletes ` +
			`them. Without --data, unfinished files are listed; a later shoal get of the same content into the same folder ` +
			`continues with them. The web links and the web seed of a removed transfer end with it.`,
		examples: []example{
			{"shoal remove 3fa9", "remove the transfer and keep its files"},
			{"shoal remove --data 3fa9", "remove the transfer and delete the files it downloaded"},
			{"shoal remove --web-seed 3fa9", "keep sharing it, but remove the web seed from its link"},
			{"shoal remove --web-link 3fa9", "keep sharing it, but end its web links"},
		},
		flags: append([]cli.Flag{
			boolFlag("data", "also delete the downloaded files"),
			&cli.BoolFlag{Name: "web-link", Usage: "end only web links: those of the transfers, or the ones given by their URL or ID"},
			&cli.BoolFlag{Name: "web-seed", Usage: "end only the web seeds of the transfers"},
		}, nodeFlags()...),
	}
	v.run = func(ctx context.Context, c *call) error {
		data := c.Bool("data")
		if c.Bool("web-seed") {
			if data || c.Bool("web-link") {
				return usageErrorf("--web-seed cannot be combined with --data or --web-link")
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error { return endWebSeeds(ctx, n, c) })
		}
		if c.Bool("web-link") {
			if data {
				return usageErrorf("--data and --web-link cannot be combined")
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error { return endWebLinks(ctx, n, c) })
		}
		return acting("removed", api.BulkRequest{Action: api.BulkRemove, Data: data}, func(out *output, t share.Transfer, kept []share.Kept) {
			if out.json {
				for _, k := range kept {
					out.record(keptRecord{"kept", t.ID, k})
				}
				return
			}
			sayKept(out, kept)
			if _, err := os.Lstat(t.Path); data && t.Own && err == nil {
				out.say("%s was kept: you shared it from there", escape(t.Path))
			}
		})(ctx, c)
	}
	return v
}

type keptRecord struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
	share.Kept
}

// mostKept is how many of the kept files are listed for people.
const mostKept = 20

// sayKept lists the kept files and the reasons.
func sayKept(out *output, kept []share.Kept) {
	for _, k := range kept[:min(len(kept), mostKept)] {
		out.say("%s was kept: %s", escape(k.Path), k.Reason)
	}
	if more := len(kept) - mostKept; more > 0 {
		out.say("and %s more (--json lists all)", count(more, "file"))
	}
}
