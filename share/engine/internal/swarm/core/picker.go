package core

import (
	"slices"
	"time"
)

// picker knows which pieces are begun and which blocks of them are still to be
// asked for, and chooses which comes next.
type picker struct {
	*clock
	*content
	*roster
	poison     *poison
	sequential bool

	fresh   [levels]order // pieces that are wanted and not begun, by priority
	avail   []uint16      // how many peers have each piece, seeds left out
	degrees []int         // how many pieces so many peers have
	begun   map[int]*begun
	order   []*begun // those of begun, oldest first
	free    int      // blocks of wanted pieces in begun that nobody is asked for
	held    []*begun // memory of pick
}

// begun is a piece of which something was asked.
type begun struct {
	piece  int
	blocks []block
	free   int // blocks that nobody is asked for
	absent int // blocks that have not come
	unsafe int // blocks that are not written
	// owner has the piece to itself, since it is fast or because the piece was
	// wrong once; solo says that it is the latter, and nobody helps.
	owner *Peer
	solo  bool
	moved time.Duration // solo: when a block came, or the owner was chosen
	// checking says that the piece waits for its verdict.
	checking bool
	hint     int // no block before it is free
}

// state of a block.
type state uint8

const (
	free state = iota
	asked
	came
	written
)

type block struct {
	state state
	by    [2]*Peer // who is asked
	from  *Peer    // who sent it
}

// init takes that the content is known: what is not here is to be begun.
func (pk *picker) init() {
	pieces := pk.layout.Pieces
	for level := range pk.fresh {
		pk.fresh[level].init(pieces, pk.rand)
	}
	pk.avail = make([]uint16, pieces)
	pk.degrees = []int{pieces}
	pk.begun = make(map[int]*begun)
	for _, i := range pk.absent(pk.rand) {
		pk.fresh[pk.wanted[i]].add(i, 0)
	}
}

// list puts piece i among those to begin.
func (pk *picker) list(i int) {
	if level := pk.wanted[i]; pk.fetchable(i) && pk.begun[i] == nil {
		pk.fresh[level].add(int32(i), int(pk.avail[i]))
		for _, p := range pk.peers {
			if p.has(i) {
				p.fresh++
			}
		}
	}
}

// unlist takes piece i, of that priority, off that list.
func (pk *picker) unlist(i int, level uint8) {
	if level == Unwanted || !pk.fresh[level].holds(int32(i)) {
		return
	}
	pk.fresh[level].remove(int32(i))
	for _, p := range pk.peers {
		if p.has(i) {
			p.fresh--
		}
	}
}

// listed tells whether piece i is among those to begin.
func (pk *picker) listed(i int) bool {
	level := pk.wanted[i]
	return level != Unwanted && pk.fresh[level].holds(int32(i))
}

// spread counts one peer more or less that has piece i.
func (pk *picker) spread(i, n int) {
	was := pk.avail[i]
	pk.avail[i] = uint16(max(0, int(was)+n))
	for len(pk.degrees) <= int(pk.avail[i]) {
		pk.degrees = append(pk.degrees, 0)
	}
	pk.degrees[was]--
	pk.degrees[pk.avail[i]]++
	if level := pk.wanted[i]; level != Unwanted && pk.fresh[level].holds(int32(i)) {
		pk.fresh[level].move(int32(i), int(pk.avail[i]))
	}
}

// copies is how many copies of the content the peers without seeds have together: the
// whole part counts those of the rarest piece, the rest is the part of the pieces of
// which there are more.
func (pk *picker) copies() float64 {
	for least, n := range pk.degrees {
		if n > 0 {
			return float64(least) + 1 - float64(n)/float64(len(pk.avail))
		}
	}
	return 0
}

// open begins piece i.
func (pk *picker) open(i int) *begun {
	pk.unlist(i, pk.wanted[i])
	n := pk.layout.Blocks(i)
	b := &begun{piece: i, blocks: make([]block, n), free: n, absent: n, unsafe: n}
	pk.begun[i] = b
	pk.order = append(pk.order, b)
	pk.free += n
	return b
}

