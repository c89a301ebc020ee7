package engine

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// searchTime is the most that one search takes.
const searchTime = 2 * time.Minute

// policy judges the addresses that a source names, for a node that others reach at own,
// on a host that has local. The DHT and peer exchange pass private ones only if somebody
// on such a network told of them.
func (d *discovery) policy(s share.Source, own []netip.AddrPort, local []netip.Addr) netguard.Policy {
	switch {
	case trusted(s):
		return d.near
	case s == share.FromDHT || s == share.FromPEX:
		return d.far.Among(own, local)
	}
	return d.far
}

// discovery looks for peers of transfers, keeps their addresses in the book of the
// transfer, and hands them to its swarm. It is owned by the loop.
type discovery struct {
	now       func() time.Time
	box       *mailbox
	serial    *serial
	events    *publisher
	transfers *register

	finders    finders
	resolver   *resolver
	scan       scan
	reachable  func() bool // whether strangers are known to get in; nil is no
	noTrackers bool
	trackers   interface{ Refresh(share.ID) }

	far, near netguard.Policy // of addresses that strangers, and people we trust, name
	own       *self
	onDHTNode func(netip.AddrPort) // may be nil
	// changed is called when addresses were found; wanted tells that they are of a
	// transfer at rest, which may be worth waking.
	changed func(t *transfer, wanted bool)
}

// foundPeers is addresses from one source.
type foundPeers struct {
	id     share.ID
	source share.Source
	addrs  []netip.AddrPort
}

// seek begins a round of searches for t if it is time for one, and hands over the
// addresses that are due.
func (d *discovery) seek(t *transfer, now time.Time) {
	d.offer(t, now)
	s := &t.peers.search
	s.open = len(t.options.Peers)+len(t.options.WebSeeds) > 0 || len(t.options.Trackers) > 0 && !d.noTrackers ||
		len(d.finders) > 0 && !t.private() || t.peers.book != nil && len(t.peers.book.entries) > 0
	peers := 0
	if l := t.live(); l != nil {
		peers = l.net.Figures().Peers
	}
	if !s.begin(peers, now) {
		return
	}
	d.resolve(t)
	for _, id := range t.ids() {
		d.trackers.Refresh(id)
	}
	if len(d.finders) == 0 || t.private() {
		s.asked = true
		return
	}
	d.ask(t, s.round)
}

// ask has every finder look for peers of t, each when it has time.
func (d *discovery) ask(t *transfer, r *round) {
	d.finders.ask(t, r)
	d.runSearches()
}

// runSearches begins the searches that finders have time for.
func (d *discovery) runSearches() {
	wanted := func(at turn) bool {
		return at.t.peers.search.round == at.round && (at.t.searching() || d.mayScan(at.t))
	}
	for {
		f, at, ok := d.finders.next(wanted)
		if !ok {
			return
		}
		t, id := at.t, at.id
		t.peers.search.asked = true
		t.peers.tallyOf(f.Source()).busy++
		d.box.run(func(ctx context.Context) func() {
			ctx, cancel := context.WithTimeout(ctx, searchTime)
			defer cancel()
			err := f.Find(ctx, id, func(addrs []netip.AddrPort) {
				p := foundPeers{id, f.Source(), slices.Clone(addrs)}
				d.box.post(func() { d.found(p) })
			})
			if ctx.Err() != nil {
				err = nil // it ran out of time, which is no fault
			}
			return func() {
				f.over(at)
				t.peers.searched(f.Source(), err, d.now())
				if err != nil {
					d.events.note(t, "search by %s: %v", f.Source(), err)
				}
				d.runSearches()
			}
		})
	}
}

// mayScan tells whether t is complete and may look for peers.
func (d *discovery) mayScan(t *transfer) bool {
	return d.transfers.has(t) && t.done && !t.options.Paused && t.failure == nil && t.removing == nil && (t.level() < live || !d.isReachable())
}

// isReachable tells whether strangers are known to get in.
func (d *discovery) isReachable() bool { return d.reachable != nil && d.reachable() }

// scanNext lets complete transfers look for peers whose turn it is.
func (d *discovery) scanNext() {
	if d.finders.full() { // others need them more
		return
	}
	seeds := func() (all []*transfer) {
		for _, t := range d.transfers.byID {
			if t.done && !t.options.Paused {
				all = append(all, t)
			}
		}
		return all
	}
	fits := func(t *transfer) bool { return d.mayScan(t) && t.peers.search.round.over() }
	reachable := d.isReachable()
	for _, t := range d.scan.next(d.now(), reachable, seeds, fits) {
		t.peers.search.round = &round{}
		if !reachable {
			d.callOut(t)
		}
		if !t.private() {
			d.ask(t, t.peers.search.round)
		}
	}
}

