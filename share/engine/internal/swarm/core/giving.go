package core

import "github.com/shoalnet/shoal/share/engine/internal/swarm/wire"

// giving is which pieces one peer was sent, as far as that can be known in little memory.
type giving struct {
	all  bits             // pieces of which every block was sent
	some map[int32][]byte // the blocks of other pieces, a bit each
	told bool             // that it has all
}

// mostGiven bounds the pieces of one peer that were sent in part. A piece that is
// forgotten then does not count as sent.
const mostGiven = 256

// gave notes that a block is sent to p.
func (u *uploads) gave(p *Peer, s span) {
	g, i := &p.given, int(s.piece)
	length := u.layout.Len(i)
	block := int(s.begin) / wire.BlockSize
	if g.all.has(i) || int(s.begin)%wire.BlockSize != 0 || int(s.length) != min(wire.BlockSize, length-int(s.begin)) {
		return
	}
	n := (length + wire.BlockSize - 1) / wire.BlockSize
	sent := bits(g.some[int32(i)])
	if sent == nil {
		for old := range g.some {
			if len(g.some) < mostGiven {
				break
			}
			delete(g.some, old)
		}
		if g.some == nil {
			g.all, g.some = newBits(u.layout.Pieces), make(map[int32][]byte)
		}
		sent = newBits(n)
		g.some[int32(i)] = sent
	}
	sent.set(block)
	if sent.count(n) == n {
		delete(g.some, int32(i))
		g.all.set(i)
	}
}