// shut forgets that piece i was begun.
func (pk *picker) shut(b *begun) {
	if pk.wanted[b.piece] != Unwanted {
		pk.free -= b.free
	}
	pk.forget(b)
}

// forget takes b off the list of what is begun.
func (pk *picker) forget(b *begun) {
	delete(pk.begun, b.piece)
	pk.order = slices.DeleteFunc(pk.order, func(x *begun) bool { return x == b })
}

// restart begins a piece that was wrong anew.
func (pk *picker) restart(b *begun) {
	n := len(b.blocks)
	b.checking, b.solo, b.owner = false, false, nil
	b.absent, b.unsafe = n, n
	b.blocks = make([]block, n)
	b.free, b.hint = n, 0
	if pk.wanted[b.piece] != Unwanted {
		pk.free += n
	}
}

// disown leaves what p had to itself to others, except what it is to fetch alone.
func (pk *picker) disown(p *Peer) {
	for _, b := range pk.order {
		if b.owner == p && !b.solo {
			b.owner = nil
		}
	}
}

// value takes that piece i was of another priority.
func (pk *picker) value(i int, old uint8) {
	if b := pk.begun[i]; b != nil {
		if old == Unwanted {
			pk.free += b.free
		}
		return
	}
	pk.unlist(i, old)
	pk.list(i)
}

// liberate makes block n free again.
func (pk *picker) liberate(b *begun, n int) {
	b.blocks[n] = block{}
	b.free++
	b.hint = min(b.hint, n)
	if pk.wanted[b.piece] != Unwanted {
		pk.free++
	}
}

// occupy has p asked for block n.
func (pk *picker) occupy(b *begun, n int, p *Peer) {
	k := &b.blocks[n]
	if k.state == free {
		b.free--
		if pk.wanted[b.piece] != Unwanted {
			pk.free--
		}
		k.state = asked
	}
	if k.by[0] == nil {
		k.by[0] = p
	} else {
		k.by[1] = p
	}
}

// came takes that p sent block n. ok is false if it is here already; others
// says that somebody else is asked for it, too.
func (pk *picker) came(b *begun, n int, p *Peer) (others, ok bool) {
	x := &b.blocks[n]
	if x.state >= came {
		return false, false
	}
	if x.state == free { // late, and welcome
		b.free--
		if pk.wanted[b.piece] != Unwanted {
			pk.free--
		}
	}
	x.state, x.from = came, p
	b.absent--
	b.moved = pk.now
	return x.by[0] != nil && x.by[0] != p || x.by[1] != nil, true
}

// wrote takes that block n is written, or could not be. It reports whether the
// piece is now to be checked.
func (pk *picker) wrote(b *begun, n int, failed bool) (check bool) {
	if failed {
		b.absent++
		pk.liberate(b, n)
		return false
	}
	b.blocks[n].state = written
	b.unsafe--
	check = b.unsafe == 0 && !b.checking
	b.checking = b.checking || check
	return check
}

// next is a block of b that p may be asked for now; -1 for none.
func (pk *picker) next(b *begun, p *Peer) int {
	if b.free == 0 {
		return -1
	}
	for n := b.hint; n < len(b.blocks); n++ {
		if b.blocks[n].state != free {
			if n == b.hint {
				b.hint++
			}
			continue
		}
		if !p.avoids(pk.now, b.piece, n) {
			return n
		}
	}
	return -1
}

// may tells whether p may be asked for blocks of piece i at all now.
func (p *Peer) may(i int) bool {
	return p.has(i) && (!p.chokesUs || p.allowed.has(i))
}

// ownTime is how fast a peer must be to have pieces to itself: one takes it no
// longer.
const ownTime = 8 * time.Second

// fast tells whether p is to fetch piece i alone. A suspect always does: so a
// bad piece convicts it.
func (pk *picker) fast(p *Peer, i int) bool {
	return p.suspect || !p.unreliable() && p.down.get(pk.now, shortTerm)*ownTime.Seconds() >= float64(pk.layout.Len(i))
}

