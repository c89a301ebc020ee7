package main

import (
	"context"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func healthVerb() *verb {
	return &verb{
		name: "health", short: "check whether the running node works", group: "The node",
		long: `Prints what is wrong, one problem a line. The exit status is 0 if the node works, whatever problems transfers or the ` +
			`network have; 1 if it does not; and 4 if no node is running.`,
		examples: []example{
			{"shoal health", "for the health check of a container or a monitor"},
			{"shoal health --json", "the same as one JSON object"},
		},
		flags: nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			cfg, err := config.Load(c.sources())
			if err != nil {
				return err
			}
			s, err := node.Dial(ctx, cfg.State)
			if err != nil {
				return err
			}
			defer s.Close()
			h, err := s.Client.Health(ctx)
			if err != nil {
				return err
			}
			return sayHealth(h, c.out)
		},
	}
}

func sayHealth(h api.Health, out *output) error {
	switch {
	case out.json:
		out.record(h)
	case h.OK && len(h.Problems) == 0:
		out.data("The node works.")
	default:
		for _, p := range h.Problems {
			out.data(escape(p))
		}
	}
	if !h.OK {
		return share.Errorf(share.Failed, "the node does not work: %s", escape(strings.Join(h.Problems, "; ")))
	}
	return nil
}
