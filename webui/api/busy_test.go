package api

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
)

// What has to wait is a conflict, not a failure of the node.
func TestBusyIsAConflict(t *testing.T) {
	var p *Problem
	if err := problem(fmt.Errorf("verifying: %w", ErrBusy)); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
}
