package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// herald tells peers which pieces have come here: at once those that wait for one,
// the others with the next thing that they are sent, or several at a time. A Have that
// leaves alone costs a packet, and another that acknowledges it; with forty peers on
// lines of 0.3 Mbit/s these took half of the uplink. A peer that has got the piece
// elsewhere by then need not be told.
type herald struct {
	*clock
	*content
	*roster
	*sender
}

// hearing is what one peer is still to be told.
type hearing struct {
	news    []int32
	newsDue time.Duration // when it is told, if nothing is sent to it before
}

const (
	// newsTime is for who waits for a slot, or for what it has asked for. Who is not
	// interested may be by the new piece, and then ask for a slot.
	newsTime = 5 * time.Second
	mostNews = 64
)

// came takes that piece i is here.
func (h *herald) came(i int) {
	for _, p := range h.peers {
		if p.Web || p.has(i) {
			continue
		}
		wait := newsTime
		if h.complete || len(p.news) >= mostNews || !p.interested || !p.choked && len(p.want) == 0 {
			wait = 0
		}
		if due := h.now + wait; len(p.news) == 0 || due < p.newsDue {
			p.newsDue = due
		}
		p.news = append(p.news, int32(i))
		if p.newsDue <= h.now {
			h.tell(p)
		}
	}
}

// lost takes that piece i is here no more.
func (h *herald) lost(p *Peer, i int) {
	p.news = slices.DeleteFunc(p.news, func(n int32) bool { return int(n) == i })
}

// tellAll tells those whose time has come.
func (h *herald) tellAll() {
	for _, p := range h.peers {
		if len(p.news) > 0 && p.newsDue <= h.now {
			h.tell(p)
		}
	}
}

// tell tells p what there is to tell.
func (h *herald) tell(p *Peer) {
	for _, i := range p.news {
		if !p.has(int(i)) {
			h.send(p, wire.Message{Type: wire.Have, Index: uint32(i)})
		}
	}
	p.news = p.news[:0]
}
