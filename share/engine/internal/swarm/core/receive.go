package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Receive takes a message of p, other than a Piece, for which there is Block. It
// keeps nothing of it. What a Reader of package wire has let through is right
// in its form; here is judged whether it makes sense.
func (c *Core) Receive(now time.Duration, p *Peer, m *wire.Message) {
	c.enter(now)
	if p.gone {
		return
	}
	defer c.refilled()
	p.heard = c.now
	if !c.layout.Known() && c.early(p, m) {
		return
	}
	switch m.Type {
	case wire.Choke:
		c.chokedUs(p)
	case wire.Unchoke:
		if p.chokesUs {
			p.chokesUs = false
			c.fill(p)
		}
	case wire.Interested:
		p.interested = true
		c.choker.interested(c, p)
	case wire.NotInterested:
		p.interested = false
		if !p.choked {
			c.choke(p)
			c.choker.vacant(c)
		}
	case wire.Have:
		c.peerHas(p, int(m.Index))
	case wire.Bitfield:
		c.peerBits(p, m.Payload)
	case wire.HaveAll:
		c.peerAll(p)
	case wire.HaveNone:
	case wire.Request:
		c.requested(p, span{m.Index, m.Begin, m.Length})
	case wire.Cancel:
		c.cancelled(p, span{m.Index, m.Begin, m.Length})
	case wire.Reject:
		c.rejected(p, m)
	case wire.AllowedFast:
		if p.allowed == nil {
			p.allowed = newBits(c.layout.Pieces)
		}
		p.allowed.set(int(m.Index))
		if p.has(int(m.Index)) {
			c.fill(p)
		}
	case wire.Suggest:
		c.suggestedBy(p, int(m.Index))
	case wire.Port:
		if m.Port != 0 && !c.cfg.Private {
			c.act(Action{Kind: DHT, Peer: p, Port: m.Port})
		}
	case wire.Extended:
		c.extended(p, m)
	}
}

// early takes messages that come before the content is known. It reports
// whether that was all.
func (c *Core) early(p *Peer, m *wire.Message) bool {
	switch m.Type {
	case wire.Have:
		if n := int(m.Index)/8 + 1; n > len(p.late.bits) {
			p.late.bits = append(p.late.bits, make([]byte, n-len(p.late.bits))...)
		}
		bits(p.late.bits).set(int(m.Index))
	case wire.Bitfield:
		said := slices.Clone(m.Payload)
		for i := range min(len(said), len(p.late.bits)) {
			said[i] |= p.late.bits[i]
		}
		p.late.bits = append(said, p.late.bits[min(len(said), len(p.late.bits)):]...)
	case wire.HaveAll:
		p.late.all = true
	case wire.Choke:
		p.chokesUs = true
	case wire.Unchoke:
		p.chokesUs = false
	case wire.Interested:
		p.interested = true
	case wire.NotInterested:
		p.interested = false
	case wire.Port, wire.Extended:
		return false
	}
	return true
}

// catchUp takes what a peer said before the content was known.
func (c *Core) catchUp(p *Peer) {
	p.have = newBits(c.layout.Pieces)
	said := p.late.bits
	p.late.bits = nil
	switch {
	case p.late.all:
		c.peerAll(p)
	case said != nil:
		// Haves alone leave it short.
		if n := len(p.have) - len(said); n > 0 {
			said = append(said, make([]byte, n)...)
		}
		if err := wire.CheckBits(said, c.layout.Pieces); err != nil {
			c.drop(p, err.Error())
			return
		}
		c.peerBits(p, said)
	}
}

func (c *Core) chokedUs(p *Peer) {
	if p.chokesUs {
		return
	}
	p.chokesUs, p.waits = true, 0
	if p.lastBlock <= p.since || len(p.asked) > 0 && p.lastBlock <= p.asked[0].at {
		p.flaps++
	}
	if p.flaps >= maxFlaps {
		c.drop(p, "it unchokes and chokes, and sends nothing")
		return
	}
	if !p.Fast {
		c.dropAsked(p, 0)
		c.settleLoss()
		return
	}
	// With the fast extension each request is still answered or rejected.
	// Pieces of its own are for others to go on with.
	p.own = nil
	for _, a := range p.asked {
		if b := c.begun[int(a.piece)]; b != nil && b.owner == p && !b.solo {
			b.owner = nil
		}
	}
}

// peerHas takes that p has piece i.
func (c *Core) peerHas(p *Peer, i int) {
	if p.has(i) {
		return
	}
	p.have.set(i)
	p.count++
	c.spread(i, 1)
	if c.wants(i) {
		p.useful++
		if c.listed(i) {
			p.fresh++
		}
		c.interest(p)
		c.fill(p)
	}
	if p.count == c.layout.Pieces {
		c.redundant(p)
	}
}

// peerLost takes that p has piece i no more (BEP 54).
func (c *Core) peerLost(p *Peer, i int) {
	if !p.has(i) {
		return
	}
	if p.seed {
		p.seed = false
		for n := range c.layout.Pieces {
			p.have.set(n)
			c.spread(n, 1)
		}
		p.count = c.layout.Pieces
	}
	p.have.clear(i)
	p.count--
	c.spread(i, -1)
	if c.wants(i) {
		p.useful--
		if c.listed(i) {
			p.fresh--
		}
		c.interest(p)
	}
}

// wants tells whether piece i is wanted and not here.
func (c *Core) wants(i int) bool { return c.wanted[i] != Unwanted && !c.have.has(i) }

