package core

import (
	"cmp"
	"slices"
	"time"
)

// Reader says which bytes somebody reads and by when. Offsets count pieces of
// the full length: byte n is in piece n / PieceLength.
type Reader struct {
	From, To int64
	By       time.Duration // when the first byte is due
	Rate     float64       // bytes a second that are due after it; 0 for as soon as can be
}

// readers knows which pieces are due, the soonest first.
type readers struct {
	all     []Reader
	urgent  []due
	waiting bool // a piece is due soon and not here
}

type due struct {
	piece int
	by    time.Duration
}

// How far ahead readers are served before all else.
const (
	mostUrgent = 64               // pieces of one reader
	aheadTime  = 20 * time.Second // of what is due
	soon       = 2 * time.Second  // due within this: a reader waits
)

// SetReaders sets all that is being read. What was asked for that is due later
// is taken back where it would come first.
func (c *Core) SetReaders(now time.Duration, all []Reader) {
	c.enter(now)
	c.readers.all = slices.Clone(all)
	c.readers.update(c)
	c.rush()
	for _, p := range c.peers {
		c.fill(p)
	}
	c.refilled()
}

// ReaderWaits tells whether somebody reads here what is due soon and not here.
// The caller then has the other swarms of the node yield.
func (c *Core) ReaderWaits() bool { return c.readers.waiting }

// SetYield tells whether a reader of another swarm of this node waits. Until it
// does not any more nothing is asked for here but what a reader needs, and what
// was asked for is taken back: the line is the reader's.
func (c *Core) SetYield(now time.Duration, yield bool) {
	c.enter(now)
	if c.yield == yield {
		return
	}
	c.yield = yield
	for _, p := range c.peers {
		if yield && !p.gone {
			c.takeBack(p, 1<<61)
		}
		c.fill(p)
	}
	c.refilled()
}

// update makes the list of what is due.
func (r *readers) update(c *Core) {
	r.urgent = r.urgent[:0]
	r.waiting = false
	if !c.layout.Known() {
		return
	}
	size := int64(c.layout.PieceLength)
	for _, x := range r.all {
		first, last := max(0, x.From/size), min(int64(c.layout.Pieces), (x.To+size-1)/size)
		for i, n := first, 0; i < last && n < mostUrgent; i++ {
			by := x.By
			if x.Rate > 0 && i > first {
				by += time.Duration(float64(i*size-x.From) / x.Rate * float64(time.Second))
				if by > c.now+aheadTime && n > 1 {
					break
				}
			}
			if c.wants(int(i)) {
				r.urgent = append(r.urgent, due{int(i), by})
				n++
			}
		}
	}
	slices.SortFunc(r.urgent, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.piece, b.piece))
	})
	r.urgent = slices.CompactFunc(r.urgent, func(a, b due) bool { return a.piece == b.piece })
	r.waiting = len(r.urgent) > 0 && r.urgent[0].by <= c.now+soon
}

// came takes that a block of b is here.
func (r *readers) came(c *Core, b *begun) {
	if r.waiting && b.absent == 0 && r.urgent[0].piece == b.piece {
		// The next piece may be less urgent.
		r.waiting = len(r.urgent) > 1 && r.urgent[1].by <= c.now+soon
	}
}

// rush sees to it that what a waiting reader needs comes first: it takes back
// what was asked of the same peers and is due later or never.
func (c *Core) rush() {
	if len(c.readers.all) > 0 {
		c.readers.update(c)
	}
	if !c.readers.waiting {
		return
	}
	for _, u := range c.readers.urgent {
		if u.by > c.now+soon {
			break
		}
		if b := c.begun[u.piece]; b != nil && b.free == 0 {
			continue // all asked for
		}
		for _, p := range c.peers {
			if p.may(u.piece) && !p.chokesUs {
				c.takeBack(p, u.by)
			}
		}
		break
	}
}

// takeBack cancels what p was asked for that is due later than by.
func (c *Core) takeBack(p *Peer, by time.Duration) {
	for i := len(p.asked) - 1; i >= 0; i-- {
		k := p.asked[i].key
		if c.readers.dueAt(int(k.piece)) <= by {
			continue
		}
		c.unask(p, k)
		c.cancel(p, k)
		c.vacate(p, k)
	}
	p.own = nil
}

// dueAt is when a piece is due; a far time for those that are not read.
func (r *readers) dueAt(piece int) time.Duration {
	for _, u := range r.urgent {
		if u.piece == piece {
			return u.by
		}
	}
	return 1 << 62
}

// pickUrgent chooses for p a block that a reader needs: one that nobody is
// asked for, or one that another will be too late with.
func (c *Core) pickUrgent(p *Peer) (*begun, int) {
	for _, u := range c.readers.urgent {
		if !p.may(u.piece) || !c.wants(u.piece) {
			continue
		}
		b := c.begun[u.piece]
		if b != nil && (b.checking || b.absent == 0 || b.solo && b.owner != p) {
			continue
		}
		if b == nil || b.free > 0 {
			if c.tooSlow(p, u) {
				continue
			}
			if b == nil {
				b = c.open(u.piece)
			}
			if n := c.next(b, p); n >= 0 {
				return b, n
			}
		}
		if n := c.lateWith(b, p, u); n >= 0 {
			c.stats.Repeated++
			return b, n
		}
	}
	return nil, -1
}

// tooSlow tells whether p would miss the time while another would not, or
// would be much earlier.
func (c *Core) tooSlow(p *Peer, u due) bool {
	mine := c.drain(p, 1)
	if c.now+mine <= u.by {
		return false
	}
	for _, q := range c.peers {
		if q != p && q.may(u.piece) && !q.chokesUs && !q.snubbed(c.now) && q.window.age > 0 && 3*c.drain(q, 1) < mine {
			return true
		}
	}
	return false
}

// lateWith is a block of b that another peer was asked for, will be too late
// with, and p will not; -1 for none.
func (c *Core) lateWith(b *begun, p *Peer, u due) int {
	if u.by > c.now+soon || b.solo || p.suspect {
		return -1
	}
	mine := 2*c.drain(p, 1) + 50*time.Millisecond
	for n := range b.blocks {
		x := &b.blocks[n]
		if x.state != asked || x.by[1] != nil || x.by[0] == p || p.avoids(c.now, b.piece, n) {
			continue
		}
		q := x.by[0]
		k := key{int32(b.piece), int32(n)}
		i := slices.IndexFunc(q.asked, func(a ask) bool { return a.key == k })
		if i < 0 {
			continue
		}
		wait := c.drain(q, i+1-len(q.asked))
		if since := c.now - q.asked[i].at; since > wait {
			wait = since
		}
		if wait > mine && c.now+wait > u.by {
			return n
		}
	}
	return -1
}
