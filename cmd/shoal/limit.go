package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func limitVerb() *verb {
	return &verb{
		name: "limit", args: "[ID...]", short: "show or set rate limits of the node or of transfers", group: "Manage", max: -1, ids: true,
		long: `Without an ID, the limit applies to the whole node, which keeps it across restarts. Rates are per second, in ` +
			`bytes or with a unit: 500KB, 2MiB. none removes a limit. Without --down and --up, limit shows the limits.`,
		examples: []example{
			{"shoal limit --up 2MB", "limit the upload of the whole node to 2 MB/s"},
			{"shoal limit --down none 3fa9", "remove the download limit of one transfer"},
			{"shoal limit", "show the limits of the node"},
		},
		flags: append([]cli.Flag{
			// No environment variables: SHOAL_UP and SHOAL_DOWN are settings of a node.
			&cli.StringFlag{Name: "down", Usage: "limit the download to `RATE` a second"},
			&cli.StringFlag{Name: "up", Usage: "limit the upload to `RATE` a second"},
		}, nodeFlags("down", "up")...),
		run: func(ctx context.Context, c *call) error {
			change, err := parseLimits(c.String("down"), c.String("up"))
			if err != nil {
				return err
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
				if c.NArg() == 0 {
					return limitNode(ctx, n, change, c.out)
				}
				return each(ctx, n, c, func(t share.Transfer) error { return limitTransfer(ctx, n, t, change, c.out) })
			})
		},
	}
}

// parseLimits reads the new limits; what is not said stays as it is.
func parseLimits(down, up string) (share.LimitChange, error) {
	var c share.LimitChange
	for _, side := range []struct {
		flag, text string
		to         **int64
	}{{"--down", down, &c.Down}, {"--up", up, &c.Up}} {
		if side.text == "" {
			continue
		}
		n, err := config.ParseRate(side.text)
		if err != nil {
			return c, usageErrorf("%s: %w", side.flag, err)
		}
		*side.to = &n
	}
	return c, nil
}

// limitRecord is one line of `limit --json`; without an ID it is about the node.
type limitRecord struct {
	ID   *share.ID `json:"id,omitempty"`
	Name string    `json:"name,omitempty"`
	share.Limits
	Now    *share.Limits `json:"now,omitempty"`
	Source string        `json:"source,omitempty"`
	Reason string        `json:"reason,omitempty"`
}

func limitNode(ctx context.Context, n client, change share.LimitChange, out *output) error {
	ask := n.Limits
	if change != (share.LimitChange{}) {
		ask = func(ctx context.Context) (api.Limits, error) { return n.ChangeGlobalLimits(ctx, change) }
	}
	l, err := ask(ctx)
	if err != nil {
		return err
	}
	if out.json {
		out.record(limitRecord{Limits: l.Limits, Now: &l.Now, Source: l.Source, Reason: l.Reason})
		return nil
	}
	showLimits(out, l.Limits)
	if l.Now != l.Limits {
		out.say("in effect now: %s (%s)", limitsOf(l.Now), escape(l.Reason))
	}
	return nil
}

func limitTransfer(ctx context.Context, n client, t share.Transfer, change share.LimitChange, out *output) error {
	if change != (share.LimitChange{}) {
		if err := n.ChangeLimits(ctx, t.ID, change); err != nil {
			return err
		}
		var err error
		if t, err = n.Transfer(ctx, t.ID); err != nil {
			return err
		}
	}
	l := t.Limits
	if out.json {
		out.record(limitRecord{ID: &t.ID, Name: t.Name, Limits: l})
		return nil
	}
	showLimits(out, l)
	return nil
}

func showLimits(out *output, l share.Limits) {
	out.facts([2]string{"down", limitOf(l.Down)}, [2]string{"up", limitOf(l.Up)})
}

func limitOf(n int64) string {
	if n == 0 {
		return "no limit"
	}
	return "at most " + rate(n)
}
