package engine

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// What one transfer remembers of where its peers are. Addresses are cheap to
// invent, so an address that peers told of may only push out another such.
const (
	maxKnown = 1000
	// An address is offered to the client library again after this, doubled
	// each time up to the hour, while no connection to it is open.
	offerAgain    = 4 * time.Second
	offerAgainMax = time.Hour
	offerAtOnce   = 60
)

// book is the addresses of one transfer. It is owned by the loop.
type book struct {
	entries map[netip.AddrPort]*entry
	counts  map[share.Source]int // distinct addresses each source told of
}

type entry struct {
	addr   netip.AddrPort
	source share.Source
	added  time.Time
	due    time.Time // when it may be offered next
	pause  time.Duration
}

func newBook() *book {
	return &book{entries: make(map[netip.AddrPort]*entry), counts: make(map[share.Source]int)}
}

// trusted sources may name private addresses: the user, and who is on our own
// network already.
func trusted(s share.Source) bool {
	return s == share.FromLink || s == share.FromUser || s == share.FromLAN
}

// add takes the addresses that may be connected to, without those in own, and
// returns the ones that are new.
func (b *book) add(now time.Time, s share.Source, addrs []netip.AddrPort, far, near netguard.Policy, own []netip.AddrPort) []netip.AddrPort {
	policy := far
	if trusted(s) {
		policy = near
	}
	var fresh []netip.AddrPort
next:
	for _, ap := range addrs {
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		if policy.CheckPeer(ap) != nil {
			continue
		}
		for _, o := range own {
			if ap == o {
				continue next
			}
		}
		if e, ok := b.entries[ap]; ok {
			// Somebody still vouches for it: it is worth an early try.
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

// offer picks addresses that are due and moves them back.
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

// again makes every address due, as after a pause.
func (b *book) again(now time.Time) {
	for _, e := range b.entries {
		e.due, e.pause = now, offerAgain
	}
}

// addrs is every address known.
func (b *book) addrs() []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(b.entries))
	for ap := range b.entries {
		out = append(out, ap)
	}
	return out
}

// embedZones leaves out link-local addresses on interfaces that are gone.
func embedZones(addrs []netip.AddrPort) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(addrs))
	for _, ap := range addrs {
		if ap, err := netguard.EmbedZone(ap); err == nil {
			out = append(out, ap)
		}
	}
	return out
}
