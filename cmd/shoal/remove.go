package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
)

func removeVerb() *verb {
	v := &verb{
		name: "remove", args: "ID...", short: "forget transfers; --data deletes what was fetched", group: "Act",
		min: 1, max: -1, ids: true,
		long: `What was shared from its own place is never deleted, with or without --data. The
copy that a browser gave the node is no such place: --data deletes it.`,
		examples: []example{
			{"shoal remove 3fa9", "the files stay"},
			{"shoal remove --data 3fa9", "the fetched files are deleted"},
		},
		flags: append([]cli.Flag{boolFlag("data", "delete the files that were fetched, too")}, nodeFlags()...),
	}
	v.run = func(ctx context.Context, c *call) error {
		data := c.Bool("data")
		return acting("removed", func(ctx context.Context, n client, t share.Transfer) error {
			if err := n.Remove(ctx, t.ID, data); err != nil {
				return err
			}
			if data && t.Own && !c.out.json {
				if _, err := os.Lstat(t.Path); err == nil {
					c.out.say("%s was shared from its own place and stays there", escape(t.Path))
				}
			}
			return nil
		})(ctx, c)
	}
	return v
}
