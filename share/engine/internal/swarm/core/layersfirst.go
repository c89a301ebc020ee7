package core

import "time"

// layersFirst holds blocks of hybrids back from peers that ask for piece layers, until
// they have been sent the layer of the file. libtorrent 2.0.8 takes a layer that
// comes while a good piece of the file waits to be written for proof that the hashes
// of BEP 3 and BEP 52 contradict each other, and gives the content up.
type layersFirst struct {
	*clock
	*trees
	until time.Duration // when something held is to be looked at again; 0 for never
}

// layering is what one peer has of the layers.
type layering struct {
	begun  time.Duration // its first request
	latest time.Duration
	behind int // layers have been asked for up to this piece, in the order of the files
}

// How long blocks are held at most: while the peer goes on to ask for layers, and in all.
const (
	layerPause = time.Second
	layersHold = 3 * time.Second
)

// sent takes that p is sent the layer up to, not including, a piece.
func (x *layersFirst) sent(p *Peer, end int) {
	e := &p.layering
	if e.behind == 0 {
		e.begun = x.now
	}
	e.latest = x.now
	e.behind = max(e.behind, end)
}

// holds tells whether blocks of a piece do not go to p yet.
func (x *layersFirst) holds(p *Peer, piece int) bool {
	e := &p.layering
	if e.behind == 0 || piece < e.behind || x.Only || x.of(piece).Pieces == 1 {
		return false
	}
	end := min(e.begun+layersHold, e.latest+layerPause)
	if x.now >= end {
		return false
	}
	x.until = x.soonest(end)
	return true
}

// soonest is when there is something to do, at the latest at the given time.
func (x *layersFirst) soonest(at time.Duration) time.Duration {
	if x.until != 0 {
		return min(x.until, at)
	}
	return at
}

// due reports whether what is held is to be looked at again, once.
func (x *layersFirst) due() bool {
	due := x.until != 0 && x.now >= x.until
	if due {
		x.until = 0
	}
	return due
}
