package engine

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	maxKnown = 1000
	// An address is handed to the swarm again after this, doubled each time up to
	// offerAgainMax, while no connection to it is open.
	offerAgain    = 4 * time.Second
	offerAgainMax = time.Hour
	offerAtOnce   = 60
)

// book keeps the addresses of the peers of one transfer. Addresses are cheap to invent, so
// one from peer exchange replaces only others from there. It is owned by the loop.
type book struct {
	entries map[netip.AddrPort]*entry
	counts  map[share.Source]int // distinct addresses from each source
	// skipped are addresses that are of no use only because IPv4 is off, at most
	// maxKnown.
	skipped map[netip.AddrPort]struct{}
}

type entry struct {
	addr   netip.AddrPort
	source share.Source
	v2     bool // it was found by the v2 ID alone
	added  time.Time
	due    time.Time // when it is offered next
	pause  time.Duration
}

func newBook() *book {
	return &book{entries: make(map[netip.AddrPort]*entry), counts: make(map[share.Source]int)}
}

// trusted tells whether a source may name private addresses: the user, and hosts on our
// own network.
func trusted(s share.Source) bool {
	return s == share.FromLink || s == share.FromUser || s == share.FromLAN
}

// add adds the addresses that may be dialled and are not in own, and returns those that
// are new.
func (b *book) add(now time.Time, s share.Source, addrs []netip.AddrPort, policy netguard.Policy, own []netip.AddrPort) []netip.AddrPort {
	var fresh []netip.AddrPort
next:
	for _, ap := range addrs {
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		if policy.CheckPeer(ap) != nil {
			b.skip(ap, policy)
			continue
		}
		for _, o := range own {
			if ap == o {
				continue next
			}
		}
		if e, ok := b.entries[ap]; ok {
			// It is still in use: worth an early try.
			if e.source == share.FromPEX && s != share.FromPEX {
				e.source = s
			}
			e.pause = min(e.pause, 4*offerAgain)
			continue
		}
		if len(b.entries) >= maxKnown && !b.evict(s) {
			continue
		}
		b.entries[ap] = &entry{addr: ap, source: s, added: now, due: now, pause: offerAgain}
		b.counts[s]++
		fresh = append(fresh, ap)
	}
	return fresh
}

// skip counts an address that the policy refuses, if with IPv4 it would not.
func (b *book) skip(ap netip.AddrPort, policy netguard.Policy) {
	policy.IPv4 = true
	if len(b.skipped) >= maxKnown || policy.CheckPeer(ap) != nil {
		return
	}
	if b.skipped == nil {
		b.skipped = make(map[netip.AddrPort]struct{})
	}
	b.skipped[ap] = struct{}{}
}

// leftOut is how many peers are skipped for want of IPv4. The book may be nil.
func (b *book) leftOut() int {
	if b == nil {
		return 0
	}
	return len(b.skipped)
}

// foundByV2 notes whether addresses were found by the v2 ID. One that is found by the v1
// ID, too, is asked by that.
func (b *book) foundByV2(is bool, addrs []netip.AddrPort) {
	for _, ap := range addrs {
		if e := b.entries[netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())]; e != nil {
			e.v2 = is
		}
	}
}

// evict makes room for an address from s. It reports false when there is nothing to
// replace.
func (b *book) evict(s share.Source) bool {
	var worst *entry
	for _, e := range b.entries {
		if trusted(e.source) || s == share.FromPEX && e.source != share.FromPEX {
			continue
		}
		if worst == nil || e.pause > worst.pause || e.pause == worst.pause && e.added.Before(worst.added) {
			worst = e
		}
	}
	if worst == nil {
		return false
	}
	delete(b.entries, worst.addr)
	return true
}

// anyDue tells whether an address is due.
func (b *book) anyDue(now time.Time) bool {
	for _, e := range b.entries {
		if !now.Before(e.due) {
			return true
		}
	}
	return false
}

// offer returns addresses that are due and not connected. They are due again later.
func (b *book) offer(now time.Time, connected map[netip.AddrPort]bool) []*entry {
	var out []*entry
	for _, e := range b.entries {
		if now.Before(e.due) {
			continue
		}
		if len(out) >= offerAtOnce {
			break
		}
		e.due = now.Add(e.pause)
		e.pause = min(2*e.pause, offerAgainMax)
		if !connected[e.addr] {
			out = append(out, e)
		}
	}
	return out
}

// again makes every address due.
func (b *book) again(now time.Time) {
	for _, e := range b.entries {
		e.due, e.pause = now, offerAgain
	}
}

// peers returns every address.
func (b *book) peers() []face.Peer {
	out := make([]face.Peer, 0, len(b.entries))
	for _, e := range b.entries {
		out = append(out, face.Peer{Addr: e.addr, Source: e.source, V2: e.v2})
	}
	return out
}

// embedZones puts zones into link-local addresses, and leaves out those on interfaces that
// are gone.
func embedZones(addrs []netip.AddrPort) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(addrs))
	for _, ap := range addrs {
		if ap, err := netguard.EmbedZone(ap); err == nil {
			out = append(out, ap)
		}
	}
	return out
}
