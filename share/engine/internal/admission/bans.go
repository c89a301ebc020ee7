package admission

import (
	"container/list"
	"net/netip"
	"slices"
	"time"
)

const (
	// A /64 that broke the protocol this often is banned for banTime. A single bad message
	// is more often a bug than an attack.
	strikes = 3
	banTime = 15 * time.Minute
	maxBans = 10_000
)

// liars is how many /64s in a network must have broken the protocol, three times each on
// average, before the whole network is banned.
var liars = [levels]int{8, 4, 1}

// bans counts by network how often peers broke the protocol lately.
type bans struct {
	of map[netip.Prefix]*list.Element // of a *ban
	// In the order of their last strikes, which is that in which they expire.
	order list.List
}

type ban struct {
	of      netip.Prefix
	strikes int
	liars   []netip.Prefix // the /64s that they came from, up to the number that matters
	until   time.Time      // when the entry expires
}

// Strike notes that a peer broke the protocol. Loopback addresses are never banned: many
// peers may share one.
func (p *Policy) Strike(now time.Time, a netip.Addr) {
	if plain(a).IsLoopback() {
		return
	}
	n := networksOf(a)
	for i := range n {
		b := p.bans.note(now, n[i])
		b.strikes++
		if len(b.liars) < liars[i] && !slices.Contains(b.liars, n[2]) {
			b.liars = append(b.liars, n[2])
		}
	}
}

// Banned tells whether an address is banned.
func (p *Policy) Banned(now time.Time, a netip.Addr) bool {
	for i, n := range networksOf(a) {
		e := p.bans.of[n]
		if e == nil {
			continue
		}
		if b := e.Value.(*ban); now.Before(b.until) && len(b.liars) >= liars[i] && b.strikes >= strikes*liars[i] {
			return true
		}
	}
	return false
}

// note finds or makes the entry of a network, which then expires later. It removes
// entries that have expired, and the oldest one if there are too many.
func (b *bans) note(now time.Time, n netip.Prefix) *ban {
	for e := b.order.Front(); e != nil && !now.Before(e.Value.(*ban).until); e = b.order.Front() {
		b.forget(e)
	}
	e := b.of[n]
	if e == nil {
		if b.order.Len() >= maxBans {
			b.forget(b.order.Front())
		}
		if b.of == nil {
			b.of = map[netip.Prefix]*list.Element{}
		}
		e = b.order.PushBack(&ban{of: n})
		b.of[n] = e
	}
	b.order.MoveToBack(e)
	e.Value.(*ban).until = now.Add(banTime)
	return e.Value.(*ban)
}

func (b *bans) forget(e *list.Element) {
	delete(b.of, e.Value.(*ban).of)
	b.order.Remove(e)
}
