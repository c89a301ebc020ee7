package table

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

var self = nodeid.ID{0x80}

func addr(net, host uint64) netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], net)
	binary.BigEndian.PutUint64(ip[8:], host)
	return netip.AddrPortFrom(netip.AddrFrom16(ip), 6881)
}

// site is the ith /48, each with one node.
func site(i uint64) netip.AddrPort { return addr(0x2001<<48|i<<16, 1) }

// at makes a node that shares n bits with self.
func at(r *rand.Rand, n int, a netip.AddrPort) Contact { return Contact{self.At(n, r), a} }

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

const now = time.Hour

func (t *Table) check(tb interface{ Errorf(string, ...any) }) {
	count := 0
	nets := make(map[uint64]int)
	for i, b := range t.buckets {
		count += len(b.nodes)
		if len(b.nodes) > width(i) || len(b.spare) > spares || len(b.heads) != len(b.nodes) || len(b.nets) != len(b.nodes) {
			tb.Errorf("bucket %d: %d nodes, %d spares, %d heads, %d nets", i, len(b.nodes), len(b.spare), len(b.heads), len(b.nets))
		}
		for j, e := range b.nodes {
			if t.self.Prefix(e.ID) != i || b.heads[j] != head(&e.ID) || b.nets[j] != network(e.Addr) {
				tb.Errorf("bucket %d: %v is out of place", i, e.ID)
			}
			nets[network(e.Addr)]++
		}
	}
	if count != t.Len() {
		tb.Errorf("Len is %d, there are %d", t.Len(), count)
	}
	for n, c := range nets {
		if c > whole64 && n>>61 == 1 { // global addresses
			tb.Errorf("%d nodes of /64 %x", c, n)
		}
	}
}

// Whatever happens, the table keeps its shape, and Closest is right.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		tab := New(self, false)
		var known []Contact
		for i := range rapid.IntRange(1, 600).Draw(t, "steps") {
			now := now + time.Duration(i)*time.Second
			switch k := r.IntN(10); {
			case k < 7 || len(known) == 0:
				c := at(r, r.IntN(12), addr(0x2001<<48|uint64(r.IntN(400))<<14, uint64(r.IntN(3))))
				known = append(known, c)
				tab.Answered(now, c, time.Millisecond, 0)
			case k < 9:
				tab.Failed(known[r.IntN(len(known))])
			default:
				tab.Asked(now, known[r.IntN(len(known))])
			}
			if i == 300 {
				tab.Rename(nodeid.Random(r))
			}
		}
		tab.check(t)

		target, n := nodeid.Random(r), r.IntN(20)
		var want []Contact
		for e := range tab.All {
			if e.Fails == 0 {
				want = append(want, e.Contact)
			}
		}
		slices.SortFunc(want, func(a, b Contact) int {
			if nodeid.Closer(&target, &a.ID, &b.ID) {
				return -1
			}
			return 1
		})
		want = want[:min(n, len(want))]
		if got := tab.Closest(nil, target, n, nodeid.ID{}); !slices.Equal(got, want) {
			t.Fatalf("Closest(%d): %v, want %v", n, got, want)
		}
	})
}

func TestOnlyThoseWhoAnswered(t *testing.T) {
	r, tab := newRand(), New(self, false)
	c := at(r, 3, site(1))
	tab.Asked(now, c)
	tab.Failed(c)
	if tab.Len() != 0 || !tab.Wants(c) {
		t.Error("a question put it into the table")
	}
	if !tab.Answered(now, c, time.Millisecond, 0) || tab.Len() != 1 || tab.Wants(c) {
		t.Error("an answer did not")
	}
	if tab.Answered(now, Contact{self, site(2)}, 0, 0) {
		t.Error("it took a node with its own ID")
	}
}

