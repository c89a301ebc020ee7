package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Network is the port that reports whether strangers can reach the node.
type Network interface {
	// Report returns what is known now.
	Report() share.Report
	// Test asks the router and peers again and returns the report when they have
	// answered or ctx ends.
	Test(ctx context.Context) share.Report
}

// testTime bounds one test.
const testTime = 25 * time.Second

// fullReport returns r with empty lists in the place of none.
func fullReport(r share.Report) share.Report {
	r.Addresses, r.Pinholes = orEmpty(r.Addresses), orEmpty(r.Pinholes)
	r.Seen, r.Gateways = orEmpty(r.Seen), orEmpty(r.Gateways)
	return r
}

func registerNetwork(h huma.API, n Network) {
	full := func(r share.Report) *answer[share.Report] { return &answer[share.Report]{fullReport(r)} }
	op(h, "GET /network", "Report whether strangers can reach this node", func(context.Context, *none) (*answer[share.Report], error) {
		return full(n.Report()), nil
	})
	op(h, "POST /network/test", "Test again whether strangers can reach this node; takes up to 25 seconds",
		func(ctx context.Context, _ *none) (*answer[share.Report], error) {
			ctx, cancel := context.WithTimeout(ctx, testTime)
			defer cancel()
			return full(n.Test(ctx)), nil
		})
}

// Network returns the report on whether strangers can reach the node.
func (c *Client) Network(ctx context.Context) (share.Report, error) {
	return get[share.Report](ctx, c, "/network")
}

// TestNetwork tests again whether strangers can reach the node.
func (c *Client) TestNetwork(ctx context.Context) (share.Report, error) {
	var r share.Report
	err := c.do(ctx, http.MethodPost, Base+"/network/test", nil, &r)
	return r, err
}
