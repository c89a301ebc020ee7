package main

import "github.com/shoalnet/shoal/webui/api"

func resumeVerb() *verb {
	return &verb{
		name: "resume", args: "ID...", short: "resume transfers that are paused or have failed", group: "Manage",
		min: 1, max: -1, ids: true,
		examples: []example{{"shoal resume 3fa9", "continue where it stopped"}},
		flags:    nodeFlags(),
		run:      acting("resumed", api.BulkRequest{Action: api.BulkResume}, nil),
	}
}
