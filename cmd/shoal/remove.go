package main

import (
	"context"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
)

func removeVerb() *verb {
	v := &verb{
		name: "remove", args: "ID...", short: "remove transfers; --data also deletes downloaded files", group: "Manage",
		min: 1, max: -1, ids: true,
		long: `remove never deletes files that you shared, nor files that existed before the download and were
only verified, with or without --data. Files that were uploaded to the node by a
browser are copies: --data deletes them.`,
		examples: []example{
			{"shoal remove 3fa9", "remove the transfer and keep its files"},
			{"shoal remove --data 3fa9", "remove the transfer and delete the files it downloaded"},
		},
		flags: append([]cli.Flag{boolFlag("data", "also delete the downloaded files")}, nodeFlags()...),
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
				why := "was kept: it has files that existed before the download"
				if t.Own {
					why = "was kept: you shared it from there"
				}
				c.out.say("%s %s", escape(t.Path), why)
			}
			return nil
		})(ctx, c)
	}
	return v
}
