package core

import (
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// A piece counts as given when each of its blocks was sent, in any order and however often,
// and what is remembered of others is bounded.
func TestGivenPieces(t *testing.T) {
	const pieces, blocks = 2000, 4
	layout := wire.NewLayout((pieces-1)*blocks*wire.BlockSize+wire.BlockSize+100, blocks*wire.BlockSize)
	u := &uploads{content: &content{layout: layout}}
	p := &Peer{}
	block := func(piece, n int) span {
		begin := n * wire.BlockSize
		return span{uint32(piece), uint32(begin), uint32(min(wire.BlockSize, layout.Len(piece)-begin))}
	}
	for _, b := range []int{3, 0, 0, 2} {
		u.gave(p, block(7, b))
	}
	if p.given.all.has(7) {
		t.Error("a piece was given although a block of it was not sent")
	}
	u.gave(p, block(7, 1))
	u.gave(p, block(pieces-1, 1))
	u.gave(p, block(pieces-1, 0))
	if !p.given.all.has(7) || !p.given.all.has(pieces-1) || len(p.given.some) != 0 {
		t.Errorf("7: %v, last: %v, %d in part", p.given.all.has(7), p.given.all.has(pieces-1), len(p.given.some))
	}
	for i := range pieces {
		u.gave(p, block(i, 0))
	}
	if n := len(p.given.some); n > mostGiven {
		t.Errorf("%d pieces are remembered in part", n)
	}
	half := block(9, 0)
	half.length /= 2
	for range 2 * blocks {
		u.gave(p, half)
	}
	if p.given.all.has(9) {
		t.Error("a piece was given by halves of one block")
	}
}
