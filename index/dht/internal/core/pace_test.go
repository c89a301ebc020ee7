package core

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// In a network of three, a node that has just begun to announce fifty keys also
// looks for fifty: what it asks for the one does not hold up the other, and
// nobody is asked more than his program takes.
func TestManyKeysAndFewNodes(t *testing.T) {
	const keys = 50
	for _, test := range []struct {
		make    string
		over    time.Duration // all searches
		inTenS  int           // queries to one node
		message func(o *holder, m *krpc.Message) []byte
	}{
		{make: "our own program", over: 2 * time.Second, inTenS: 400, message: func(o *holder, m *krpc.Message) []byte {
			return ourMake(o.answer(m))
		}},
		{make: "another program", over: 30 * time.Second, inTenS: 50, message: (*holder).answer},
	} {
		t.Run(test.make, func(t *testing.T) {
			h := newHarness(t, nil)
			asked := make(map[netip.AddrPort][]time.Duration)
			for _, o := range h.holders(3) {
				h.answer[o.addr] = func(m *krpc.Message) []byte {
					asked[o.addr] = append(asked[o.addr], h.at)
					return test.message(o, m)
				}
			}
			for range keys {
				h.Announce(h.at, nodeid.Random(h.rand))
			}
			h.run(3 * time.Second)
			begun, left := h.at, keys
			var last time.Duration
			for range keys {
				h.GetPeers(nodeid.Random(h.rand), false, func([]netip.AddrPort) {}, func(*lookup.Lookup) {
					left, last = left-1, h.now-begun
				})
			}
			h.flush()
			h.run(10 * time.Minute)
			most := 0
			for _, when := range asked {
				for i, w := range when {
					n := 1
					for i+n < len(when) && when[i+n]-w < 10*time.Second {
						n++
					}
					most = max(most, n)
				}
			}
			t.Logf("the last search was over after %v; a node was asked up to %d times in ten seconds", last, most)
			if left > 0 || last > test.over {
				t.Errorf("%d of %d searches were not over, the last was after %v", left, keys, last)
			}
			if most > test.inTenS {
				t.Errorf("a node was asked %d times in ten seconds", most)
			}
		})
	}
}

// ourMake undoes otherMake.
func ourMake(b []byte) []byte {
	return bytes.Replace(b, []byte("1:y1:"), []byte("1:v4:SH\x00\x011:y1:"), 1)
}

// A node that is gone holds up the first search that meets it, as it may only be
// slow; those after it do not wait for it again, though others still name it.
func TestAGoneNodeIsWaitedForOnce(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(3)
	gone := krpc.Node{ID: nodeid.Derive(stranger(7).Addr(), h.rand), Addr: stranger(7)}
	search := func() (took time.Duration, asked int) {
		h.Wake(h.at)
		begun, over := h.at, false
		h.GetPeers(nodeid.Random(h.rand), false, func([]netip.AddrPort) {}, func(*lookup.Lookup) { over, took = true, h.now-begun })
		h.flush()
		h.run(20 * time.Second)
		if !over {
			t.Fatal("the search has no end")
		}
		for _, p := range h.take() {
			if p.addr == gone.Addr {
				asked++
			}
		}
		return took, asked
	}
	for range 20 {
		search() // until it is known how long answers take
	}
	for _, n := range nodes {
		h.node(n.Addr, n.ID, append(nodes, gone)...)
	}
	first, _ := search()
	second, asked := search()
	if first < lostMin || second >= time.Second || asked == 0 {
		t.Errorf("the searches took %v and %v, the second asked it %d times", first, second, asked)
	}
	// Back again, it counts as before.
	h.node(gone.Addr, gone.ID, nodes...)
	if took, _ := search(); took >= time.Second {
		t.Errorf("with all there it took %v", took)
	}
	delete(h.answer, gone.Addr)
	if took, _ := search(); took < lostMin {
		t.Errorf("gone anew, it was waited for %v only", took)
	}
}
