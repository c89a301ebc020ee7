package engine

import (
	"context"
	"net/netip"

	"github.com/shoalnet/shoal/share"
)

// maxSearches is how many searches one finder has at once. Others wait for their
// turn with it, and with it alone: on a local network somebody may yet answer for
// seconds, while the DHT is done at once.
const maxSearches = 16

// finding is one finder, and who waits for it, first come, first served.
type finding struct {
	Finder
	busy    int
	waiting []turn
}

// turn is the place of a transfer in a queue, for as long as the round is its
// latest.
type turn struct {
	t     *transfer
	round *round
}

// round is the searches that one transfer begins together.
type round struct {
	left int // not over
}

func (r *round) over() bool { return r == nil || r.left == 0 }

// ask has every finder look for peers of t, each when it has time.
func (e *Engine) ask(t *transfer, r *round) {
	for _, f := range e.finders {
		r.left++
		f.waiting = append(f.waiting, turn{t, r})
		e.serve(f)
	}
}

// serve begins the searches that f has time for.
func (e *Engine) serve(f *finding) {
	for f.busy < maxSearches && len(f.waiting) > 0 {
		next := f.waiting[0]
		f.waiting[0] = turn{}
		if f.waiting = f.waiting[1:]; len(f.waiting) == 0 {
			f.waiting = nil
		}
		if t := next.t; t.search.round != next.round || !e.searching(t) && !e.scanned(t) {
			next.round.left--
			continue
		}
		e.run(next, f)
	}
}

// run is one search of one finder.
func (e *Engine) run(at turn, f *finding) {
	t, id := at.t, at.t.id
	t.search.asked = true
	t.tallyOf(f.Source()).busy++
	f.busy++
	e.box.run(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, searchTime)
		defer cancel()
		err := f.Find(ctx, id, func(addrs []netip.AddrPort) {
			p := foundPeers{id, f.Source(), append([]netip.AddrPort(nil), addrs...)}
			e.box.post(func() { e.meet(p) })
		})
		if ctx.Err() != nil {
			err = nil // it took its time, which is no fault
		}
		return func() {
			f.busy--
			at.round.left--
			t.asked(f.Source(), err, e.now())
			if err != nil {
				e.note(t, "search by %s: %v", f.Source(), err)
			}
			e.serve(f)
		}
	})
}

// scanned tells whether t is a seed at rest whose swarm may be looked at.
func (e *Engine) scanned(t *transfer) bool {
	return e.transfers.has(t) && t.done && t.level() < live && !t.options.Paused && t.failure == nil && !t.private()
}

// scanSeeds lets one seed at rest after another look into its swarm: whoever
// is there and could not reach us can then be reached by us.
func (e *Engine) scanSeeds() {
	now := e.now()
	if len(e.finders) == 0 || now.Sub(e.lastScan) < seedScanEvery && !now.Before(e.lastScan) {
		return
	}
	e.lastScan = now
	if len(e.scan) == 0 {
		for _, t := range e.transfers.byID {
			if t.done && !t.options.Paused {
				e.scan = append(e.scan, t)
			}
		}
	}
	for _, f := range e.finders {
		if f.busy >= maxSearches {
			return // others have more need
		}
	}
	for len(e.scan) > 0 {
		t := e.scan[len(e.scan)-1]
		e.scan = e.scan[:len(e.scan)-1]
		if e.scanned(t) && t.search.round.over() {
			t.search.round = &round{}
			e.ask(t, t.search.round)
			return
		}
	}
}

// finds tells whether there is a finder of a source.
func (e *Engine) finds(s share.Source) bool {
	for _, f := range e.finders {
		if f.Source() == s {
			return true
		}
	}
	return false
}
