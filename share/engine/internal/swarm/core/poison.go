package core

// poison finds out who sends wrong blocks. Who sent all of a wrong piece is
// convicted at once. Else the piece is fetched again from one peer alone, the
// most trusted; if it is wrong again that peer is convicted, and if it is right
// those whose blocks differ are. Until then all who sent a part of it are
// suspects: they get whole pieces to themselves.
type poison struct {
	cases map[int]*doubt
}

// trust is whether one peer is believed.
type trust struct {
	good      int // blocks in pieces that were right
	failed    int // pieces that it was to fetch alone, and did not
	suspect   bool
	convicted bool
}

// doubt is a piece that was wrong: who sent what, in each attempt.
type doubt struct {
	attempts [][]evidence
}

// evidence is a block of a wrong piece.
type evidence struct {
	from *Peer
	sum  [20]byte
}

// maxAttempts bounds what is remembered of one piece.
const maxAttempts = 4

func newPoison() *poison { return &poison{cases: make(map[int]*doubt)} }

// doubts tells whether a piece was wrong before.
func (o *poison) doubts(piece int) bool { return o.cases[piece] != nil }

// distrusts tells whether p is not to begin a piece.
func (o *poison) distrusts(piece int, p *Peer) bool {
	return p.suspect && o.doubts(piece)
}

// accuse takes that a piece is wrong, and the sums of its blocks. It returns who
// is convicted by that; nil if several sent it, who are suspects from now on.
func (o *poison) accuse(piece int, blocks []block, sums [][20]byte) *Peer {
	first := blocks[0].from
	alone := true
	for n := range blocks {
		alone = alone && blocks[n].from == first
	}
	if alone {
		return first
	}
	for n := range blocks {
		if from := blocks[n].from; !from.suspect {
			from.suspect = true
			from.own = nil // what it has begun to share is left to others
		}
	}
	if len(sums) != len(blocks) {
		return nil
	}
	d := o.cases[piece]
	if d == nil {
		d = &doubt{}
		o.cases[piece] = d
	}
	if len(d.attempts) < maxAttempts {
		got := make([]evidence, len(blocks))
		for n := range blocks {
			got[n] = evidence{blocks[n].from, sums[n]}
		}
		d.attempts = append(d.attempts, got)
	}
	return nil
}

// acquit takes that a piece is right, and the sums of its blocks. It returns who
// sent other blocks for it before; who sent the same is none the worse.
func (o *poison) acquit(piece int, blocks []block, sums [][20]byte) (liars []*Peer) {
	for n := range blocks {
		blocks[n].from.good++
	}
	d := o.cases[piece]
	if d == nil {
		return nil
	}
	delete(o.cases, piece)
	if len(sums) != len(blocks) {
		return nil
	}
	var honest []*Peer
	lied := make(map[*Peer]bool)
	for _, attempt := range d.attempts {
		for n, e := range attempt {
			if e.sum != sums[n] {
				liars = append(liars, e.from)
				lied[e.from] = true
			} else {
				honest = append(honest, e.from)
			}
		}
	}
	for _, p := range honest {
		if !lied[p] && !p.convicted && !o.suspected(p) {
			p.suspect = false
		}
	}
	return liars
}

// suspected tells whether a piece is in doubt that p sent a part of.
func (o *poison) suspected(p *Peer) bool {
	for _, d := range o.cases {
		for _, attempt := range d.attempts {
			for _, e := range attempt {
				if e.from == p {
					return true
				}
			}
		}
	}
	return false
}
