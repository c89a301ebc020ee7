package core

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// grants is how many pieces a peer may have while it is choked.
const grants = 4

// uploads serves peers: what they ask for waits here until their connection has
// room.
type uploads struct {
	*clock
	*content
	*sender
	suggester   *suggester
	layersFirst *layersFirst
	uplink      *uplink.Place
	seed        [32]byte
	line        meter // what is uploaded to all
}

// asking is what one peer asks, and gets.
type asking struct {
	interested bool
	choked     bool // by us
	granted    bits // pieces that it gets while choked
	want       []span
	up         meter
	piece      int32         // that it asked for last
	unchoked   time.Duration // when we last unchoked it
	served     int64         // bytes since then
	optimistic bool
	nth        int // of its line, in the order of merit
}

// span is a part of a piece that a peer asked for.
type span struct{ piece, begin, length uint32 }

// grant tells p of the pieces that it gets while it is choked (BEP 6): the same
// for all addresses of a line, so that new connections bring nothing new.
func (u *uploads) grant(p *Peer) {
	if !p.Fast || u.layout.Pieces <= 4*grants || u.suggester.alone() || u.count() == 0 {
		return
	}
	h := fnv.New64a()
	line := network(p.Addr.Addr()).Addr().As16()
	_, _ = h.Write(line[:])
	_, _ = h.Write(u.seed[:])
	r := rand.New(rand.NewPCG(h.Sum64(), binary.BigEndian.Uint64(line[:])))
	p.granted = newBits(u.layout.Pieces)
	for range grants {
		i := r.IntN(u.layout.Pieces)
		if u.have.has(i) && !p.granted.has(i) {
			p.granted.set(i)
			u.send(p, wire.Message{Type: wire.AllowedFast, Index: uint32(i)})
		}
	}
}

// requested takes a request of p.
func (u *uploads) requested(p *Peer, s span) {
	if !u.have.has(int(s.piece)) || p.choked && !p.granted.has(int(s.piece)) || len(p.want) >= ReqQ {
		u.refuse(p, s)
		return
	}
	if int32(s.piece) != p.piece {
		p.piece = int32(s.piece)
		u.suggester.begins(p, p.piece)
	}
	p.want = append(p.want, s)
	u.rouse(p)
}

// refuse rejects a request, if p knows rejects.
func (u *uploads) refuse(p *Peer, s span) {
	if p.Fast {
		u.send(p, wire.Message{Type: wire.Reject, Index: s.piece, Begin: s.begin, Length: s.length})
	}
}

// cancelled takes that p does not want a block any more.
func (u *uploads) cancelled(p *Peer, s span) {
	if i := slices.Index(p.want, s); i >= 0 {
		p.want = slices.Delete(p.want, i, i+1)
		u.refuse(p, s)
	}
}

// choke stops serving p.
func (u *uploads) choke(p *Peer) {
	if p.choked {
		return
	}
	u.left(p)
	u.suggester.takeBack(p)
	u.send(p, wire.Message{Type: wire.Choke})
	kept := p.want[:0]
	for _, s := range p.want {
		if p.granted.has(int(s.piece)) {
			kept = append(kept, s)
		} else {
			u.refuse(p, s)
		}
	}
	p.want = kept
}

// left takes that p has no slot any more.
func (u *uploads) left(p *Peer) {
	if !p.choked {
		p.choked, p.optimistic = true, false
		u.uplink.Took(network(p.Addr.Addr()), -1)
	}
}

// rate is how many bytes a second are uploaded.
func (u *uploads) rate() float64 { return u.line.get(u.now, shortTerm) }

// unchoke begins to serve p.
func (u *uploads) unchoke(p *Peer) {
	if !p.choked {
		return
	}
	p.choked = false
	u.uplink.Took(network(p.Addr.Addr()), 1)
	p.unchoked, p.served = u.now, 0
	u.suggester.begin(p)
	u.send(p, wire.Message{Type: wire.Unchoke})
}

// take moves what p wants into blocks, at least budget bytes if there are as
// many that are not held. It returns how many there are.
func (u *uploads) take(p *Peer, budget int, blocks []Span) (_ []Span, sent int) {
	rest := p.want[:0]
	for i, w := range p.want {
		if sent >= budget {
			rest = append(rest, p.want[i:]...)
			break
		}
		if u.layersFirst.holds(p, int(w.piece)) {
			rest = append(rest, w)
			continue
		}
		blocks = append(blocks, Span{int(w.piece), int(w.begin), int(w.length)})
		n := int(w.length)
		sent += n
		u.gave(p, w)
		p.up.add(u.now, n, longTerm)
		u.line.add(u.now, n, shortTerm)
	}
	p.Uploaded += int64(sent)
	p.served += int64(sent)
	p.want = rest
	if len(rest) == 0 && cap(rest) > 256 {
		p.want = nil
	}
	return blocks, sent
}

// lost refuses what p wants of piece i, which is here no more.
func (u *uploads) lost(p *Peer, i int) {
	p.want = slices.DeleteFunc(p.want, func(s span) bool {
		if int(s.piece) == i {
			u.refuse(p, s)
		}
		return int(s.piece) == i
	})
}
