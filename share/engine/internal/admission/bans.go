package admission

import (
	"container/list"
	"net/netip"
	"slices"
	"time"
)

const (
	// A /64 that broke the protocol this often is kept out for a while. One odd
	// message is more often a program's mistake than an attack.
	strikes = 3
	banTime = 15 * time.Minute
	maxBans = 10_000
)

// liars is how many /64s in a network must have broken the protocol, three times
// each on average, before all of it is kept out.
var liars = [levels]int{8, 4, 1}

// bans are the networks that broke the protocol lately.
type bans struct {
	of map[netip.Prefix]*list.Element // of a *ban
	// In the order of their last strikes, in which they also expire.
	order list.List
}

type ban struct {
	of      netip.Prefix
	strikes int
	liars   []netip.Prefix // the /64s that they came from, as many as matter
	until   time.Time      // when all is forgotten
}

// Strike notes that a peer broke the protocol. The own machine is never kept out:
// it is where several peers share one address.
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

// Banned tells whether an address is kept out.
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

// note finds or makes the entry of a network, whose time begins anew. Those whose
// time is over are forgotten, and where there are too many the oldest.
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
