package lookup

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// world is a network in which every node knows some others.
type world struct {
	r     *rand.Rand
	nodes []table.Contact // in order of distance to target
	knows map[nodeid.ID][]table.Contact
	guide map[nodeid.ID]bool // those that only show the way
}

var target = nodeid.ID{7}

func site(i int) netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x2001<<48|uint64(i)<<16)
	ip[15] = 1
	return netip.AddrPortFrom(netip.AddrFrom16(ip), 6881)
}

func newWorld(seed uint64, size int) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 0)), knows: make(map[nodeid.ID][]table.Contact)}
	for i := range size {
		w.nodes = append(w.nodes, table.Contact{ID: nodeid.Derive(site(i).Addr(), w.r), Addr: site(i)})
	}
	for _, n := range w.nodes {
		tab := table.New(n.ID, false)
		for _, i := range w.r.Perm(size) {
			tab.Answered(1, w.nodes[i], 1, 0)
		}
		w.knows[n.ID] = tab.Closest(nil, target, 8, n.ID)
	}
	slices.SortFunc(w.nodes, func(a, b table.Contact) int {
		if nodeid.Closer(&target, &a.ID, &b.ID) {
			return -1
		}
		return 1
	})
	return w
}

// run plays the network until the search is over; answer gives the nodes a node
// names, nil for no answer. Answers come in random order.
func (w *world) run(t testing.TB, l *Lookup, answer func(n *Node) []table.Contact) {
	var flying []*Node
	for steps := 0; !l.Over(); steps++ {
		if steps > 10_000 {
			t.Fatal("the search does not end")
		}
		for n := l.Next(); n != nil; n = l.Next() {
			flying = append(flying, n)
		}
		if len(flying) == 0 {
			if !l.Over() {
				t.Fatal("nobody is asked, and the search is not over")
			}
			return
		}
		i := w.r.IntN(len(flying))
		n := flying[i]
		flying = slices.Delete(flying, i, i+1)
		named := answer(n)
		if named == nil {
			l.Slow(n)
			l.Failed(n)
			continue
		}
		n.Token = []byte("t")
		take := l.Answered
		if w.guide[n.ID] {
			take = l.Passed
		}
		take(n, func(yield func(nodeid.ID, netip.AddrPort) bool) {
			for _, c := range named {
				if !yield(c.ID, c.Addr) {
					return
				}
			}
		})
	}
}

func contacts(nodes []*Node) []table.Contact {
	var out []table.Contact
	for _, n := range nodes {
		out = append(out, n.Contact)
	}
	return out
}

func TestFindsTheClosest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(rt, "seed"), 120)
		l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: rapid.IntRange(1, 3).Draw(rt, "paths"), Max: 300}
		for i := range 3 {
			l.Start(w.nodes[w.r.IntN(120)], i%l.Paths)
		}
		w.run(t, l, func(n *Node) []table.Contact { return w.knows[n.ID] })
		if got := contacts(l.Closest(8)); !slices.Equal(got, w.nodes[:8]) {
			rt.Fatalf("found %v, want %v", got, w.nodes[:8])
		}
		if got := contacts(l.Best(8)); !slices.Equal(got, w.nodes[:8]) {
			rt.Fatalf("best are %v", got)
		}
		if l.Sent() != l.Got() || l.Sent() > 60 {
			rt.Errorf("%d asked, %d answered", l.Sent(), l.Got())
		}
	})
}

func TestPassesOverTheDead(t *testing.T) {
	w := newWorld(1, 300)
	l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: 1, Max: 300}
	for i := range 16 {
		l.Start(w.nodes[100+i], 0)
	}
	dead := make(map[nodeid.ID]bool)
	for _, n := range w.nodes {
		dead[n.ID] = w.r.IntN(3) == 0
	}
	w.run(t, l, func(n *Node) []table.Contact {
		if dead[n.ID] {
			return nil
		}
		return w.knows[n.ID]
	})
	found := 0
	for _, n := range l.Closest(8) {
		if slices.Contains(w.nodes[:16], n.Contact) {
			found++
		}
	}
	if found < 6 {
		t.Errorf("%d of the closest found with a third dead", found)
	}
}

// Nodes that cannot be what is looked for lead there all the same, and take no
// place from those that can.
func TestPassesByGuides(t *testing.T) {
	w := newWorld(2, 300)
	w.guide = make(map[nodeid.ID]bool)
	var sought []table.Contact
	for i, n := range w.nodes {
		if w.guide[n.ID] = i%2 == 0; !w.guide[n.ID] && len(sought) < 4 {
			sought = append(sought, n) // of 8 nodes closest, which are all that are named
		}
	}
	l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: 1, Max: 300}
	for i := range 16 {
		l.Start(w.nodes[100+i], 0)
	}
	w.run(t, l, func(n *Node) []table.Contact { return w.knows[n.ID] })
	got := contacts(l.Closest(8))
	if len(got) < 8 || !slices.Equal(got[:len(sought)], sought) {
		t.Errorf("found %v, want %v first", got, sought)
	}
	for _, c := range got {
		if w.guide[c.ID] {
			t.Errorf("%v is one that only shows the way", c)
		}
	}
}

