package api

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// A request that has to wait is a conflict, not a failure of the node.
func TestBusyIsAConflict(t *testing.T) {
	var p *Problem
	if err := problem(fmt.Errorf("verifying: %w", share.ErrBusy)); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
}

// A client can tell what has to be confirmed from what is wrong.
func TestUnconfirmedIsToldApart(t *testing.T) {
	f := newFake(1)
	f.fail = share.Errorf(share.Usage, "/home/me: %w", ErrUnconfirmed)
	c, _, _ := serve(t, f)
	_, err := c.Share(quietContext(t), ShareRequest{Path: "/home/me"})
	if !errors.Is(err, ErrUnconfirmed) || share.KindOf(err) != share.Usage {
		t.Errorf("%v", err)
	}
}
