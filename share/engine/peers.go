package engine

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// searchTime is the most that one search takes.
const searchTime = 2 * time.Minute

// foundPeers is addresses that somebody told of.
type foundPeers struct {
	id     share.ID
	source share.Source
	addrs  []netip.AddrPort
}

// searching tells whether t is looking for peers.
func (t *transfer) searching() bool {
	if t.removing != nil || t.failure != nil || t.options.Paused || t.kind != kindFetch {
		return false
	}
	return !t.known() || t.level() == live && !t.done
}

// private tells whether t may be found through its trackers only (BEP 27).
func (t *transfer) private() bool {
	return t.options.Private || t.info != nil && t.info.Private
}

// seek begins a round of searches where it is time for one, and offers the
// addresses that are due to the swarm.
func (e *Engine) seek(t *transfer, now time.Time) {
	e.offer(t, now)
	s := &t.peers.search
	s.open = len(t.options.Peers)+len(t.options.WebSeeds) > 0 || len(t.options.Trackers) > 0 && !e.cfg.NoTrackers ||
		len(e.finders) > 0 && !t.private() || t.peers.book != nil && len(t.peers.book.entries) > 0
	peers := 0
	if l := t.live(); l != nil {
		peers = l.net.Figures().Peers
	}
	if !s.begin(peers, now) {
		return
	}
	e.resolve(t)
	e.trackers.Refresh(t.id)
	if len(e.finders) == 0 || t.private() {
		s.asked = true
		return
	}
	e.ask(t, s.round)
}

// ask has every finder look for peers of t, each when it has time.
func (e *Engine) ask(t *transfer, r *round) {
	e.finders.ask(t, r)
	e.runSearches()
}

// runSearches begins the searches that finders have time for.
func (e *Engine) runSearches() {
	wanted := func(at turn) bool {
		return at.t.peers.search.round == at.round && (at.t.searching() || e.scanned(at.t))
	}
	for {
		f, at, ok := e.finders.next(wanted)
		if !ok {
			return
		}
		t, id := at.t, at.t.id
		t.peers.search.asked = true
		t.tallyOf(f.Source()).busy++
		e.box.run(func(ctx context.Context) func() {
			ctx, cancel := context.WithTimeout(ctx, searchTime)
			defer cancel()
			err := f.Find(ctx, id, func(addrs []netip.AddrPort) {
				p := foundPeers{id, f.Source(), slices.Clone(addrs)}
				e.box.post(func() { e.meet(p) })
			})
			if ctx.Err() != nil {
				err = nil // it ran out of time, which is no fault
			}
			return func() {
				f.over(at)
				t.asked(f.Source(), err, e.now())
				if err != nil {
					e.events.note(t, "search by %s: %v", f.Source(), err)
				}
				e.runSearches()
			}
		})
	}
}

// scanned tells whether t is a seed at rest that may look for peers.
func (e *Engine) scanned(t *transfer) bool {
	return e.transfers.has(t) && t.done && t.level() < live && !t.options.Paused && t.failure == nil && !t.private()
}

// scanSeeds lets the next seed at rest look for peers.
func (e *Engine) scanSeeds() {
	if len(e.finders) == 0 || !e.scan.due(e.now()) || e.finders.full() { // others need them more
		return
	}
	seeds := func() (all []*transfer) {
		for _, t := range e.transfers.byID {
			if t.done && !t.options.Paused {
				all = append(all, t)
			}
		}
		return all
	}
	fits := func(t *transfer) bool { return e.scanned(t) && t.peers.search.round.over() }
	if t := e.scan.next(seeds, fits); t != nil {
		t.peers.search.round = &round{}
		e.ask(t, t.peers.search.round)
	}
}

// foundSoon takes addresses from callbacks that must not wait. When too many come
// at once the rest is dropped: they will be found again.
func (e *Engine) foundSoon(id share.ID, s share.Source, addrs []netip.AddrPort) {
	e.box.hint(func() { e.meet(foundPeers{id, s, addrs}) })
}

