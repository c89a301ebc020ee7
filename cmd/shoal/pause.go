package main

import (
	"context"

	"github.com/shoalnet/shoal/share"
)

func pauseVerb() *verb {
	return &verb{
		name: "pause", args: "ID...", short: "stop transfers until they are resumed", group: "Manage", min: 1, max: -1, ids: true,
		long:     `A paused transfer has no connections. It stays paused when the node is restarted.`,
		examples: []example{{"shoal pause 3fa9 77c0", "pause two transfers"}},
		flags:    nodeFlags(),
		run: acting("paused", func(ctx context.Context, n client, t share.Transfer) error {
			return n.Pause(ctx, t.ID)
		}),
	}
}

// actedRecord is one line of a verb that changes transfers.
type actedRecord struct {
	Event string      `json:"event"`
	ID    share.ID    `json:"id"`
	Name  string      `json:"name"`
	State share.State `json:"state,omitempty"`
}

// acting is the run function of a verb that applies act to every transfer it is
// given and reports each.
func acting(event string, act func(ctx context.Context, n client, t share.Transfer) error) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
			// Every ID must be valid before the first transfer is changed.
			var ts []share.Transfer
			for _, arg := range c.Args().Slice() {
				t, err := resolve(ctx, n, arg)
				if err != nil {
					return err
				}
				ts = append(ts, t)
			}
			for _, t := range ts {
				if err := act(ctx, n, t); err != nil {
					return err
				}
				if !c.out.json {
					c.out.say("%s %s %s", event, t.ID.Short(), escape(nameOf(t)))
					continue
				}
				r := actedRecord{Event: event, ID: t.ID, Name: t.Name}
				if now, err := n.Transfer(ctx, t.ID); err == nil {
					r.State = now.State
				}
				c.out.record(r)
			}
			return nil
		})
	}
}