// A node that answers with nothing but nodes that do not exist costs a few
// queries and not hundreds.
func TestDoubtsWhoNamesGhosts(t *testing.T) {
	w := newWorld(2, 100)
	l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: 1, Max: 1000}
	for i := range 8 {
		l.Start(w.nodes[20+i], 0)
	}
	ghosts, next := 0, 1000
	w.run(t, l, func(n *Node) []table.Contact {
		if w.knows[n.ID] == nil {
			ghosts++
			return nil
		}
		if n.Contact == w.nodes[20] {
			var out []table.Contact
			for range 100 {
				next++
				out = append(out, table.Contact{ID: target.At(60, w.r), Addr: site(next)})
			}
			return out
		}
		return w.knows[n.ID]
	})
	if ghosts == 0 || ghosts > namedMax/2 {
		t.Errorf("%d ghosts were asked", ghosts)
	}
	if got := contacts(l.Closest(8)); !slices.Equal(got, w.nodes[:8]) {
		t.Errorf("found %v", got)
	}
}

// Nodes that chose their names cannot end the search before it has found those
// that did not.
func TestChosenNames(t *testing.T) {
	w := newWorld(3, 200)
	var chosen []table.Contact
	for i := range 40 {
		chosen = append(chosen, table.Contact{ID: target.At(100+i, w.r), Addr: site(5000 + i)})
	}
	l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: 1, Max: 300}
	for i := range 8 {
		l.Start(w.nodes[50+i], 0)
		l.Start(chosen[i], 0)
	}
	w.run(t, l, func(n *Node) []table.Contact {
		if k := w.knows[n.ID]; k != nil {
			return k
		}
		return chosen
	})
	best := contacts(l.Best(8))
	honest := 0
	for _, c := range best {
		if slices.Contains(w.nodes[:8], c) {
			honest++
		}
	}
	if honest < 5 {
		t.Errorf("%d of those that did not choose their names among %d", honest, len(best))
	}
}

func TestLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	l := &Lookup{Target: target, Width: 8, Alpha: 3, Paths: 1, Max: 5}
	for i := range 50 {
		l.Start(table.Contact{ID: nodeid.Random(r), Addr: netip.AddrPortFrom(site(1).Addr(), uint16(1+i))}, 0)
	}
	if len(l.nodes) != networkMax {
		t.Errorf("%d nodes of one /64", len(l.nodes))
	}
	for i := range 1000 {
		l.Start(table.Contact{ID: nodeid.Random(r), Addr: site(10 + i)}, 0)
	}
	if len(l.nodes) != nodesMax {
		t.Errorf("%d nodes", len(l.nodes))
	}
	same := l.nodes[0].Contact
	same.ID = nodeid.Random(r)
	if l.Start(same, 0); len(l.nodes) != nodesMax {
		t.Error("one address under two names")
	}
	asked := 0
	for !l.Over() {
		var batch []*Node
		for n := l.Next(); n != nil; n = l.Next() {
			batch = append(batch, n)
		}
		if asked += len(batch); len(batch) > 3 {
			t.Fatalf("%d in flight", len(batch))
		}
		for _, n := range batch {
			l.Failed(n)
		}
	}
	if asked != 5 {
		t.Errorf("%d asked, want the most allowed", asked)
	}
}

// An answer that comes late is used while the search goes on, and the search
// waits for the slow if they could be among the closest.
func TestSlow(t *testing.T) {
	w := newWorld(4, 50)
	l := &Lookup{Target: target, Width: 2, Alpha: 4, Paths: 1, Max: 100}
	for _, c := range w.nodes[:4] {
		l.Start(c, 0)
	}
	none := func(func(nodeid.ID, netip.AddrPort) bool) {}
	a, b := l.Next(), l.Next()
	l.Slow(a)
	c := l.Next()
	if c == nil || c.Contact != w.nodes[2] {
		t.Fatal("nobody takes the place of the slow one")
	}
	l.Answered(b, none)
	l.Answered(c, none)
	if l.Over() {
		t.Fatal("over without the closest, which may still answer")
	}
	l.Answered(a, none)
	if !l.Over() {
		t.Fatal("not over with the closest two")
	}
	if got := contacts(l.Closest(2)); !slices.Equal(got, w.nodes[:2]) {
		t.Errorf("found %v", got)
	}
	l.Answered(a, none) // twice is once
	if l.Got() != 3 {
		t.Errorf("%d answers", l.Got())
	}
}

func TestNamesOfOtherLinksAreNotOurs(t *testing.T) {
	w := newWorld(5, 10)
	l := &Lookup{Target: target, Width: 8, Alpha: 4, Paths: 1, Max: 100}
	l.Start(w.nodes[0], 0)
	n := l.Next()
	l.Answered(n, func(yield func(nodeid.ID, netip.AddrPort) bool) {
		_ = yield(nodeid.ID{1}, netip.MustParseAddrPort("[::1]:22")) &&
			yield(nodeid.ID{2}, netip.MustParseAddrPort("[fe80::1]:22")) &&
			yield(nodeid.ID{3}, netip.MustParseAddrPort("[fd00::1]:22"))
	})
	if n := l.Next(); n != nil {
		t.Errorf("it would ask %v", n.Addr)
	}
}
