package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// holdings knows which peer has what, and tells peers whether they have
// anything for us.
type holdings struct {
	*content
	*roster
	*sender
	picker *picker
	// It is not known what is wanted, since the content is not or was not until
	// just now. Peers that have anything are told that we are interested: so they
	// may have unchoked us by then.
	undecided bool
}

// holding is what one peer has.
type holding struct {
	seed        bool // all, said at once; have is nil then
	have        bits
	count       int
	useful      int // pieces that it has and we want
	fresh       int // of these, those that are not begun
	interesting bool
	late        struct {
		bits []byte // what it said before the content was known
		all  bool
	}
}

// has tells whether the peer has piece i.
func (p *holding) has(i int) bool { return p.seed || p.have.has(i) }

// early takes what a peer says before the content is known.
func (h *holdings) early(p *Peer, m *wire.Message) {
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
	}
	if !p.interesting && (p.late.all || bits(p.late.bits).count(wire.MaxPieces) > 0) {
		p.interesting = true
		h.send(p, wire.Message{Type: wire.Interested})
	}
}

// said is what early took of p, now that the content is known; nil if that is
// all of it or none.
func (h *holdings) said(p *Peer) (said []byte, all bool, err error) {
	p.have = newBits(h.layout.Pieces)
	said = p.late.bits
	p.late.bits = nil
	if p.late.all || said == nil {
		return nil, p.late.all, nil
	}
	// Haves alone leave it short.
	if n := len(p.have) - len(said); n > 0 {
		said = append(said, make([]byte, n)...)
	}
	return said, false, wire.CheckBits(said, h.layout.Pieces)
}

// one takes that p has piece i, which is new. It reports whether we want it.
func (h *holdings) one(p *Peer, i int) bool {
	p.have.set(i)
	p.count++
	h.picker.spread(i, 1)
	if !h.wants(i) {
		return false
	}
	p.useful++
	if h.picker.listed(i) {
		p.fresh++
	}
	h.interest(p)
	return true
}

// some takes the pieces of p, which had none before.
func (h *holdings) some(p *Peer, b []byte) {
	p.count = bits(b).count(h.layout.Pieces)
	copy(p.have, b)
	for i := range h.layout.Pieces {
		if p.have.has(i) {
			h.picker.spread(i, 1)
		}
	}
	h.tally(p)
}

// all takes that p, which had none before, has all pieces.
func (h *holdings) all(p *Peer) {
	p.seed, p.count = true, h.layout.Pieces
	h.tally(p)
}

// lost takes that p has piece i no more (BEP 54).
func (h *holdings) lost(p *Peer, i int) {
	if !p.has(i) {
		return
	}
	if p.seed {
		p.seed = false
		for n := range h.layout.Pieces {
			p.have.set(n)
			h.picker.spread(n, 1)
		}
		p.count = h.layout.Pieces
	}
	p.have.clear(i)
	p.count--
	h.picker.spread(i, -1)
	if h.wants(i) {
		p.useful--
		if h.picker.listed(i) {
			p.fresh--
		}
		h.interest(p)
	}
}

// left forgets the pieces of a peer that is gone.
func (h *holdings) left(p *Peer) {
	if !p.seed && h.layout.Known() {
		for i := range h.layout.Pieces {
			if p.have.has(i) {
				h.picker.spread(i, -1)
			}
		}
	}
	p.have = nil
}

// tally counts what p has for us.
func (h *holdings) tally(p *Peer) {
	p.useful, p.fresh = 0, 0
	if h.missing > 0 {
		for i := range h.layout.Pieces {
			if p.has(i) && h.wants(i) {
				p.useful++
				if h.picker.listed(i) {
					p.fresh++
				}
			}
		}
	}
	h.interest(p)
}

// worth counts piece i as one more or less that those who have it can give us.
func (h *holdings) worth(i, n int) {
	for _, p := range h.peers {
		if p.has(i) {
			p.useful += n
		}
	}
}

// interest tells p whether it has anything for us, when that changes.
func (h *holdings) interest(p *Peer) {
	if want := p.useful > 0; want != p.interesting && (want || !h.undecided) {
		p.interesting = want
		t := wire.NotInterested
		if want {
			t = wire.Interested
		}
		h.send(p, wire.Message{Type: t})
	}
}
