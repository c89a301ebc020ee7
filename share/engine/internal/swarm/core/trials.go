package core

import (
	"slices"
	"time"
)

// trials has pieces that were wrong fetched again, each by one peer alone, so
// that it shows who lied.
type trials struct {
	*clock
	*content
	*roster
	picker   *picker
	requests *requests
}

// appoint chooses who fetches a piece alone: the most trusted of those that
// have it, the one of these that answers soonest.
func (t *trials) appoint(b *begun) {
	var best *Peer
	better := func(p, q *Peer) bool {
		if p.suspect != q.suspect {
			return !p.suspect
		}
		if p.failed != q.failed {
			return p.failed < q.failed
		}
		if (p.good > 0) != (q.good > 0) {
			return p.good > 0
		}
		if x, y := p.unreliable(), q.unreliable(); x != y {
			return y
		}
		if x, y := p.expired > 0, q.expired > 0; x != y {
			return y
		}
		return p.window.usual() < q.window.usual()
	}
	for _, p := range t.peers {
		if p.may(b.piece) && !p.snubbed(t.now) && (best == nil || better(p, best)) {
			best = p
		}
	}
	b.owner, b.moved = best, t.now
}

// Between these is how long the fetcher of a piece may be without a block of it.
const (
	soloTime    = 3 * time.Second
	longestSolo = 5 * time.Second
)

// onIt tells whether the fetcher of a piece gets on with it.
func (t *trials) onIt(b *begun) bool {
	p := b.owner
	return p != nil && !p.gone && p.may(b.piece) && t.now-b.moved <= min(longestSolo, max(soloTime, 4*p.window.age))
}

// reappoint finds another for pieces whose fetcher is gone or idle. What that
// one sent of them is thrown away; how many bytes is returned.
func (t *trials) reappoint() (wasted int) {
	for _, b := range t.picker.order {
		if !b.solo || b.checking || t.onIt(b) {
			continue
		}
		was := b.owner
		if was != nil {
			was.failed++
		}
		if slices.ContainsFunc(b.blocks, func(x block) bool { return x.state == came }) {
			continue // until it is written
		}
		for n := range b.blocks {
			x := &b.blocks[n]
			if x.state == asked {
				t.requests.retract(b, n, nil)
			}
			if x.state == written {
				b.absent++
				b.unsafe++
				wasted += t.layout.BlockLen(b.piece, n)
				t.picker.liberate(b, n)
			}
		}
		if was != nil && was.own == b {
			was.own = nil
		}
		t.appoint(b)
		if b.owner != nil {
			t.requests.refill(b.owner)
		}
	}
	t.requests.refilled()
	return wasted
}
