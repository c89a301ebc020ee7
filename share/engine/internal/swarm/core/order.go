package core

import "math/rand/v2"

// order is a list of pieces, the rarest first and those equally rare in random
// order. All changes take constant time, except that a piece is added or
// removed in the number of degrees of rarity.
type order struct {
	list []int32
	pos  []int32 // where a piece is in the list; -1 for nowhere
	rank []uint8 // how many have it
	ends []int32 // ends[r] is where the pieces of rank r end
	rand *rand.Rand
}

// maxRank is where counting stops: what so many have is not rare.
const maxRank = 255

func (o *order) init(pieces int, r *rand.Rand) {
	*o = order{pos: make([]int32, pieces), rank: make([]uint8, pieces), rand: r}
	for i := range o.pos {
		o.pos[i] = -1
	}
}

func (o *order) holds(piece int32) bool { return o.pos[piece] >= 0 }

func (o *order) put(at, piece int32) {
	o.list[at] = piece
	o.pos[piece] = at
}

func (o *order) swap(a, b int32) {
	x, y := o.list[a], o.list[b]
	o.put(a, y)
	o.put(b, x)
}

func (o *order) begin(rank uint8) int32 {
	if rank == 0 {
		return 0
	}
	return o.ends[rank-1]
}

// shuffle moves a piece to a random place among its equals.
func (o *order) shuffle(piece int32) {
	r := o.rank[piece]
	first := o.begin(r)
	o.swap(o.pos[piece], first+o.rand.Int32N(o.ends[r]-first))
}

func clampRank(n int) uint8 { return uint8(max(0, min(n, maxRank))) }

// add puts a piece into the list that so many have.
func (o *order) add(piece int32, n int) {
	rank := clampRank(n)
	for len(o.ends) <= int(rank) {
		o.ends = append(o.ends, int32(len(o.list)))
	}
	// The gap at the end moves down, past one piece of each higher rank.
	gap := int32(len(o.list))
	o.list = append(o.list, 0)
	for r := len(o.ends) - 1; r > int(rank); r-- {
		if first := o.begin(uint8(r)); first != gap {
			o.put(gap, o.list[first])
			gap = first
		}
		o.ends[r]++
	}
	o.put(gap, piece)
	o.ends[rank]++
	o.rank[piece] = rank
	o.shuffle(piece)
}

// remove takes a piece out of the list.
func (o *order) remove(piece int32) {
	gap := o.pos[piece]
	for r := int(o.rank[piece]); r < len(o.ends); r++ {
		last := o.ends[r] - 1
		if last != gap {
			o.put(gap, o.list[last])
			gap = last
		}
		o.ends[r]--
	}
	o.list = o.list[:len(o.list)-1]
	o.pos[piece] = -1
}

// move changes how many have a piece by one, up or down, to n.
func (o *order) move(piece int32, n int) {
	rank := clampRank(n)
	old := o.rank[piece]
	switch {
	case rank == old+1 && old < maxRank:
		if len(o.ends) <= int(rank) {
			o.ends = append(o.ends, int32(len(o.list)))
		}
		o.ends[old]--
		o.swap(o.pos[piece], o.ends[old])
	case rank+1 == old:
		first := o.begin(old)
		o.swap(o.pos[piece], first)
		o.ends[rank]++
	case rank == old:
		return
	}
	o.rank[piece] = rank
	o.shuffle(piece)
}
