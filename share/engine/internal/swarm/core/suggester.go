package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// suggester sees to it that a seed sends each piece once before it sends any twice,
// which counts most while it is the only one. That is the idea of BEP 16, but nothing is hidden: each peer that
// we upload to is told, by Suggest of BEP 6, of a piece that nobody was told of
// before, and those who begin with the rarest begin with that one.
type suggester struct {
	*clock
	*content
	*roster
	*sender
	picker *picker

	on   bool
	sent order         // pieces by how often we suggested or sent them
	met  time.Duration // when another seed was last met; 0 for never
}

// suggestions are the pieces that we suggested to one peer, and it to us.
type suggestions struct {
	suggested []int32
	suggests  []int32
}

// atATime is how many suggestions a peer has.
const atATime = 4

// maxSuggested is how many suggestions of a peer are kept.
const maxSuggested = 8

// metTime is how long another seed counts. Seeds do not stay connected with each
// other.
const metTime = 30 * time.Minute

// meets takes that a peer had everything when it came.
func (s *suggester) meets() { s.met = s.now }

// alone tells whether we are the only seed that we know.
func (s *suggester) alone() bool {
	return s.complete && (s.met == 0 || s.now-s.met > metTime) && !slices.ContainsFunc(s.peers, s.peerComplete)
}

// begin tells p, which is uploaded to from now on, of a few pieces.
func (s *suggester) begin(p *Peer) {
	for range atATime {
		s.suggest(p)
	}
}

// suggest tells p of a piece that went out least.
func (s *suggester) suggest(p *Peer) {
	if !p.Fast || p.choked || s.peerComplete(p) || !s.complete {
		return
	}
	if !s.on {
		s.on = true
		s.sent.init(s.layout.Pieces, s.rand)
		for i := range s.layout.Pieces {
			s.sent.add(int32(i), int(s.picker.avail[i]))
		}
	}
	for _, i := range s.sent.list {
		if !p.has(int(i)) {
			s.sent.move(i, int(s.sent.rank[i])+1)
			p.suggested = append(p.suggested, i)
			s.send(p, wire.Message{Type: wire.Suggest, Index: uint32(i)})
			return
		}
	}
}

// takeBack takes back what p did not ask for: it is for others.
func (s *suggester) takeBack(p *Peer) {
	for _, i := range p.suggested {
		if rank := int(s.sent.rank[i]); rank > 0 {
			s.sent.move(i, rank-1)
		}
	}
	p.suggested = p.suggested[:0]
}

// begins takes that p asks for a piece that it did not ask for just before.
func (s *suggester) begins(p *Peer, piece int32) {
	if i := slices.Index(p.suggested, piece); i >= 0 {
		p.suggested = slices.Delete(p.suggested, i, i+1)
		s.suggest(p)
	} else if s.on {
		s.sent.move(piece, int(s.sent.rank[piece])+1)
	}
}

// early takes a suggestion of p before the content is known. It is not told again.
func (*suggester) early(p *Peer, piece int) {
	if len(p.suggests) < maxSuggested && !slices.Contains(p.suggests, int32(piece)) {
		p.suggests = append(p.suggests, int32(piece))
	}
}

// catchUp takes what early kept, now that the content is known.
func (s *suggester) catchUp(p *Peer) {
	p.suggests = slices.DeleteFunc(p.suggests, func(i int32) bool { return int(i) >= s.layout.Pieces })
}

// heard takes a suggestion of p.
func (s *suggester) heard(p *Peer, piece int) {
	if s.wants(piece) {
		s.early(p, piece)
	}
}
