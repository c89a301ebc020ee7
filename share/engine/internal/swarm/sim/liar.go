package sim

import (
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Lie is what a host does wrong.
type Lie int

// The kinds of lies.
const (
	Honest       Lie = iota
	Always           // all blocks are wrong
	Sometimes        // one in eight is
	Late             // all are, after 64 right ones
	WrongOffset      // blocks come under other offsets
	Short            // blocks are cut
	Stall            // no block comes
	Slow             // a block each five seconds
	RejectAll        // requests are rejected
	ChokeLoop        // it unchokes and chokes, and sends nothing
	WithholdLast     // of each piece the last block does not come
	Duplicates       // each block comes three times
	Oversize         // blocks are longer than any may be
)

// Lies are all kinds.
var Lies = []Lie{Always, Sometimes, Late, WrongOffset, Short, Stall, Slow, RejectAll, ChokeLoop, WithholdLast, Duplicates, Oversize}

func (l Lie) String() string {
	return [...]string{
		"honest", "always", "sometimes", "late", "wrong offset", "short", "stall", "slow", "reject", "choke loop",
		"last block withheld", "duplicates", "oversize",
	}[l]
}

// liar changes what a host sends.
type liar struct {
	kind Lie
	sent int
	slow time.Duration
}

// start begins what the liar does by itself.
func (l *liar) start(h *Host) {
	if l.kind != ChokeLoop {
		return
	}
	var flip func(unchoke bool)
	flip = func(unchoke bool) {
		if h.gone {
			return
		}
		t := wire.Choke
		if unchoke {
			t = wire.Unchoke
		}
		for _, c := range h.conns {
			c.parcel = append(c.parcel, unit{messages: []wire.Message{{Type: t}}, size: 60})
		}
		h.transmit()
		h.Net.At(h.Net.now+time.Second, func() { flip(!unchoke) })
	}
	h.Net.At(h.Net.now+time.Second, func() { flip(true) })
}

// change makes of what an honest host would send what this one does.
func (l *liar) change(c *conn, u unit) unit {
	if l.kind == Honest || u.block.Length == 0 {
		return u
	}
	n := c.host.Net
	l.sent++
	wrong := 1 + n.rand.Uint32N(1<<30)
	none := func() { u.block = core.Span{} }
	switch l.kind {
	case Always:
		u.variant = wrong
	case Sometimes:
		if n.rand.IntN(8) == 0 {
			u.variant = wrong
		}
	case Late:
		if l.sent > 64 {
			u.variant = wrong
		}
	case WrongOffset:
		u.block.Begin = (u.block.Begin + wire.BlockSize/2) % (n.cfg.Layout.PieceLength - wire.BlockSize)
	case Short:
		u.block.Length /= 2
	case Stall, ChokeLoop:
		none()
	case Slow:
		late := u
		late.messages = nil
		none()
		l.slow = max(l.slow, n.now) + 5*time.Second
		n.At(l.slow, func() {
			if !c.closed {
				late.size = late.block.Length
				c.parcel = append(c.parcel, late)
				c.host.transmit()
			}
		})
	case RejectAll:
		u.messages = append(u.messages, wire.Message{
			Type: wire.Reject, Index: uint32(u.block.Piece), Begin: uint32(u.block.Begin), Length: uint32(u.block.Length),
		})
		none()
	case WithholdLast:
		if u.block.Begin+u.block.Length == n.cfg.Layout.Len(u.block.Piece) {
			none()
		}
	case Duplicates:
		again := u
		again.messages = nil
		again.size = again.block.Length
		c.parcel = append(c.parcel, again, again)
	case Oversize:
		u.breach = true
	}
	return u
}
