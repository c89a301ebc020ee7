package engine

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

const (
	searchTime    = 2 * time.Minute // of one search
	resolveTime   = 20 * time.Second
	maxResolves   = 16     // at once
	seedScanEvery = seldom // one seed at rest looks into its swarm
)

// foundPeers is addresses that somebody told of.
type foundPeers struct {
	id     share.ID
	source share.Source
	addrs  []netip.AddrPort
}

// searching tells whether t is looking for peers.
func (e *Engine) searching(t *transfer) bool {
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
	s := &t.search
	s.open = len(t.options.Peers)+len(t.options.WebSeeds) > 0 || len(t.options.Trackers) > 0 && !e.cfg.NoTrackers ||
		len(e.finders) > 0 && !t.private() || t.book != nil && len(t.book.entries) > 0
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
	if t.book == nil {
		t.book = newBook()
	}
	now := e.now()
	fresh := t.book.add(now, p.source, embedZones(p.addrs), e.far(), e.near(), e.own.addrs(now))
	if len(fresh) == 0 {
		return
	}
	t.search.fresh = true
	t.brought(p.source, len(fresh), now)
	if e.hub.watched() {
		e.hub.publish(now, share.Event{Type: share.EventFound, ID: t.id, Source: p.source, Count: len(fresh)})
	}
	if t.asking != nil {
		t.asking.Add(fresh...)
	}
	if t.done && t.level() < live && t.failure == nil {
		// Whoever looks for what we have at rest is worth waking up for.
		t.waiters = append(t.waiters, make(chan struct{}))
		e.reconcile(t)
	}
	e.offer(t, now)
	e.changed(t)
}

// offer hands addresses that are due to the swarm.
func (e *Engine) offer(t *transfer, now time.Time) {
	l := t.live()
	if l == nil || t.book == nil || !t.book.anyDue(now) {
		return
	}
	entries := t.book.offer(now, l.net.Connected())
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
	if len(names) == 0 || e.resolves >= maxResolves {
		return
	}
	e.resolves++
	r := t.search.round
	r.left++
	family := "ip6"
	if e.cfg.IPv4 {
		family = "ip"
	}
	e.box.run(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		addrs, failed := lookUp(ctx, names, func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, family, host)
		})
		return func() {
			e.resolves--
			r.left--
			if failed != nil {
				e.note(t, "looking up a peer of the link: %v", failed)
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

// advertise announces t to trackers and finders; again and again does no harm.
func (e *Engine) advertise(t *transfer) {
	// What is on disk has to be looked at before trackers are told how much is left.
	o := t.opened()
	looked := !t.known() || t.done || o != nil && !o.unknown
	if len(t.options.Trackers) > 0 && !e.cfg.NoTrackers && looked {
		tiers := make([][]string, len(t.options.Trackers)) // all are asked
		for i := range tiers {
			tiers[i] = t.options.Trackers[i : i+1]
		}
		e.trackers.Add(t.id, tiers, t.figures())
	}
	if !t.known() {
		return // there is nothing to give yet
	}
	e.swarms.Offer(t.id)
	if t.announced || t.private() {
		return
	}
	for _, f := range e.finders {
		f.Announce(t.id)
	}
	t.announced = true
}

// hide undoes advertise.
func (e *Engine) hide(t *transfer) {
	if len(t.options.Trackers) > 0 {
		e.trackers.Remove(t.id, t.figures())
	}
	e.swarms.Withdraw(t.id)
	if !t.announced {
		return
	}
	t.announced = false
	for _, f := range e.finders {
		f.Withdraw(t.id)
	}
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
	if last, ok := e.figures.Load(id); ok { // to say goodbye, when all is put away
		return last.(tracker.Progress), true
	}
	return p, false
}

// keepFigures keeps what trackers are told when the loop has ended.
func (e *Engine) keepFigures() {
	for _, t := range e.transfers.byID {
		if len(t.options.Trackers) > 0 {
			e.figures.Store(t.id, t.figures())
		}
	}
}

// figures are what trackers are told. left counts files that are not wanted,
// too: who lacks them is no seed.
func (t *transfer) figures() tracker.Progress {
	p := tracker.Progress{Uploaded: t.uploaded, Downloaded: t.downloaded, Left: -1}
	if l := t.live(); l != nil {
		f := l.net.Figures()
		p.Uploaded += f.Up - l.counted.up
		p.Downloaded += f.Down - l.counted.down
	}
	switch o := t.opened(); {
	case !t.known():
	case o != nil:
		p.Left = max(t.size-o.files.Progress().Bytes, 0)
	default:
		p.Left = max(t.size-t.total, 0) + max(t.total-t.haveBytes(), 0)
	}
	return p
}
