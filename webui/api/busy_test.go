package api

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// What has to wait is a conflict, not a failure of the node.
func TestBusyIsAConflict(t *testing.T) {
	var p *Problem
	if err := problem(fmt.Errorf("verifying: %w", share.ErrBusy)); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
}

// What has to be confirmed is told from what is wrong, also by a client.
func TestUnconfirmedIsToldApart(t *testing.T) {
	f := newFake(1)
	f.fail = share.Errorf(share.Usage, "/home/me: %w", ErrUnconfirmed)
	c, _, _ := serve(t, f)
	_, err := c.Share(quietContext(t), ShareRequest{Path: "/home/me"})
	if !errors.Is(err, ErrUnconfirmed) || share.KindOf(err) != share.Usage {
		t.Errorf("%v", err)
	}
}
