package main

import (
	"context"

	"github.com/shoalnet/shoal/share"
)

func resumeVerb() *verb {
	return &verb{
		name: "resume", args: "ID...", short: "resume transfers that are paused or have failed", group: "Manage",
		min: 1, max: -1, ids: true,
		examples: []example{{"shoal resume 3fa9", "continue where it stopped"}},
		flags:    nodeFlags(),
		run: acting("resumed", func(ctx context.Context, n client, t share.Transfer) error {
			return n.Resume(ctx, t.ID)
		}),
	}
}
