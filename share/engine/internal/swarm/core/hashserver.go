package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// hashServer answers requests of hashes (BEP 52): those of piece layers and above at
// once, those below from pieces that the caller reads, one at a time. What a peer
// may have is limited by what it costs us.
type hashServer struct {
	*clock
	*content
	*sender
	*trees
	layersFirst *layersFirst
	waiting     []leafRequest // the first is being read for
}

// leafRequest is a request of hashes below the piece layer.
type leafRequest struct {
	peer  *Peer
	file  *File
	piece int
	wire.HashSpan
}

// inquiring is what one peer asks for.
type inquiring struct {
	hashes  allowance // nodes sent or computed
	leaves  allowance // bytes of pieces read
	waiting int       // requests
}

// allowance is how much of something a peer has used of late.
type allowance struct {
	used float64
	at   time.Duration
}

// take uses n of what is allowed, most at once and rate a second. It reports whether
// that is allowed.
func (a *allowance) take(now time.Duration, n, most, rate float64) bool {
	a.used = max(0, a.used-(now-a.at).Seconds()*rate)
	a.at = now
	if a.used+n > most {
		return false
	}
	a.used += n
	return true
}

// What a peer may have. A layer of a million pieces is within the first.
const (
	hashesAtOnce    = 1 << 22
	hashRate        = 1 << 15
	leafBytesAtOnce = 64 << 20
	leafByteRate    = 4 << 20
	maxLeafRequests = 8  // of a peer
	maxLeafWaiting  = 64 // of all
	maxHashMail     = 64 // messages that a peer has not fetched
	maxEqual        = 16 // files of one root that are looked at
)

// requested takes a request of p.
func (u *hashServer) requested(p *Peer, h *wire.HashSpan) {
	if !u.serve(p, h) {
		u.refuse(p, h)
	}
}

func (u *hashServer) refuse(p *Peer, h *wire.HashSpan) {
	m := *h
	m.Hashes = nil
	u.send(p, wire.Message{Type: wire.HashReject, Hash: &m})
}

// serve answers a request, now or later. It reports whether.
func (u *hashServer) serve(p *Peer, h *wire.HashSpan) bool {
	if !p.V2 || !u.known() || len(p.mail) >= maxHashMail {
		return false
	}
	s := spanOf(h)
	equal := u.files[h.Root]
	for _, n := range equal[:min(len(equal), maxEqual)] {
		f := &u.Files[n]
		if !s.In(f.height()) {
			return false
		}
		if s.Layer < u.piece {
			if u.queue(p, f, h) {
				return true
			}
			continue // a file that is equal may be here
		}
		if u.lacks(f) {
			return false
		}
		tree, cost := u.tree(f)
		if !p.inquiring.hashes.take(u.now, float64(cost+s.Length+s.Uncles()), hashesAtOnce, hashRate) {
			return false
		}
		if s.Layer == u.piece {
			u.layersFirst.sent(p, f.First+min(s.Index+s.Length, f.Pieces))
		}
		u.answer(p, h, tree.Hashes(s))
		return true
	}
	return false
}

func (u *hashServer) answer(p *Peer, h *wire.HashSpan, nodes []merkle.Hash) {
	if nodes == nil {
		u.refuse(p, h)
		return
	}
	m := *h
	m.Hashes = make([][32]byte, len(nodes))
	for i := range nodes {
		m.Hashes[i] = nodes[i]
	}
	u.send(p, wire.Message{Type: wire.Hashes, Hash: &m})
}

// queue has a request wait for a piece of f to be read, if all the nodes are over one
// piece, which is here.
func (u *hashServer) queue(p *Peer, f *File, h *wire.HashSpan) bool {
	s := spanOf(h)
	depth := u.piece - s.Layer
	piece := f.First + s.Index>>depth
	if s.Length > 1<<depth || piece >= f.First+f.Pieces || !u.have.has(piece) {
		return false
	}
	if p.inquiring.waiting >= maxLeafRequests || len(u.waiting) >= maxLeafWaiting ||
		!p.inquiring.leaves.take(u.now, float64(u.layout.Len(piece)), leafBytesAtOnce, leafByteRate) {
		return false
	}
	p.inquiring.waiting++
	u.waiting = append(u.waiting, leafRequest{p, f, piece, *h})
	if len(u.waiting) == 1 {
		u.act(Action{Kind: HashBlocks, Piece: piece})
	}
	return true
}

// hashed takes the hashes of the blocks of the piece that was asked for; nil if it
// cannot be read.
func (u *hashServer) hashed(piece int, leaves []merkle.Hash) {
	if len(u.waiting) == 0 || u.waiting[0].piece != piece {
		return
	}
	u.waiting = slices.DeleteFunc(u.waiting, func(r leafRequest) bool {
		if r.piece != piece {
			return false
		}
		r.peer.inquiring.waiting--
		if leaves == nil || !u.have.has(piece) {
			u.refuse(r.peer, &r.HashSpan)
		} else {
			u.answer(r.peer, &r.HashSpan, u.below(r.file, piece, leaves, spanOf(&r.HashSpan)))
		}
		return true
	})
	if len(u.waiting) > 0 {
		u.act(Action{Kind: HashBlocks, Piece: u.waiting[0].piece})
	}
}
