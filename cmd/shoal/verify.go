package main

import (
	"context"
	"fmt"

	"github.com/shoalnet/shoal/share"
)

func verifyVerb() *verb {
	return &verb{
		name: "verify", args: "ID...", short: "hash the data on disk again", group: "Manage", min: 1, max: -1, ids: true,
		long: `verify waits for the result. Damaged pieces count as missing from then on: shoal does not upload them, and it ` +
			`downloads them again if the transfer may download. The exit status is 6 if pieces were damaged.`,
		examples: []example{{"shoal verify 3fa9", "check a transfer after a disk problem"}},
		flags:    nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
				return runVerify(ctx, n, c.Args().Slice(), c.out)
			})
		},
	}
}

type verifiedRecord struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
	Name  string   `json:"name"`
	Bytes int64    `json:"bytes"`
	Total int64    `json:"total"`
	Lost  int64    `json:"lost"` // bytes that counted as complete before and no longer do
}

func runVerify(ctx context.Context, n client, ids []string, out *output) error {
	b := newBatch(out, n)
	before := map[*job]int64{}
	b.begin = func(ctx context.Context, j *job) (share.Transfer, error) {
		t, err := resolve(ctx, n, j.arg)
		if err != nil {
			return t, err
		}
		before[j] = t.Bytes
		if err := n.Verify(ctx, t.ID); err != nil {
			return t, err
		}
		return n.Transfer(ctx, t.ID)
	}
	b.look = func(_ context.Context, j *job) error {
		if j.t.State == share.Checking || j.t.State == share.Hashing {
			return nil
		}
		j.ended = true
		lost := max(0, before[j]-j.t.Bytes)
		if !j.t.Completed.IsZero() {
			lost = max(0, j.t.Total-j.t.Bytes) // a look may have found it before
		}
		if out.json {
			out.record(verifiedRecord{"verified", j.t.ID, j.t.Name, j.t.Bytes, j.t.Total, lost})
		}
		if lost > 0 && j.t.Own {
			return share.Errorf(share.Disk, "%s: %s of it are damaged or missing", j.name(), size(lost))
		}
		if lost > 0 {
			return share.Errorf(share.Disk, "%s: %s of it are damaged or missing (get or resume fetches it again)", j.name(), size(lost))
		}
		if !out.json {
			out.say("%s: all %s on disk are correct", escape(j.name()), fmt.Sprint(size(j.t.Bytes)))
		}
		return nil
	}
	return b.run(ctx, ids)
}
