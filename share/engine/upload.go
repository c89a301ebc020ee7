package engine

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// Upload sends content of a transfer to something other than a peer, such as a browser. It
// has the same limits as uploads to peers, and counts in the same totals, but not in the
// figures for trackers. It is safe for concurrent use.
type Upload struct {
	limit flow.Throttle
	line  face.Upload
	given *given
	end   func()
}

// given counts what is uploaded of one transfer to others than peers. The loop owns all
// but bytes.
type given struct {
	bytes   atomic.Int64 // since the engine began
	counted int64        // of these, already in the row
	open    int          // uploads under way
	rate    flow.Meter
}

// sample measures the rate; to be called each second.
func (g *given) sample(elapsed time.Duration) { g.rate.Sample(g.bytes.Load(), elapsed) }

// still tells that nothing is uploaded, and the rate has come down.
func (g *given) still() bool { return g.open == 0 && g.rate.Rate() == 0 }

// Upload begins to send content of a transfer over conn, which may be nil if it is not
// known. The caller reads with Open, calls Pass before and Sent after each part that it
// sends, and finally End.
func (e *Engine) Upload(id share.ID, conn net.Conn) (*Upload, error) {
	u := &Upload{}
	err := e.on(id, func(lp *loop, t *transfer) error {
		_, up := t.limits.buckets(t.options.Limits)
		u.limit, u.given = flow.Throttle{Own: up, Node: lp.up}, &t.given
		t.given.open++
		lp.awake[t] = struct{}{}
		u.end = func() {
			e.call(func(lp *loop) {
				t.given.open--
				if t.live() == nil && t.removing == nil {
					t.fold()
					lp.save(t)
				}
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	u.line = e.swarms.Upload(conn)
	return u, nil
}

// Holds reports whether uploads are limited now. Then small parts should be sent.
func (u *Upload) Holds() bool { return u.limit.Holds() || u.line.Holds() }

// Pass waits until n bytes may be sent.
func (u *Upload) Pass(ctx context.Context, n int) error {
	if !u.limit.Wait(n, ctx.Done()) || !u.line.Wait(n, ctx.Done()) {
		return share.Errorf(share.Interrupted, "sending content: %w", context.Cause(ctx))
	}
	return nil
}

// Sent counts n bytes that were sent.
func (u *Upload) Sent(n int) {
	u.given.bytes.Add(int64(n))
	u.line.Sent(n)
}

// End ends the upload. It is called once.
func (u *Upload) End() {
	u.line.End()
	u.end()
}
