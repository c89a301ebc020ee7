package main

import (
	"cmp"
	"context"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func pauseVerb() *verb {
	return &verb{
		name: "pause", args: "ID...", short: "stop transfers until they are resumed", group: "Manage", min: 1, max: -1, ids: true,
		long:     `A paused transfer has no connections. It stays paused when the node is restarted.`,
		examples: []example{{"shoal pause 3fa9 77c0", "pause two transfers"}},
		flags:    nodeFlags(),
		run:      acting("paused", api.BulkRequest{Action: api.BulkPause}, nil),
	}
}

// actedRecord is one line of a verb that changes transfers.
type actedRecord struct {
	Event string      `json:"event"`
	ID    share.ID    `json:"id"`
	Name  string      `json:"name"`
	State share.State `json:"state,omitempty"`
}

// acting is the run function of a verb that does the same to every transfer it is given,
// in one request, and reports each. A transfer that fails does not stop the others. kept
// tells of the files that stayed of a removed transfer; it may be nil.
func acting(event string, r api.BulkRequest, kept func(*output, share.Transfer, []share.Kept)) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
			// Every ID must be valid before the first transfer is changed.
			var ts []share.Transfer
			r := r
			for _, arg := range c.Args().Slice() {
				t, err := resolve(ctx, n, arg)
				if err != nil {
					return err
				}
				ts = append(ts, t)
				r.IDs = append(r.IDs, t.ID)
			}
			result, err := n.Bulk(ctx, r)
			if err != nil {
				return err
			}
			return c.out.acted(ctx, n, event, ts, result, kept)
		})
	}
}

// acted reports what became of every transfer.
func (o *output) acted(ctx context.Context, n client, event string, ts []share.Transfer, result api.BulkResult, kept func(*output, share.Transfer, []share.Kept)) error {
	failed, stayed := map[share.ID]error{}, map[share.ID][]share.Kept{}
	for i := range result.Failed {
		failed[result.Failed[i].ID] = result.Failed[i].Err()
	}
	for _, k := range result.Kept {
		stayed[k.ID] = k.Kept
	}
	var first error
	for _, t := range ts {
		if err := failed[t.ID]; err != nil {
			if len(ts) == 1 {
				return err
			}
			o.fail(err)
			first = cmp.Or(first, err)
			continue
		}
		if kept != nil {
			kept(o, t, stayed[t.ID])
		}
		if !o.json {
			o.say("%s %s %s", event, t.ID.Short(), escape(nameOf(t)))
			continue
		}
		r := actedRecord{Event: event, ID: t.ID, Name: t.Name}
		if now, err := n.Transfer(ctx, t.ID); err == nil {
			r.State = now.State
		}
		o.record(r)
	}
	if first != nil {
		return share.Errorf(kindOf(first), "%w: %w", errReported, first)
	}
	return nil
}
