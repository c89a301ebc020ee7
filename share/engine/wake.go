package engine

import (
	"context"

	"github.com/shoalnet/shoal/share"
)

// awaken is called for a handshake that asks for a transfer at rest. It returns
// when the library has it, or will not.
func (e *Engine) awaken(ctx context.Context, id share.ID) {
	awake := make(chan struct{})
	if e.on(id, func(t *transfer) error {
		if t.options.Paused || t.failure != nil || t.kind == kindUnhashed {
			return unknown(id)
		}
		t.waiters = append(t.waiters, awake)
		e.reconcile(t)
		return nil
	}) != nil {
		return
	}
	select {
	case <-awake:
	case <-ctx.Done():
	case <-e.box.closed:
	}
}