// meet puts addresses into the book of their transfer and to use.
func (e *Engine) meet(p foundPeers) {
	t := e.transfers.byID[p.id]
	if t == nil || t.removing != nil || t.options.Paused || len(p.addrs) == 0 {
		return
	}
	if t.private() && p.source != share.FromTracker && !trusted(p.source) {
		return
	}
	if t.peers.book == nil {
		t.peers.book = newBook()
	}
	now := e.now()
	fresh := t.peers.book.add(now, p.source, embedZones(p.addrs), e.far(), e.near(), e.own.addrs(now))
	if len(fresh) == 0 {
		return
	}
	t.peers.search.fresh = true
	t.brought(p.source, len(fresh), now)
	e.events.bare(share.Event{Type: share.EventFound, ID: t.id, Source: p.source, Count: len(fresh)})
	if t.peers.asking != nil {
		t.peers.asking.Add(fresh...)
	}
	if t.done && t.level() < live && t.failure == nil {
		// A peer that looks for a transfer at rest wakes it.
		t.wait()
		e.reconcile(t)
	}
	e.offer(t, now)
	e.changed(t)
}

// offer hands addresses that are due to the swarm.
func (e *Engine) offer(t *transfer, now time.Time) {
	l := t.live()
	if l == nil || t.peers.book == nil || !t.peers.book.anyDue(now) {
		return
	}
	entries := t.peers.book.offer(now, l.net.Connected())
	if len(entries) == 0 {
		return
	}
	peers := make([]face.Peer, len(entries))
	for i, en := range entries {
		peers[i] = face.Peer{Addr: en.addr, Source: en.source}
	}
	e.serial.do(func() { l.net.AddPeers(peers) })
}

// resolve looks up the peers that the link names.
func (e *Engine) resolve(t *transfer) {
	if len(t.options.Peers) == 0 {
		return
	}
	id, peers := t.id, t.options.Peers
	known, names := splitPeers(peers)
	e.meet(foundPeers{id, share.FromLink, known})
	e.beginWith(t, known)
	lookUp := e.resolver.begin(names)
	if lookUp == nil {
		return
	}
	r := t.peers.search.round
	r.left++
	e.box.run(func(ctx context.Context) func() {
		addrs, failed := lookUp(ctx)
		return func() {
			e.resolver.end()
			r.left--
			if failed != nil {
				e.events.note(t, "looking up a peer of the link: %v", failed)
			}
			e.meet(foundPeers{id, share.FromLink, addrs})
			e.beginWith(t, addrs)
		}
	})
}

// beginWith tells of the peers that a link names as nodes of the DHT: most have
// one on the same port, and who has no other way into the network needs one
// only.
func (e *Engine) beginWith(t *transfer, peers []netip.AddrPort) {
	if e.cfg.OnDHTNode == nil || t.private() || len(peers) == 0 {
		return
	}
	e.box.run(func(context.Context) func() {
		for _, p := range peers {
			if p.Addr().Is6() && !p.Addr().Is4In6() {
				e.cfg.OnDHTNode(p)
			}
		}
		return nil
	})
}

// progress is asked by the announcer of trackers, from its own goroutines.
func (e *Engine) progress(id share.ID) (p tracker.Progress, known bool) {
	asked := e.box.call(func() {
		if t := e.transfers.byID[id]; t != nil {
			p, known = t.figures(), true
		}
	})
	if asked {
		return p, known
	}
	return e.announce.last(id) // the loop has ended
}

// figures are what trackers are told. Files that are not wanted count as left, too: a
// peer that lacks them is no seed.
func (t *transfer) figures() tracker.Progress {
	p := tracker.Progress{Left: -1}
	p.Downloaded, p.Uploaded = t.traffic()
	switch o := t.opened(); {
	case !t.known():
	case o != nil:
		p.Left = max(t.size-o.files.Progress().Bytes, 0)
	default:
		p.Left = max(t.size-t.total, 0) + max(t.total-t.haveBytes(), 0)
	}
	return p
}
