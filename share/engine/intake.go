package engine

import (
	"context"
	"sync/atomic"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// Intake is data that does not come from peers and belongs to no transfer, such as files
// that people send with a browser. It shares the limit on the node's downloads and
// counts in the node's totals. It is safe for concurrent use.
type Intake struct {
	limit *flow.Bucket
	got   atomic.Int64
}

// Intake returns the node's Intake.
func (e *Engine) Intake() *Intake { return e.intake }

// Holds reports whether there is a limit now. Then small parts should be taken.
func (i *Intake) Holds() bool { return i.limit.Holds() }

// Pass waits until n more bytes may be taken.
func (i *Intake) Pass(ctx context.Context, n int) error {
	if !i.limit.Wait(n, ctx.Done()) {
		return share.Errorf(share.Interrupted, "receiving an upload: %w", context.Cause(ctx))
	}
	return nil
}

// Got counts n bytes that have arrived.
func (i *Intake) Got(n int) { i.got.Add(int64(n)) }

// with adds what has come to the figures of the network.
func (i *Intake) with(f face.NetworkFigures) face.NetworkFigures {
	f.Down += i.got.Load()
	return f
}
