package api

import (
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestNetwork(t *testing.T) {
	f := newFake(0)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	r, err := c.Network(ctx)
	if err != nil || r.Verdict != share.Reachable || r.Addresses == nil || r.Pinholes == nil || r.Seen == nil || r.Gateways == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if slices.Contains(f.calls, "test") {
		t.Error("looking began a test")
	}
	if r, err := c.TestNetwork(ctx); err != nil || r.Answer == "" || !slices.Contains(f.calls, "test") {
		t.Errorf("%+v, %v", r, err)
	}
}