func (c *Core) peerBits(p *Peer, b []byte) {
	if p.count > 0 { // said again, with more
		for i := range c.layout.Pieces {
			if bits(b).has(i) && !p.gone { // it may go once it has all
				c.peerHas(p, i)
			}
		}
		return
	}
	p.count = bits(b).count(c.layout.Pieces)
	if p.count == c.layout.Pieces {
		c.peerAll(p)
		return
	}
	copy(p.have, b)
	for i := range c.layout.Pieces {
		if p.have.has(i) {
			c.spread(i, 1)
		}
	}
	c.tally(p)
}

func (c *Core) peerAll(p *Peer) {
	if p.count > 0 {
		for i := range c.layout.Pieces {
			if !p.gone {
				c.peerHas(p, i)
			}
		}
		return
	}
	p.seed, p.count = true, c.layout.Pieces
	c.tally(p)
	c.redundant(p)
}

// tally counts what p has for us.
func (c *Core) tally(p *Peer) {
	p.useful, p.fresh = 0, 0
	if c.missing > 0 {
		for i := range c.layout.Pieces {
			if p.has(i) && c.wants(i) {
				p.useful++
				if c.listed(i) {
					p.fresh++
				}
			}
		}
	}
	c.interest(p)
	c.fill(p)
}

// interest tells p whether it has anything for us, when that changes.
func (c *Core) interest(p *Peer) {
	if want := p.useful > 0; want != p.interesting {
		p.interesting = want
		t := wire.NotInterested
		if want {
			t = wire.Interested
		}
		c.send(p, wire.Message{Type: t})
	}
}

// gained takes that a piece is here.
func (c *Core) gained(b *begun) {
	i := b.piece
	wanted := c.wants(i)
	c.shut(b)
	if wanted {
		c.worth(i, -1)
		c.missing--
	}
	c.have.set(i)
	c.complete = c.have.count(c.layout.Pieces) == c.layout.Pieces
	c.readers.update(c)
	for _, p := range c.snapshot() {
		if p.own == b {
			p.own = nil
		}
		c.interest(p)
		if !p.has(i) {
			c.send(p, wire.Message{Type: wire.Have, Index: uint32(i)})
		}
	}
	c.settle()
}

// Lost takes that a piece which was here cannot be served any more.
func (c *Core) Lost(now time.Duration, i int) {
	c.enter(now)
	if !c.have.has(i) {
		return
	}
	c.have.clear(i)
	c.complete = false
	if c.wanted[i] != Unwanted {
		c.missing++
		c.worth(i, 1)
		c.list(i)
		c.finished = false
	}
	for _, p := range c.snapshot() {
		p.want = slices.DeleteFunc(p.want, func(s span) bool {
			if int(s.piece) == i {
				c.refuse(p, s)
			}
			return int(s.piece) == i
		})
		if n := p.ext[wire.NameDontHave]; n != 0 {
			c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: wire.AppendDontHave(nil, i)})
		}
		c.interest(p)
		c.fill(p)
	}
}

func (c *Core) extended(p *Peer, m *wire.Message) {
	switch m.Ext {
	case wire.ExtHandshake:
		c.handshake(p, m.Payload)
	case wire.ExtMetadata:
		c.metadata(p, m.Payload)
	case wire.ExtPEX:
		c.heardPEX(p, m.Payload)
	case wire.ExtDontHave:
		i, err := wire.ParseDontHave(m.Payload, &c.layout)
		if err != nil {
			c.drop(p, err.Error())
		} else if c.layout.Known() {
			c.peerLost(p, i)
		}
	case wire.ExtUploadOnly:
		p.uploadOnly = len(m.Payload) == 1 && m.Payload[0] != 0
		c.redundant(p)
	default:
		for _, n := range c.cfg.Extensions {
			if n == m.Ext {
				c.act(Action{Kind: Foreign, Peer: p, Ext: n, Data: slices.Clone(m.Payload)})
			}
		}
	}
}

func (c *Core) handshake(p *Peer, b []byte) {
	h, err := wire.ParseHandshake(b)
	if err != nil {
		c.drop(p, err.Error())
		return
	}
	if p.ext == nil {
		p.ext = make(map[string]uint8)
	}
	for name, n := range h.Extensions {
		switch name {
		case wire.NameMetadata, wire.NamePEX, wire.NameDontHave, wire.NameUploadOnly:
		default:
			if _, ours := c.cfg.Extensions[name]; !ours {
				continue // of no use, and memory
			}
		}
		p.ext[name] = n
	}
	if h.Client != "" {
		p.Client = h.Client
	}
	if h.ReqQ != 0 {
		p.reqq = h.ReqQ
	}
	if h.InfoSize != 0 {
		p.infoSize = h.InfoSize
	}
	if h.Port != 0 && !p.Outgoing && !p.listen.IsValid() {
		p.listen = netip.AddrPortFrom(p.Addr.Addr(), h.Port)
		c.book.learn(c, p.listen, FromPeer)
		c.book.engaged(p.listen)
		c.pex.joined(c, p)
	}
	p.uploadOnly = h.UploadOnly
	if !c.redundant(p) {
		c.askInfo()
	}
}

// Extension is the number of one of the caller's extensions towards p; 0 if p
// does not have it.
func (p *Peer) Extension(name string) uint8 { return p.ext[name] }

// SendForeign sends a message of one of the caller's extensions.
func (c *Core) SendForeign(now time.Duration, p *Peer, name string, payload []byte) bool {
	c.enter(now)
	n := p.ext[name]
	if n == 0 || p.gone {
		return false
	}
	c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: payload})
	return true
}
