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
	case <-e.done:
	}
}

// glancesASecond bounds how fast the files of complete transfers are compared
// after a start with what they were: it is no reason to keep a disk busy.
const glancesASecond = 200

// glanceAtSome opens some of the transfers that were at rest since the start,
// which compares their files with what is recorded; those that are as they were
// go to rest again.
func (e *Engine) glanceAtSome() {
	for range glancesASecond {
		if len(e.glance) == 0 {
			e.glance = nil
			return
		}
		t := e.glance[len(e.glance)-1]
		e.glance = e.glance[:len(e.glance)-1]
		if e.transfers[t.id] == t && t.done && t.level() == atRest && t.job == nil && t.failure == nil {
			t.glancing = true
			e.reconcile(t)
		}
	}
}