// pick chooses a block for p: of the piece that is its own, of another that is
// begun, of the rarest that is not, and last of one that another has to itself.
func (pk *picker) pick(p *Peer) (*begun, int) {
	if b := p.own; b != nil {
		if pk.begun[b.piece] == b && b.owner == p && pk.wanted[b.piece] != Unwanted && p.may(b.piece) {
			if n := pk.next(b, p); n >= 0 {
				return b, n
			}
		} else {
			p.own = nil
		}
	}
	if len(p.suggests) > 0 && !p.suspect {
		if b := pk.followSuggestion(p); b != nil {
			return b, pk.next(b, p)
		}
	}
	helped := pk.held[:0]
	if pk.free > 0 {
		for _, b := range pk.order {
			if b.free == 0 || !p.may(b.piece) || pk.wanted[b.piece] == Unwanted || b.solo && b.owner != p {
				continue
			}
			if b.owner == p {
				if n := pk.next(b, p); n >= 0 {
					p.own = b
					return b, n
				}
				continue
			}
			if b.owner != nil || p.suspect && b.absent < len(b.blocks) {
				if !p.suspect {
					helped = append(helped, b)
				}
				continue
			}
			if n := pk.next(b, p); n >= 0 {
				return b, n
			}
		}
	}
	pk.held = helped
	if i := pk.rarest(p); i >= 0 {
		b := pk.open(i)
		if pk.fast(p, i) {
			b.owner, p.own = p, b
		}
		if n := pk.next(b, p); n >= 0 {
			return b, n
		}
	}
	for _, b := range helped {
		if n := pk.next(b, p); n >= 0 {
			return b, n
		}
	}
	return nil, -1
}

// followSuggestion begins a piece that p suggested, if none is rarer. It comes
// before pieces that are begun: others can give these.
func (pk *picker) followSuggestion(p *Peer) *begun {
	for len(p.suggests) > 0 {
		i := int(p.suggests[0])
		if !pk.listed(i) {
			p.suggests = p.suggests[1:]
			continue
		}
		o := &pk.fresh[pk.wanted[i]]
		if !p.may(i) || o.rank[i] > o.rank[o.list[0]] {
			return nil
		}
		p.suggests = p.suggests[1:]
		b := pk.open(i)
		b.owner, p.own = p, b
		if pk.next(b, p) < 0 {
			return nil
		}
		return b
	}
	return nil
}

// rarest is the piece to begin with p: the most wanted and the rarest that p
// has; -1 for none.
func (pk *picker) rarest(p *Peer) int {
	if p.fresh == 0 {
		return -1
	}
	for level := High; level > Unwanted; level-- {
		o := &pk.fresh[level]
		if pk.sequential {
			if len(o.list) == 0 {
				continue
			}
			for i := range o.pos {
				if o.pos[i] >= 0 && p.may(i) && !pk.poison.distrusts(i, p) {
					return i
				}
			}
			continue
		}
		for _, i := range o.list {
			if p.may(int(i)) && !pk.poison.distrusts(int(i), p) {
				return int(i)
			}
		}
	}
	return -1
}

// endgame tells whether every block that is wanted was asked of somebody, or is
// for one peer alone.
func (pk *picker) endgame() bool {
	if pk.free > 0 {
		for _, b := range pk.order {
			if b.free > 0 && !b.solo && pk.wanted[b.piece] != Unwanted {
				return false
			}
		}
	}
	for level := Low; level <= High; level++ {
		if len(pk.fresh[level].list) > 0 {
			return false
		}
	}
	return true
}

// refetch takes that block n of a piece that was checked is wrong.
func (pk *picker) refetch(b *begun, n int) {
	b.checking = false
	b.absent++
	b.unsafe++
	pk.liberate(b, n)
}

// sentBySeveral tells whether not all blocks came from the same peer.
func (b *begun) sentBySeveral() bool {
	return slices.ContainsFunc(b.blocks, func(x block) bool { return x.from != b.blocks[0].from })
}
