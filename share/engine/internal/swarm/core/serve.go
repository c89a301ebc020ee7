package core

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// grants is how many pieces a peer may have while it is choked.
const grants = 4

// suggestions is how many a peer has at a time.
const suggestions = 4

// grant tells p of the pieces that it gets while it is choked (BEP 6): the same
// for all addresses of a line, so that new connections bring nothing new.
func (c *Core) grant(p *Peer) {
	if !p.Fast || c.layout.Pieces <= 4*grants || c.alone() || c.have.count(c.layout.Pieces) == 0 {
		return
	}
	h := fnv.New64a()
	line := network(p.Addr.Addr()).Addr().As16()
	_, _ = h.Write(line[:])
	_, _ = h.Write(c.cfg.Seed[:])
	r := rand.New(rand.NewPCG(h.Sum64(), binary.BigEndian.Uint64(line[:])))
	p.granted = newBits(c.layout.Pieces)
	for range grants {
		i := r.IntN(c.layout.Pieces)
		if c.have.has(i) && !p.granted.has(i) {
			p.granted.set(i)
			c.send(p, wire.Message{Type: wire.AllowedFast, Index: uint32(i)})
		}
	}
}

// requested takes a request of p.
func (c *Core) requested(p *Peer, s span) {
	if !c.have.has(int(s.piece)) || p.choked && !p.granted.has(int(s.piece)) || len(p.want) >= ReqQ {
		c.refuse(p, s)
		return
	}
	if int32(s.piece) != p.asks {
		p.asks = int32(s.piece)
		c.begins(p, p.asks)
	}
	p.want = append(p.want, s)
	c.rouse(p)
}

// refuse rejects a request, if p knows rejects.
func (c *Core) refuse(p *Peer, s span) {
	if p.Fast {
		c.send(p, wire.Message{Type: wire.Reject, Index: s.piece, Begin: s.begin, Length: s.length})
	}
}

// cancelled takes that p does not want a block any more.
func (c *Core) cancelled(p *Peer, s span) {
	if i := slices.Index(p.want, s); i >= 0 {
		p.want = slices.Delete(p.want, i, i+1)
		c.refuse(p, s)
	}
}

// choke stops serving p.
func (c *Core) choke(p *Peer) {
	if p.choked {
		return
	}
	p.choked, p.optimistic = true, false
	c.unsuggest(p)
	c.send(p, wire.Message{Type: wire.Choke})
	kept := p.want[:0]
	for _, s := range p.want {
		if p.granted.has(int(s.piece)) {
			kept = append(kept, s)
		} else {
			c.refuse(p, s)
		}
	}
	p.want = kept
}

// unchoke begins to serve p.
func (c *Core) unchoke(p *Peer) {
	if !p.choked {
		return
	}
	p.choked = false
	p.unchoked, p.served = c.now, 0
	for range suggestions {
		c.suggest(p)
	}
	c.send(p, wire.Message{Type: wire.Unchoke})
}
