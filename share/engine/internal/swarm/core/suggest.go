package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// suggester sees to it that the only seed sends each piece once before it sends
// any twice. That is the idea of BEP 16, but nothing is hidden: each peer that
// we upload to is told, by Suggest of BEP 6, of a piece that nobody was told of
// before, and those who begin with the rarest begin with that one.
type suggester struct {
	on   bool
	sent order // pieces by how often we suggested or sent them
}

// maxSuggested is how many suggestions of a peer are kept.
const maxSuggested = 8

// alone tells whether we are the only seed that we know.
func (c *Core) alone() bool {
	return c.complete && !slices.ContainsFunc(c.peers, c.peerComplete)
}

// suggest tells p of a piece that went out least.
func (c *Core) suggest(p *Peer) {
	if !p.Fast || p.choked || c.peerComplete(p) || !c.alone() {
		return
	}
	s := &c.suggester
	if !s.on {
		s.on = true
		s.sent.init(c.layout.Pieces, c.rand)
		for i := range c.layout.Pieces {
			s.sent.add(int32(i), int(c.avail[i]))
		}
	}
	for _, i := range s.sent.list {
		if !p.has(int(i)) {
			s.sent.move(i, int(s.sent.rank[i])+1)
			p.suggested = append(p.suggested, i)
			c.send(p, wire.Message{Type: wire.Suggest, Index: uint32(i)})
			return
		}
	}
}

// unsuggest takes back what p did not ask for: it is for others.
func (c *Core) unsuggest(p *Peer) {
	for _, i := range p.suggested {
		if rank := int(c.suggester.sent.rank[i]); rank > 0 {
			c.suggester.sent.move(i, rank-1)
		}
	}
	p.suggested = p.suggested[:0]
}

// begins takes that p asks for a piece that it did not ask for just before.
func (c *Core) begins(p *Peer, piece int32) {
	if i := slices.Index(p.suggested, piece); i >= 0 {
		p.suggested = slices.Delete(p.suggested, i, i+1)
		c.suggest(p)
	} else if c.suggester.on {
		c.suggester.sent.move(piece, int(c.suggester.sent.rank[piece])+1)
	}
}

// suggestedBy takes a suggestion of p.
func (c *Core) suggestedBy(p *Peer, piece int) {
	if c.wants(piece) && len(p.suggests) < maxSuggested && !slices.Contains(p.suggests, int32(piece)) {
		p.suggests = append(p.suggests, int32(piece))
	}
}

// followSuggestion begins a piece that p suggested, if none is rarer. It comes
// before pieces that are begun: others can give these.
func (c *Core) followSuggestion(p *Peer) *begun {
	for len(p.suggests) > 0 {
		i := int(p.suggests[0])
		if !c.listed(i) {
			p.suggests = p.suggests[1:]
			continue
		}
		o := &c.fresh[c.wanted[i]]
		if !p.may(i) || o.rank[i] > o.rank[o.list[0]] {
			return nil
		}
		p.suggests = p.suggests[1:]
		b := c.open(i)
		b.owner, p.own = p, b
		if c.next(b, p) < 0 {
			return nil
		}
		return b
	}
	return nil
}
