package core

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"
)

// choker decides whom we upload to. While we fetch, those get slots that give
// us most; when we have all, those that use them best, each for its turn, and
// first those that never had one. One slot goes by chance, so that newcomers
// get a beginning and we find better partners.
type choker struct {
	next  time.Duration
	round int
	slots int
	extra int // slots more than the line's rate asks for, since they are not used
	up    meter
	best  float64 // bytes a second that the line did lately
	order []*Peer
	seen  map[netip.Prefix]int
}

const (
	rechokeEvery = 10 * time.Second
	luckyRounds  = 3 // the random slot moves on after so many
	firstSlots   = 8
	leastSlots   = 4
	mostSlots    = 256
	turn         = 60 * time.Second // of a peer that we upload to, when seeding
	turnBytes    = 8 << 20          // or so much
)

// capacity is how many peers the line serves well. More of them get too little
// each to finish a piece soon, fewer leave the line idle when one is slow.
func (h *choker) capacity(fixed int) int {
	if fixed > 0 {
		return fixed
	}
	if h.best == 0 {
		return firstSlots
	}
	byRate := int(math.Sqrt(h.best / 1024 * 0.075))
	return max(leastSlots, min(byRate+h.extra, mostSlots))
}

// rechoke deals out the slots.
func (c *Core) rechoke() {
	h := &c.choker
	h.next = c.now + rechokeEvery
	h.round++
	h.best = max(h.best*0.97, h.up.get(c.now, longTerm))
	order := h.order[:0]
	busy, open := 0, 0
	for _, p := range c.peers {
		if !p.choked {
			open++
			if len(p.want) > 0 {
				busy++
			}
		}
		if p.interested && !c.peerComplete(p) {
			order = append(order, p)
		} else if !p.choked {
			c.choke(p)
		}
	}
	h.order = order
	switch {
	case busy*2 < open && open >= h.slots:
		h.extra++
	case busy == open && h.extra > 0:
		h.extra--
	}
	h.slots = h.capacity(c.cfg.Uploads)
	if c.missing > 0 {
		slices.SortStableFunc(order, c.byGiving)
	} else {
		slices.SortStableFunc(order, c.byTurn)
	}
	h.spread(order)
	lucky := c.lucky(order)
	slots := h.slots
	if lucky != nil {
		slots--
		c.unchoke(lucky)
	}
	for _, p := range order {
		switch {
		case p == lucky:
		case slots > 0:
			slots--
			c.unchoke(p)
		default:
			c.choke(p)
		}
	}
}

// byGiving puts those first that give us most; those that keep what we asked
// for to themselves come last.
func (c *Core) byGiving(a, b *Peer) int {
	if x, y := a.snubbed(c.now), b.snubbed(c.now); x != y {
		if x {
			return 1
		}
		return -1
	}
	return cmp.Or(
		cmp.Compare(b.longDown.get(c.now, longTerm), a.longDown.get(c.now, longTerm)),
		cmp.Compare(b.up.get(c.now, longTerm), a.up.get(c.now, longTerm)))
}

// byTurn puts those first whose turn is not over, the fastest of them first,
// then those that waited longest.
func (c *Core) byTurn(a, b *Peer) int {
	x, y := c.inTurn(a), c.inTurn(b)
	switch {
	case x && y:
		return cmp.Compare(b.up.get(c.now, longTerm), a.up.get(c.now, longTerm))
	case x:
		return -1
	case y:
		return 1
	}
	return cmp.Compare(a.unchoked, b.unchoked)
}

func (c *Core) inTurn(p *Peer) bool {
	return !p.choked && (p.served < turnBytes || c.now-p.unchoked < turn)
}

// spread moves the second and further peers of one line behind the first of
// all others, the third behind the second, and so on.
func (h *choker) spread(order []*Peer) {
	if h.seen == nil {
		h.seen = make(map[netip.Prefix]int)
	}
	clear(h.seen)
	for _, p := range order {
		n := network(p.Addr.Addr())
		p.nth = h.seen[n]
		h.seen[n]++
	}
	slices.SortStableFunc(order, func(a, b *Peer) int { return cmp.Compare(a.nth, b.nth) })
}

// lucky is who gets the random slot: for some rounds the same.
func (c *Core) lucky(order []*Peer) *Peer {
	if len(order) <= c.choker.slots {
		return nil // all get one
	}
	i := slices.IndexFunc(order, func(p *Peer) bool { return p.optimistic })
	if i >= 0 && c.choker.round%luckyRounds != 0 {
		return order[i]
	}
	if i >= 0 {
		order[i].optimistic = false
	}
	// Among those that would get nothing; who never had anything has three
	// chances.
	rest := order[c.choker.slots-1:]
	total := 0
	chances := func(p *Peer) int {
		if p.Uploaded == 0 {
			return 3
		}
		return 1
	}
	for _, p := range rest {
		total += chances(p)
	}
	pick := c.rand.IntN(total)
	for _, p := range rest {
		if pick -= chances(p); pick < 0 {
			p.optimistic = true
			return p
		}
	}
	return nil
}

// interested gives p a slot at once if one is left.
func (h *choker) interested(c *Core, p *Peer) {
	if p.choked && h.taken(c) < h.slots {
		c.unchoke(p)
	}
}

func (h *choker) taken(c *Core) int {
	n := 0
	for _, p := range c.peers {
		if !p.choked {
			n++
		}
	}
	return n
}

// vacant gives a slot that became free to who waits longest.
func (h *choker) vacant(c *Core) {
	if h.taken(c) >= h.slots {
		return
	}
	var next *Peer
	for _, p := range c.peers {
		if p.choked && p.interested && !c.peerComplete(p) && (next == nil || p.unchoked < next.unchoked) {
			next = p
		}
	}
	if next != nil {
		c.unchoke(next)
	}
}
