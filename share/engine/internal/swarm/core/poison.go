package core

import (
	"net/netip"
	"slices"
	"time"
)

// poison finds out who sends wrong blocks. Who sent all of a wrong piece is
// convicted at once. Else the piece is fetched again from one peer alone, the
// most trusted; if it is wrong again that peer is convicted, and if it is right
// those whose blocks differ are. Until then all who sent a part of it are
// suspects: they get whole pieces to themselves.
type poison struct {
	cases  map[int]*doubt
	banned map[netip.Addr]bool
	nets   map[netip.Prefix]int // convicts in each /64
}

// doubt is a piece that was wrong: who sent what, in each attempt.
type doubt struct {
	attempts [][]evidence
}

// evidence is a block of a wrong piece.
type evidence struct {
	from *Peer
	sum  [20]byte
}

// Bounds of what is remembered.
const (
	maxAttempts = 4
	maxBanned   = 4096
	netBan      = 4 // convicts in a /64 that have all of it banned
)

func (o *poison) init() {
	o.cases = make(map[int]*doubt)
	o.banned = make(map[netip.Addr]bool)
	o.nets = make(map[netip.Prefix]int)
}

// doubts tells whether a piece was wrong before.
func (o *poison) doubts(piece int) bool { return o.cases[piece] != nil }

// distrusts tells whether p is not to begin a piece.
func (o *poison) distrusts(piece int, p *Peer) bool {
	d := o.cases[piece]
	return d != nil && p.suspect
}

// Verified takes the verdict on a piece. sums are those of its blocks, and may
// be nil when the piece is right and Sums was not asked for.
func (c *Core) Verified(now time.Duration, piece int, right bool, sums [][20]byte) {
	c.enter(now)
	b := c.begun[piece]
	if b == nil || !b.checking {
		return
	}
	defer c.refilled()
	if right {
		c.acquit(b, sums)
		c.gained(b)
	} else {
		c.stats.Failed++
		c.wrong(b, sums)
	}
	for _, p := range c.snapshot() {
		c.fill(p)
	}
}

// wrong deals with a piece that is.
func (c *Core) wrong(b *begun, sums [][20]byte) {
	first := b.blocks[0].from
	alone := true
	for n := range b.blocks {
		alone = alone && b.blocks[n].from == first
		c.stats.Wasted += int64(c.layout.BlockLen(b.piece, n))
	}
	blocks := b.blocks
	b.checking, b.solo, b.owner = false, false, nil
	b.absent, b.unsafe = len(blocks), len(blocks)
	for n := range blocks {
		from := blocks[n].from
		if !alone && !from.suspect {
			from.suspect = true
			if !from.gone {
				// What it has begun to share is left to others.
				from.own = nil
			}
		}
	}
	d := c.poison.cases[b.piece]
	if !alone && len(sums) == len(blocks) {
		if d == nil {
			d = &doubt{}
			c.poison.cases[b.piece] = d
		}
		if len(d.attempts) < maxAttempts {
			got := make([]evidence, len(blocks))
			for n := range blocks {
				got[n] = evidence{blocks[n].from, sums[n]}
			}
			d.attempts = append(d.attempts, got)
		}
	}
	b.blocks = make([]block, len(blocks))
	b.free, b.hint = len(blocks), 0
	if c.wanted[b.piece] != Unwanted {
		c.free += b.free
	}
	if alone {
		c.convict(first)
	}
	if c.poison.cases[b.piece] != nil {
		b.solo = true
		c.appoint(b)
	}
}

// appoint chooses who fetches a piece alone: the most trusted of those that
// have it, the one of these that answers soonest.
func (c *Core) appoint(b *begun) {
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
	for _, p := range c.peers {
		if p.may(b.piece) && !p.snubbed(c.now) && (best == nil || better(p, best)) {
			best = p
		}
	}
	b.owner, b.moved = best, c.now
}

// Between these is how long the fetcher of a piece may be without a block of it.
const (
	soloTime    = 3 * time.Second
	longestSolo = 5 * time.Second
)

// onIt tells whether the fetcher of a piece gets on with it.
func (c *Core) onIt(b *begun) bool {
	p := b.owner
	return p != nil && !p.gone && p.may(b.piece) && c.now-b.moved <= min(longestSolo, max(soloTime, 4*p.window.age))
}

// reappoint finds another for pieces whose fetcher is gone or idle; what that
// one sent of them is thrown away.
func (c *Core) reappoint() {
	for _, b := range c.order {
		if !b.solo || b.checking || c.onIt(b) {
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
				c.retract(b, n, nil)
			}
			if x.state == written {
				b.absent++
				b.unsafe++
				c.stats.Wasted += int64(c.layout.BlockLen(b.piece, n))
				c.liberate(b, n)
			}
		}
		if was != nil && was.own == b {
			was.own = nil
		}
		c.appoint(b)
		if b.owner != nil {
			c.refill(b.owner)
		}
	}
	c.refilled()
}

// acquit takes a piece that is right: who sent other blocks for it is
// convicted, who sent the same is none the worse.
func (c *Core) acquit(b *begun, sums [][20]byte) {
	for n := range b.blocks {
		b.blocks[n].from.good++
	}
	d := c.poison.cases[b.piece]
	if d == nil {
		return
	}
	delete(c.poison.cases, b.piece)
	if len(sums) != len(b.blocks) {
		return
	}
	var liars, honest []*Peer
	for _, attempt := range d.attempts {
		for n, e := range attempt {
			if e.sum != sums[n] {
				liars = append(liars, e.from)
			} else {
				honest = append(honest, e.from)
			}
		}
	}
	for _, p := range liars {
		c.convict(p)
	}
	for _, p := range honest {
		if !p.convicted && !c.poison.suspected(p) {
			p.suspect = false
		}
	}
}

// suspected tells whether a piece is in doubt that p sent a part of.
func (o *poison) suspected(p *Peer) bool {
	for _, d := range o.cases {
		for _, attempt := range d.attempts {
			for _, e := range attempt {
				if e.from == p {
					return true
				}
			}
		}
	}
	return false
}

// convict bans a peer that sent wrong data.
func (c *Core) convict(p *Peer) {
	if p.convicted {
		return
	}
	p.convicted = true
	c.stats.Convicted++
	if len(c.poison.banned) < maxBanned {
		addr := p.Addr.Addr().Unmap()
		c.poison.banned[addr] = true
		c.poison.nets[network(addr)]++
	}
	c.discard(p, "it sent wrong data", true)
}

// bans tells whether an address is not to be dealt with.
func (o *poison) bans(a netip.Addr) bool {
	a = a.Unmap()
	return o.banned[a] || a.Is6() && o.nets[network(a)] >= netBan
}

// network is what one line has: a /64, or an IPv4 address.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits)
	return p
}
