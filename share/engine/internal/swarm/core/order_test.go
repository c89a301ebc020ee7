package core

import (
	"math/rand/v2"
	"testing"
)

// Whatever is added, removed and moved, the list stays sorted by rank and holds
// exactly what it should.
func TestOrderStaysSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const pieces = 50
	var o order
	o.init(pieces, r)
	ranks := make(map[int32]int)
	for range 20000 {
		p := r.Int32N(pieces)
		n, in := ranks[p]
		switch {
		case !in:
			n = r.IntN(6)
			o.add(p, n)
			ranks[p] = n
		case r.IntN(3) == 0:
			o.remove(p)
			delete(ranks, p)
		case r.IntN(2) == 0:
			ranks[p] = n + 1
			o.move(p, n+1)
		case n > 0:
			ranks[p] = n - 1
			o.move(p, n-1)
		}
		if len(o.list) != len(ranks) {
			t.Fatalf("%d pieces, not %d", len(o.list), len(ranks))
		}
		for i, p := range o.list {
			if o.pos[p] != int32(i) {
				t.Fatalf("piece %d is at %d, not %d", p, i, o.pos[p])
			}
			if i > 0 && ranks[o.list[i-1]] > ranks[p] {
				t.Fatalf("rank %d before %d", ranks[o.list[i-1]], ranks[p])
			}
			if int(o.rank[p]) != ranks[p] || int32(i) < o.begin(o.rank[p]) || int32(i) >= o.ends[o.rank[p]] {
				t.Fatalf("piece %d of rank %d is in the wrong place", p, ranks[p])
			}
		}
	}
}
