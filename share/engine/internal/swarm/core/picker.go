package core

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// picker knows which pieces and blocks are still to be asked for.
type picker struct {
	fresh [levels]order // pieces that are wanted and not begun, by priority
	avail []uint16      // how many peers have each piece, seeds left out
	begun map[int]*begun
	order []*begun // those of begun, oldest first
	free  int      // blocks of wanted pieces in begun that nobody is asked for
	// Memory of loops, kept from one to the next.
	loop     []*Peer
	again    []*Peer // those to fill when the current call ends
	held     []*begun
	finished bool
}

// begun is a piece of which something was asked.
type begun struct {
	piece  int
	blocks []block
	free   int // blocks that nobody is asked for
	absent int // blocks that have not come
	unsafe int // blocks that are not written
	// owner has the piece to itself, since it is fast or because the piece was
	// wrong once; solo says that it is the latter, and nobody helps.
	owner *Peer
	solo  bool
	moved time.Duration // solo: when a block came, or the owner was chosen
	// checking says that the piece waits for its verdict.
	checking bool
	hint     int // no block before it is free
}

// state of a block.
type state uint8

const (
	free state = iota
	asked
	came
	written
)

type block struct {
	state state
	by    [2]*Peer // who is asked
	from  *Peer    // who sent it
}

func (p *picker) init(pieces int, r *rand.Rand) {
	for level := range p.fresh {
		p.fresh[level].init(pieces, r)
	}
	p.avail = make([]uint16, pieces)
	p.begun = make(map[int]*begun)
}

// list puts piece i among those to begin.
func (c *Core) list(i int) {
	if level := c.wanted[i]; level != Unwanted && !c.have.has(i) && c.begun[i] == nil {
		c.fresh[level].add(int32(i), int(c.avail[i]))
		for _, p := range c.peers {
			if p.has(i) {
				p.fresh++
			}
		}
	}
}

// unlist takes piece i, of that priority, off that list.
func (c *Core) unlist(i int, level uint8) {
	if level == Unwanted || !c.fresh[level].holds(int32(i)) {
		return
	}
	c.fresh[level].remove(int32(i))
	for _, p := range c.peers {
		if p.has(i) {
			p.fresh--
		}
	}
}

// listed tells whether piece i is among those to begin.
func (c *Core) listed(i int) bool {
	level := c.wanted[i]
	return level != Unwanted && c.fresh[level].holds(int32(i))
}

// spread counts one peer more or less that has piece i.
func (c *Core) spread(i, n int) {
	c.avail[i] = uint16(max(0, int(c.avail[i])+n))
	if level := c.wanted[i]; level != Unwanted && c.fresh[level].holds(int32(i)) {
		c.fresh[level].move(int32(i), int(c.avail[i]))
	}
}

// open begins piece i.
func (c *Core) open(i int) *begun {
	c.unlist(i, c.wanted[i])
	n := c.layout.Blocks(i)
	b := &begun{piece: i, blocks: make([]block, n), free: n, absent: n, unsafe: n}
	c.begun[i] = b
	c.order = append(c.order, b)
	c.free += n
	return b
}

// shut forgets that piece i was begun.
func (c *Core) shut(b *begun) {
	if c.wanted[b.piece] != Unwanted {
		c.free -= b.free
	}
	delete(c.begun, b.piece)
	c.order = slices.DeleteFunc(c.order, func(x *begun) bool { return x == b })
}

// release takes what is asked of a piece that is not wanted any more back.
func (c *Core) release(b *begun) {
	c.free -= b.free
	for n := range b.blocks {
		c.retract(b, n, nil)
	}
	if b.absent == len(b.blocks) {
		delete(c.begun, b.piece)
		c.order = slices.DeleteFunc(c.order, func(x *begun) bool { return x == b })
	}
}

// liberate makes block n free again.
func (c *Core) liberate(b *begun, n int) {
	b.blocks[n] = block{}
	b.free++
	b.hint = min(b.hint, n)
	if c.wanted[b.piece] != Unwanted {
		c.free++
	}
}

// occupy has p asked for block n.
func (c *Core) occupy(b *begun, n int, p *Peer) {
	k := &b.blocks[n]
	if k.state == free {
		b.free--
		if c.wanted[b.piece] != Unwanted {
			c.free--
		}
		k.state = asked
	}
	if k.by[0] == nil {
		k.by[0] = p
	} else {
		k.by[1] = p
	}
}

