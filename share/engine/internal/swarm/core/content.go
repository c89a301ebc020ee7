package core

import (
	"math/rand/v2"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// content is how the content is cut into pieces, which of them are here and how
// much the others are wanted.
type content struct {
	layout   wire.Layout
	have     bits
	missing  int // pieces that are wanted and not here
	complete bool
	wanted   []uint8 // priority of each piece; 0 for not wanted
	finished bool    // it was told that nothing is missing
	blind    bits    // pieces that cannot be checked yet; nil if all can
}

// learn takes the layout, the pieces that are here, and how much each is wanted.
func (c *content) learn(l wire.Layout, have []byte, priority uint8) {
	c.layout = l
	c.have = newBits(l.Pieces)
	if wire.CheckBits(have, l.Pieces) == nil {
		copy(c.have, have)
	}
	c.wanted = make([]uint8, l.Pieces)
	for i := range c.wanted {
		c.wanted[i] = priority
		if c.wants(i) {
			c.missing++
		}
	}
	c.complete = c.count() == l.Pieces
}

// count is how many pieces are here.
func (c *content) count() int { return c.have.count(c.layout.Pieces) }

// wants tells whether piece i is wanted and not here.
func (c *content) wants(i int) bool { return c.wanted[i] != Unwanted && !c.have.has(i) }

// fetchable tells whether piece i is wanted, not here, and can be checked.
func (c *content) fetchable(i int) bool { return c.wants(i) && !c.blind.has(i) }

// gain takes that piece i is here.
func (c *content) gain(i int) {
	if c.wants(i) {
		c.missing--
	}
	c.have.set(i)
	c.complete = c.count() == c.layout.Pieces
}

// lose takes that piece i, which was here, is not.
func (c *content) lose(i int) {
	c.have.clear(i)
	c.complete = false
	if c.wanted[i] != Unwanted {
		c.missing++
		c.finished = false
	}
}

// value sets how much piece i is wanted. It returns by how much the number of
// missing pieces changes.
func (c *content) value(i int, priority uint8) (more int) {
	old := c.wanted[i]
	c.wanted[i] = priority
	switch {
	case c.have.has(i):
	case old == Unwanted && priority != Unwanted:
		more = 1
	case old != Unwanted && priority == Unwanted:
		more = -1
	}
	c.missing += more
	return more
}

// settle reports once that everything wanted is here.
func (c *content) settle() bool {
	if c.missing > 0 || !c.layout.Known() {
		c.finished = false
		return false
	}
	news := !c.finished
	c.finished = true
	return news
}

// peerComplete tells whether a peer has all pieces.
func (c *content) peerComplete(p *Peer) bool {
	return p.seed || c.layout.Known() && p.count == c.layout.Pieces
}

// absent are the pieces that can be fetched, in random order.
func (c *content) absent(r *rand.Rand) []int32 {
	var all []int32
	for _, i := range r.Perm(c.layout.Pieces) {
		if c.fetchable(i) {
			all = append(all, int32(i))
		}
	}
	return all
}
