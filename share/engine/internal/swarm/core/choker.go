package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
)

// choker decides whom we upload to, with as many slots as the node's uplink has for
// this swarm. While we fetch, those get slots that give us most; when we have all,
// those that use them best, each for its turn, and first those that never had one.
// One slot goes by chance, so that newcomers get a beginning and we find better
// partners.
type choker struct {
	*clock
	*content
	*roster
	uplink *uplink.Place

	next  time.Duration
	round int
	slots int
	order []*Peer
	seen  map[netip.Prefix]int
}

const (
	rechokeEvery = 10 * time.Second
	luckyRounds  = 3                // the random slot moves on after so many
	turn         = 60 * time.Second // of a peer that we upload to, when seeding
	turnBytes    = 8 << 20          // or so much
)

func newChoker(c *clock, k *content, r *roster, u *uplink.Place) *choker {
	return &choker{clock: c, content: k, roster: r, uplink: u, seen: make(map[netip.Prefix]int)}
}

// eager tells whether p wants to be uploaded to.
func (h *choker) eager(p *Peer) bool { return p.interested && !h.peerComplete(p) }

// ask tells the uplink what is wanted here, and takes the slots it gives. up is how
// many bytes a second are uploaded now. It returns how many slots are in use.
func (h *choker) ask(up float64) (open int) {
	d := uplink.Demand{Rate: up}
	for _, p := range h.peers {
		if h.eager(p) {
			d.Wanting++
		}
		if !p.choked {
			d.Open++
			if len(p.want) > 0 {
				d.Busy++
			}
			if p.served == 0 || h.now-p.up.at > rechokeEvery {
				d.Idle++
			}
		}
	}
	h.slots = h.uplink.Report(h.now, d)
	return d.Open
}

// ruling is whether a peer is to be uploaded to.
type ruling struct {
	peer  *Peer
	serve bool
}

// deal deals out the slots. up is how many bytes a second are uploaded now.
func (h *choker) deal(up float64) (all []ruling) {
	h.next = h.now + rechokeEvery
	h.round++
	h.ask(up)
	order := h.order[:0]
	for _, p := range h.peers {
		if h.eager(p) {
			order = append(order, p)
		} else if !p.choked {
			all = append(all, ruling{p, false})
		}
	}
	h.order = order
	if h.missing > 0 {
		slices.SortStableFunc(order, h.byGiving)
	} else {
		slices.SortStableFunc(order, h.byTurn)
	}
	h.spread(order)
	lucky := h.lucky(order)
	slots := h.slots
	if lucky != nil {
		slots--
		all = append(all, ruling{lucky, true})
	}
	for _, p := range order {
		if p == lucky {
			continue
		}
		all = append(all, ruling{p, slots > 0})
		slots--
	}
	return all
}

// byGiving puts those first that give us most; those that keep what we asked
// for to themselves come last.
func (h *choker) byGiving(a, b *Peer) int {
	if x, y := a.snubbed(h.now), b.snubbed(h.now); x != y {
		if x {
			return 1
		}
		return -1
	}
	return cmp.Or(
		cmp.Compare(b.longDown.get(h.now, longTerm), a.longDown.get(h.now, longTerm)),
		cmp.Compare(b.up.get(h.now, longTerm), a.up.get(h.now, longTerm)))
}

// byTurn puts those first whose turn is not over, the fastest of them first,
// then those that waited longest.
func (h *choker) byTurn(a, b *Peer) int {
	x, y := h.inTurn(a), h.inTurn(b)
	switch {
	case x && y:
		return cmp.Compare(b.up.get(h.now, longTerm), a.up.get(h.now, longTerm))
	case x:
		return -1
	case y:
		return 1
	}
	return cmp.Compare(a.unchoked, b.unchoked)
}

func (h *choker) inTurn(p *Peer) bool {
	return !p.choked && (p.served < turnBytes || h.now-p.unchoked < turn)
}

// spread moves the second and further peers of one line behind the first of
// all others, the third behind the second, and so on. Slots that the line has in
// other swarms of the node count.
func (h *choker) spread(order []*Peer) {
	clear(h.seen)
	for _, p := range order {
		n := network(p.Addr.Addr())
		if _, counted := h.seen[n]; !counted {
			h.seen[n] = h.uplink.Elsewhere(n)
		}
		p.nth = h.seen[n]
		h.seen[n]++
	}
	slices.SortStableFunc(order, func(a, b *Peer) int { return cmp.Compare(a.nth, b.nth) })
}

// lucky is who gets the random slot: for some rounds the same.
func (h *choker) lucky(order []*Peer) *Peer {
	if len(order) <= h.slots || h.slots == 0 {
		return nil // all get one, or nobody
	}
	if h.slots == 1 && h.round%luckyRounds != 0 {
		return nil // the only slot is earned, most of the time
	}
	i := slices.IndexFunc(order, func(p *Peer) bool { return p.optimistic })
	if i >= 0 && h.round%luckyRounds != 0 {
		return order[i]
	}
	if i >= 0 {
		order[i].optimistic = false
	}
	// Among those that would get nothing; who never had anything has three
	// chances.
	rest := order[h.slots-1:]
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
	pick := h.rand.IntN(total)
	for _, p := range rest {
		if pick -= chances(p); pick < 0 {
			p.optimistic = true
			return p
		}
	}
	return nil
}

// free tells whether a slot is left.
func (h *choker) free(up float64) bool { return h.ask(up) < h.slots }

// longest is who waits longest for a slot; nil if nobody does.
func (h *choker) longest() *Peer {
	var next *Peer
	for _, p := range h.peers {
		if p.choked && h.eager(p) && (next == nil || p.unchoked < next.unchoked) {
			next = p
		}
	}
	return next
}
