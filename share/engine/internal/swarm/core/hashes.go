package core

import (
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// heardHashes takes hashes, or that there are none, of a peer that may have been asked
// for them (BEP 52).
func (c *Core) heardHashes(p *Peer, m *wire.Message) {
	q, nodes, r := c.inquiries.heard(p, m.Hash, m.Type == wire.HashReject)
	switch {
	case r == stray:
		c.strike(p, "it sent hashes that nobody asked for")
	case r == lie:
		c.convict(p)
	case r != right:
	case q.draft != nil:
		if c.layers.took(q, nodes) {
			c.checkable(q.root)
		}
	case c.disputes.took(q, nodes):
		c.decide(q.dispute)
	}
	c.inquire()
}

// inquire asks for hashes that are wanted, and gives up on what nobody answers.
func (c *Core) inquire() {
	if c.trees.known() {
		c.layers.advance()
		c.inquiries.ask()
		for d := c.disputes.lost(); d != nil; d = c.disputes.lost() {
			if b := d.begun; c.picker.begun[b.piece] == b {
				c.stats.Wasted += int64(c.layout.Len(b.piece))
				c.wrongFrom(b, d.sums)
				c.requests.fillAll()
			}
		}
		if f := c.layers.compute(); f != nil {
			c.act(Action{Kind: MakeLayer, Piece: f.First})
		}
	}
}

// Computed takes that the layer that MakeLayer asked for was put in.
func (c *Core) Computed(now time.Duration) {
	c.enter(now)
	if root, news := c.layers.computed(); news {
		c.checkable(root)
	}
	c.inquire()
}

// checkable takes that a piece layer is known: pieces of the files with that root can
// be fetched.
func (c *Core) checkable(root merkle.Hash) {
	for _, n := range c.trees.files[root] {
		f := &c.trees.Files[n]
		for i := f.First; i < f.First+f.Pieces && c.blind != nil; i++ {
			c.blind.clear(i)
			c.picker.list(i)
		}
	}
	if len(c.readers.all) > 0 {
		c.readers.update()
	}
	c.requests.fillAll()
	if c.layers.lacking == 0 {
		c.act(Action{Kind: Layered})
		for _, p := range c.snapshot() {
			c.redundant(p)
		}
	}
}

// decide convicts those who sent the wrong blocks of a piece, and fetches these again.
func (c *Core) decide(d *dispute) {
	b := d.begun
	if c.picker.begun[b.piece] != b || !b.checking {
		return
	}
	var liars []*Peer
	for n := range b.blocks {
		if d.wrong(n) {
			liars = append(liars, b.blocks[n].from)
			c.stats.Wasted += int64(c.layout.BlockLen(b.piece, n))
			c.picker.refetch(b, n)
		}
	}
	if len(liars) == 0 {
		c.picker.restart(b) // what was hashed has changed since
	}
	for _, p := range liars {
		c.convict(p)
	}
	c.requests.fillAll()
}

// Hashed takes the hashes of the blocks of a piece, as HashBlocks asked for; nil if
// it could not be read.
func (c *Core) Hashed(now time.Duration, piece int, leaves []merkle.Hash) {
	c.enter(now)
	c.hashServer.hashed(piece, leaves)
}
