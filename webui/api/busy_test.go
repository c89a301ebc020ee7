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