func TestNetworksAreLimited(t *testing.T) {
	r, tab := newRand(), New(self, false)
	for i := range 200 {
		tab.Answered(now, at(r, i%10, addr(0x20010db800000000, uint64(i))), time.Millisecond, 0)
	}
	if tab.Len() != whole64 {
		t.Errorf("%d nodes of one /64", tab.Len())
	}
	tab.check(t)
	// Local addresses say nothing about who is behind them.
	tab = New(self, false)
	for i := range 30 {
		tab.Answered(now, at(r, i%10, netip.AddrPortFrom(netip.IPv6Loopback(), uint16(1+i))), time.Millisecond, 0)
	}
	if tab.Len() != 30 {
		t.Errorf("%d of 30 nodes on this host", tab.Len())
	}
}

// A /48 fills places nobody else wants and gives them up to others.
func TestCrowdedNetworksGiveWay(t *testing.T) {
	r, tab := newRand(), New(self, false)
	for i := range uint64(8) {
		if !tab.Answered(now, at(r, 6, addr(0x20010db800000000|i, 1)), time.Millisecond, 0) {
			t.Fatal("an empty place was refused")
		}
	}
	crowd := func() (n int) {
		for e := range tab.All {
			if network(e.Addr)>>16 == 0x20010db80000 {
				n++
			}
		}
		return n
	}
	for i := range uint64(100) {
		c := at(r, 6, site(100+i))
		tab.Answered(now, c, time.Millisecond, 0)
	}
	if n := crowd(); n != bucket48 {
		t.Errorf("%d nodes of the crowded /48 are left, want %d", n, bucket48)
	}
	tab.check(t)
}

func TestDeadMakeWay(t *testing.T) {
	r, tab := newRand(), New(self, false)
	var first []Contact
	for i := range uint64(8) {
		c := at(r, 6, site(i))
		first = append(first, c)
		tab.Answered(now, c, time.Millisecond, 0)
	}
	spare := at(r, 6, site(50))
	if tab.Answered(now, spare, time.Millisecond, 0) {
		t.Fatal("a live node was pushed out")
	}
	tab.Failed(first[0])
	if tab.Find(spare.ID) == nil || tab.Find(first[0].ID) != nil {
		t.Error("the spare did not take the place of the one that failed")
	}
	// The one that failed once gets another chance when others fail.
	tab.Failed(first[1])
	if tab.Find(first[0].ID) == nil {
		t.Error("one lost answer was taken for death")
	}
	// Without spares a node is dropped after three failures.
	tab = New(self, false)
	tab.Answered(now, first[0], time.Millisecond, 0)
	for range failsMax {
		if tab.Find(first[0].ID) == nil {
			t.Fatal("dropped too soon")
		}
		tab.Failed(first[0])
	}
	if tab.Len() != 0 {
		t.Error("not dropped")
	}
}

func TestNobodyTakesAnothersName(t *testing.T) {
	r, tab := newRand(), New(self, false)
	c := at(r, 6, site(1))
	tab.Answered(now, c, time.Millisecond, 0)
	thief := Contact{c.ID, site(2)}
	tab.Answered(now, thief, time.Millisecond, 0)
	if e := tab.Find(c.ID); e.Addr != c.Addr {
		t.Fatal("a name was stolen")
	}
	tab.Failed(thief)
	if e := tab.Find(c.ID); e.Fails != 0 {
		t.Error("the thief's failure counts for the owner")
	}
	// A node that moved gets its place when the old address is silent.
	tab.Failed(c)
	if tab.Answered(now, thief, time.Millisecond, 0); tab.Find(c.ID).Addr != thief.Addr {
		t.Error("a node that moved is kept out")
	}
	// One address has one place.
	renamed := at(r, 2, thief.Addr)
	tab.Answered(now, renamed, time.Millisecond, 0)
	if tab.Len() != 1 || tab.Find(renamed.ID) == nil {
		t.Errorf("%d nodes at one address", tab.Len())
	}
}

func TestStrict(t *testing.T) {
	r, tab := newRand(), New(self, true)
	bad := at(r, 3, site(1))
	if tab.Wants(bad) || tab.Answered(now, bad, time.Millisecond, 0) {
		t.Error("a strict table took an ID that does not fit")
	}
	good := Contact{nodeid.Derive(site(1).Addr(), r), site(1)}
	if !tab.Wants(good) || !tab.Answered(now, good, time.Millisecond, 0) {
		t.Error("a strict table refused an ID that fits")
	}
}

