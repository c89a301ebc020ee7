package engine

import (
	"context"
	"sync/atomic"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// Intake is what comes to the node from others than peers and is of no transfer, such as
// the files that people send with a browser. The limit on the node's downloads holds it
// back, too, and it counts in the totals of the node. It is safe for concurrent use.
type Intake struct {
	limit *flow.Bucket
	got   atomic.Int64
}

// Intake is that of this node.
func (e *Engine) Intake() *Intake { return e.intake }

// Holds tells whether there is a limit at present. Then small parts should be taken.
func (i *Intake) Holds() bool { return i.limit.Holds() }

// Pass waits until n more bytes may be taken.
func (i *Intake) Pass(ctx context.Context, n int) error {
	if !i.limit.Wait(n, ctx.Done()) {
		return share.Errorf(share.Interrupted, "receiving an upload: %w", context.Cause(ctx))
	}
	return nil
}

// Got counts n bytes that have come.
func (i *Intake) Got(n int) { i.got.Add(int64(n)) }

// with adds what has come to the figures of the network.
func (i *Intake) with(f face.NetworkFigures) face.NetworkFigures {
	f.Down += i.got.Load()
	return f
}
