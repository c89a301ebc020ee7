package engine

import (
	"context"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// awaken is called for a handshake that asks for a transfer at rest. It returns when
// the transfer is live, or will not be.
func (e *Engine) awaken(ctx context.Context, id share.ID) {
	var awake <-chan struct{}
	e.call(func(lp *loop) {
		t := lp.transfers.named(id)
		if t == nil || t.removing != nil || t.options.Paused || t.failure != nil || t.kind == kindUnhashed {
			return
		}
		awake = t.wait()
		lp.reconcile(t)
	})
	if awake == nil {
		return
	}
	select {
	case <-awake:
	case <-ctx.Done():
	case <-e.box.closed:
	}
}

// progress returns what trackers are told of a transfer. The announcer of trackers calls
// it from its own goroutines.
func (lp *loop) progress(id share.ID) (p tracker.Progress, known bool) {
	asked := lp.box.call(func() {
		if t := lp.transfers.named(id); t != nil {
			p, known = t.figures(), true
		}
	})
	if asked {
		return p, known
	}
	return lp.announce.last(id) // the loop has ended
}