// next is a block of b that p may be asked for now; -1 for none.
func (c *Core) next(b *begun, p *Peer) int {
	if b.free == 0 {
		return -1
	}
	for n := b.hint; n < len(b.blocks); n++ {
		if b.blocks[n].state != free {
			if n == b.hint {
				b.hint++
			}
			continue
		}
		if !p.avoids(c.now, b.piece, n) {
			return n
		}
	}
	return -1
}

// may tells whether p may be asked for blocks of piece i at all now.
func (p *Peer) may(i int) bool {
	return p.has(i) && (!p.chokesUs || p.allowed.has(i))
}

// ownTime is how fast a peer must be to have pieces to itself: one takes it no
// longer.
const ownTime = 8 * time.Second

// fast tells whether p is to fetch piece i alone. A suspect always does: so a
// bad piece convicts it.
func (c *Core) fast(p *Peer, i int) bool {
	return p.suspect || !p.unreliable() && p.down.get(c.now, shortTerm)*ownTime.Seconds() >= float64(c.layout.Len(i))
}

// pick chooses a block for p: of the piece that is its own, of another that is
// begun, of the rarest that is not, and last of one that another has to itself.
func (c *Core) pick(p *Peer) (*begun, int) {
	if b := p.own; b != nil {
		if c.begun[b.piece] == b && b.owner == p && c.wanted[b.piece] != Unwanted && p.may(b.piece) {
			if n := c.next(b, p); n >= 0 {
				return b, n
			}
		} else {
			p.own = nil
		}
	}
	if len(p.suggests) > 0 && !p.suspect {
		if b := c.followSuggestion(p); b != nil {
			return b, c.next(b, p)
		}
	}
	helped := c.held[:0]
	if c.free > 0 {
		for _, b := range c.order {
			if b.free == 0 || !p.may(b.piece) || c.wanted[b.piece] == Unwanted || b.solo && b.owner != p {
				continue
			}
			if b.owner == p {
				if n := c.next(b, p); n >= 0 {
					p.own = b
					return b, n
				}
				continue
			}
			if b.owner != nil || p.suspect && b.absent < len(b.blocks) {
				if !p.suspect {
					helped = append(helped, b)
				}
				continue
			}
			if n := c.next(b, p); n >= 0 {
				return b, n
			}
		}
	}
	c.held = helped
	if i := c.rarest(p); i >= 0 {
		b := c.open(i)
		if c.fast(p, i) {
			b.owner, p.own = p, b
		}
		if n := c.next(b, p); n >= 0 {
			return b, n
		}
	}
	for _, b := range helped {
		if n := c.next(b, p); n >= 0 {
			return b, n
		}
	}
	return nil, -1
}

// rarest is the piece to begin with p: the most wanted and the rarest that p
// has; -1 for none.
func (c *Core) rarest(p *Peer) int {
	if p.fresh == 0 {
		return -1
	}
	for level := High; level > Unwanted; level-- {
		o := &c.fresh[level]
		if c.cfg.Sequential {
			if len(o.list) == 0 {
				continue
			}
			for i := range o.pos {
				if o.pos[i] >= 0 && p.may(i) && !c.poison.distrusts(i, p) {
					return i
				}
			}
			continue
		}
		for _, i := range o.list {
			if p.may(int(i)) && !c.poison.distrusts(int(i), p) {
				return int(i)
			}
		}
	}
	return -1
}

// endgame tells whether every block that is wanted was asked of somebody, or is
// for one peer alone.
func (c *Core) endgame() bool {
	if c.free > 0 {
		for _, b := range c.order {
			if b.free > 0 && !b.solo && c.wanted[b.piece] != Unwanted {
				return false
			}
		}
	}
	for level := Low; level <= High; level++ {
		if len(c.fresh[level].list) > 0 {
			return false
		}
	}
	return true
}

// key names a block among all.
type key struct {
	piece int32
	block int32
}

func (k key) span(l *wire.Layout) (begin, length uint32) {
	return uint32(k.block) * wire.BlockSize, uint32(l.BlockLen(int(k.piece), int(k.block)))
}
