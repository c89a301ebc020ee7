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
		long: `What was shared from its own place is never deleted, with or without --data, nor are
files that were there before and were only found to be right. The copy that a
browser gave the node is no such place: --data deletes it.`,
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
			if !data || c.out.json {
				return nil
			}
			if _, err := os.Lstat(t.Path); err == nil {
				why := "has what was there before it was fetched; that stays"
				if t.Own {
					why = "was shared from its own place and stays there"
				}
				c.out.say("%s %s", escape(t.Path), why)
			}
			return nil
		})(ctx, c)
	}
	return v
}
