package core

import (
	"cmp"
	"slices"
	"time"
)

// Reader says which bytes somebody reads and by when. Offsets count pieces of
// the full length: byte n is in piece n / PieceLength.
type Reader struct {
	From, To int64
	By       time.Duration // when the first byte is due
	Rate     float64       // bytes a second that are due after it; 0 for as soon as can be
}

// readers knows which pieces are due, the soonest first, and chooses blocks of
// them.
type readers struct {
	*clock
	*content
	*roster
	picker *picker

	all     []Reader
	urgent  []due
	waiting bool // a piece is due soon and not here
}

type due struct {
	piece int
	by    time.Duration
}

// How far ahead readers are served before all else.
const (
	mostUrgent = 64               // pieces of one reader
	aheadTime  = 20 * time.Second // of what is due
	soon       = 2 * time.Second  // due within this: a reader waits
)

// set takes all that is being read.
func (r *readers) set(all []Reader) {
	r.all = slices.Clone(all)
	r.update()
}

// update makes the list of what is due.
func (r *readers) update() {
	r.urgent = r.urgent[:0]
	r.waiting = false
	if !r.layout.Known() {
		return
	}
	size := int64(r.layout.PieceLength)
	for _, x := range r.all {
		first, last := max(0, x.From/size), min(int64(r.layout.Pieces), (x.To+size-1)/size)
		for i, n := first, 0; i < last && n < mostUrgent; i++ {
			by := x.By
			if x.Rate > 0 && i > first {
				by += time.Duration(float64(i*size-x.From) / x.Rate * float64(time.Second))
				if by > r.now+aheadTime && n > 1 {
					break
				}
			}
			if r.fetchable(int(i)) {
				r.urgent = append(r.urgent, due{int(i), by})
				n++
			}
		}
	}
	slices.SortFunc(r.urgent, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.piece, b.piece))
	})
	r.urgent = slices.CompactFunc(r.urgent, func(a, b due) bool { return a.piece == b.piece })
	r.waiting = len(r.urgent) > 0 && r.urgent[0].by <= r.now+soon
}

// came takes that a block of b is here.
func (r *readers) came(b *begun) {
	if r.waiting && b.absent == 0 && r.urgent[0].piece == b.piece {
		// The next piece may be less urgent.
		r.waiting = len(r.urgent) > 1 && r.urgent[1].by <= r.now+soon
	}
}

// dueAt is when a piece is due; a far time for those that are not read.
func (r *readers) dueAt(piece int) time.Duration {
	for _, u := range r.urgent {
		if u.piece == piece {
			return u.by
		}
	}
	return 1 << 62
}

// pickUrgent chooses for p a block that a reader needs: one that nobody is
// asked for, or one that another will be too late with.
func (r *readers) pickUrgent(p *Peer) (*begun, int) {
	for _, u := range r.urgent {
		if !p.may(u.piece) || !r.wants(u.piece) {
			continue
		}
		b := r.picker.begun[u.piece]
		if b != nil && (b.checking || b.absent == 0 || b.solo && b.owner != p) {
			continue
		}
		if b == nil || b.free > 0 {
			if r.tooSlow(p, u) {
				continue
			}
			if b == nil {
				b = r.picker.open(u.piece)
			}
			if n := r.picker.next(b, p); n >= 0 {
				return b, n
			}
		}
		if n := r.lateWith(b, p, u); n >= 0 {
			return b, n
		}
	}
	return nil, -1
}

// tooSlow tells whether p would miss the time while another would not, or
// would be much earlier.
func (r *readers) tooSlow(p *Peer, u due) bool {
	mine := p.drain(r.now, 1)
	if r.now+mine <= u.by {
		return false
	}
	for _, q := range r.peers {
		if q != p && q.may(u.piece) && !q.chokesUs && !q.snubbed(r.now) && q.window.age > 0 && 3*q.drain(r.now, 1) < mine {
			return true
		}
	}
	return false
}

// lateWith is a block of b that another peer was asked for, will be too late
// with, and p will not; -1 for none.
func (r *readers) lateWith(b *begun, p *Peer, u due) int {
	if u.by > r.now+soon || b.solo || p.suspect {
		return -1
	}
	mine := 2*p.drain(r.now, 1) + 50*time.Millisecond
	for n := range b.blocks {
		x := &b.blocks[n]
		if x.state != asked || x.by[1] != nil || x.by[0] == p || p.avoids(r.now, b.piece, n) {
			continue
		}
		q := x.by[0]
		k := key{int32(b.piece), int32(n)}
		i := slices.IndexFunc(q.asked, func(a ask) bool { return a.key == k })
		if i < 0 {
			continue
		}
		wait := q.drain(r.now, i+1-len(q.asked))
		if since := r.now - q.asked[i].at; since > wait {
			wait = since
		}
		if wait > mine && r.now+wait > u.by {
			return n
		}
	}
	return -1
}