// callOut calls the peers of a complete transfer that are known.
func (d *discovery) callOut(t *transfer) {
	d.resolve(t)
	for _, id := range t.ids() {
		d.trackers.Refresh(id)
	}
	now := d.now()
	d.offer(t, now)
	if t.level() < live && t.peers.book != nil && t.peers.book.anyDue(now) {
		d.changed(t, true)
	}
}

// hint is found for callbacks that must not wait. When too many addresses come at once
// the rest is dropped: they will be found again.
func (d *discovery) hint(id share.ID, s share.Source, addrs []netip.AddrPort) {
	d.box.hint(func() { d.found(foundPeers{id, s, addrs}) })
}

// found puts addresses into the book of their transfer, and those that are new to use.
func (d *discovery) found(p foundPeers) {
	t := d.transfers.named(p.id)
	if t == nil || t.removing != nil || t.options.Paused || len(p.addrs) == 0 {
		return
	}
	if p.source == share.FromIncoming {
		// Nobody can be called at the port that a call came from.
		if n := t.peers.callers.add(p.addrs); n > 0 {
			d.brought(t, p.source, n)
		}
		return
	}
	if t.private() && p.source != share.FromTracker && !trusted(p.source) {
		return
	}
	if t.peers.book == nil {
		t.peers.book = newBook()
	}
	now := d.now()
	all := embedZones(p.addrs)
	own := d.own.addrs(now)
	fresh := t.peers.book.add(now, p.source, all, d.policy(p.source, own, d.own.local(now)), own)
	if p.id == t.names().V2.ID() {
		t.peers.book.foundByV2(true, fresh)
	} else {
		t.peers.book.foundByV2(false, all)
	}
	if len(fresh) == 0 {
		return
	}
	t.peers.search.fresh = true
	d.brought(t, p.source, len(fresh))
	if ask := t.peers.asking; ask != nil {
		peers := make([]face.Peer, len(fresh))
		for i, a := range fresh {
			peers[i] = face.Peer{Addr: a, Source: p.source, V2: p.id == t.names().V2.ID()}
		}
		d.serial.do(func() { ask.AddPeers(peers) })
	}
	d.changed(t, t.done && t.level() < live && t.failure == nil)
	d.offer(t, now)
}

// brought notes and tells how many new peers a source brought.
func (d *discovery) brought(t *transfer, s share.Source, n int) {
	t.peers.brought(s, n, d.now())
	d.events.bare(share.Event{Type: share.EventFound, ID: t.id, Source: s, Count: n})
}

// again hands over all addresses of t, also those it has handed over before, unless it is
// complete: then most have nothing to do with each other.
func (d *discovery) again(t *transfer) {
	if t.done {
		d.offer(t, d.now())
		return
	}
	if t.peers.book != nil {
		t.peers.book.again(d.now())
		d.offer(t, d.now())
	}
}

// offer hands the addresses that are due to the swarm of t.
func (d *discovery) offer(t *transfer, now time.Time) {
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
		peers[i] = face.Peer{Addr: en.addr, Source: en.source, V2: en.v2}
	}
	d.serial.do(func() { l.net.AddPeers(peers) })
}

// resolve finds the addresses of the peers that the link names.
func (d *discovery) resolve(t *transfer) {
	if len(t.options.Peers) == 0 {
		return
	}
	id := t.id
	known, names := splitPeers(t.options.Peers)
	d.found(foundPeers{id, share.FromLink, known})
	d.tellDHT(t, known)
	lookUp := d.resolver.begin(names)
	if lookUp == nil {
		return
	}
	r := t.peers.search.round
	if r == nil { // of a share, which does not search
		r = &round{}
		t.peers.search.round = r
	}
	r.left++
	d.box.run(func(ctx context.Context) func() {
		addrs, failed := lookUp(ctx)
		return func() {
			d.resolver.end()
			r.left--
			if failed != nil {
				d.events.note(t, "looking up a peer of the link: %v", failed)
			}
			d.found(foundPeers{id, share.FromLink, addrs})
			d.tellDHT(t, addrs)
		}
	})
}

// tellDHT tells of the peers that a link names as nodes of the DHT: most have one on
// the same port, and one node is enough to join.
func (d *discovery) tellDHT(t *transfer, peers []netip.AddrPort) {
	if d.onDHTNode == nil || t.private() || len(peers) == 0 {
		return
	}
	d.box.run(func(context.Context) func() {
		for _, p := range peers {
			if p.Addr().Is6() && !p.Addr().Is4In6() {
				d.onDHTNode(p)
			}
		}
		return nil
	})
}