// In a full bucket, nodes whose ID fits push out those whose does not.
func TestFittingIDsArePreferred(t *testing.T) {
	r, tab := newRand(), New(self, false)
	other := self.Flip(0)
	for i := range uint64(200) {
		tab.Answered(now, Contact{other.At(4, r), site(i)}, time.Millisecond, 0)
	}
	if tab.Len() != 128 {
		t.Fatalf("%d nodes", tab.Len())
	}
	added := 0
	for i := uint64(1000); added < 128; i++ {
		c := Contact{nodeid.Derive(site(i).Addr(), r), site(i)}
		if c.ID.Prefix(self) == 0 && tab.Answered(now, c, time.Millisecond, 0) {
			added++
		}
	}
	for e := range tab.All {
		if !e.Entitle {
			t.Fatal("a node whose ID does not fit kept its place")
		}
	}
}

func TestName(t *testing.T) {
	r, tab := newRand(), New(self, false)
	target := self.Flip(0)
	var open []Contact
	for i := range uint64(100) {
		c := Contact{target.At(int(i%20), r), site(i)}
		asked := time.Duration(0)
		if i%2 == 0 {
			asked = now - time.Second // it asked us just before it answered
		} else {
			open = append(open, c)
		}
		if !tab.Answered(now, c, time.Millisecond, asked) {
			t.Fatal("no room")
		}
	}
	got := tab.Name(nil, target, K, nodeid.ID{})
	if want := tab.Closest(nil, target, K, nodeid.ID{}); !slices.Equal(got[:K], want) {
		t.Errorf("the first are %v, want the closest", got[:K])
	}
	n := 0
	for _, c := range got {
		if slices.Contains(open, c) {
			n++
		}
	}
	if n < K || len(got) > K+K/2 {
		t.Errorf("%d named, %d of them open", len(got), n)
	}
	if without := tab.Name(nil, target, K, got[0].ID); slices.Contains(without, got[0]) {
		t.Error("the one left out is named")
	}
}

func TestCheckFindsTheSilent(t *testing.T) {
	r, tab := newRand(), New(self, false)
	asker, other := at(r, 1, site(1)), at(r, 2, site(2))
	tab.Answered(now, asker, time.Millisecond, now-time.Second)
	tab.Answered(now, other, time.Millisecond, 0)
	if got := tab.Check(nil, now+time.Minute, 9); len(got) != 0 {
		t.Errorf("after a minute: %v", got)
	}
	if got := tab.Check(nil, now+Settled+time.Second, 9); !slices.Equal(got, []Contact{asker}) {
		t.Errorf("after five minutes: %v", got)
	}
	later := now + Settled + 2*time.Second
	tab.Answered(later, asker, time.Millisecond, 0)
	if !tab.Find(asker.ID).Open {
		t.Error("it answered unasked, and is not open")
	}
	if got := tab.Check(nil, now+Fresh+time.Second, 9); !slices.Equal(got, []Contact{other}) {
		t.Errorf("after a quarter of an hour: %v", got)
	}
	if got := tab.Check(nil, now+Fresh+2*time.Second, 9); len(got) != 0 {
		t.Errorf("asked twice: %v", got)
	}
	if g := tab.Good(now + Fresh + time.Second); g != 1 {
		t.Errorf("%d good nodes", g)
	}
}

func TestThin(t *testing.T) {
	r, tab := newRand(), New(self, false)
	if _, thin := tab.Thin(now, time.Minute, r); thin {
		t.Error("an empty table has nobody to ask")
	}
	for i := range uint64(40) {
		tab.Answered(now, at(r, 0, site(i)), time.Millisecond, 0)
	}
	tab.Answered(now, at(r, 3, site(100)), time.Millisecond, 0)
	var found []int
	for range 10 {
		id, thin := tab.Thin(now, time.Minute, r)
		if !thin {
			break
		}
		found = append(found, self.Prefix(id))
		tab.Looked(now, id)
	}
	if !slices.Equal(found, []int{1, 2, 3}) {
		t.Errorf("thin buckets: %v", found)
	}
}
