package core

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

func TestTimersAreInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h := newClock([32]byte{})
	all := make([]*timer, 200)
	for i := range all {
		all[i] = new(timer)
	}
	for range 5000 {
		x := all[r.IntN(len(all))]
		if r.IntN(3) == 0 {
			h.stop(x)
		} else {
			h.setAt(x, time.Duration(r.IntN(1000)))
		}
		for x := range h.timers.All() {
			if !x.Queued() || x.at < h.timers.First().at {
				t.Fatalf("a timer of %d is out of place", h.timers.Len())
			}
		}
	}
	last := time.Duration(0)
	for h.timers.Len() > 0 {
		x := h.timers.First()
		if h.stop(x); x.at < last {
			t.Fatal("out of order")
		}
		last = x.at
	}
}

// Only the node that was asked can answer, and only with the transaction id
// that it was sent.
func TestForgedAnswers(t *testing.T) {
	h := newHarness(t, nil)
	victim := stranger(1)
	h.AddContact(h.at, victim)
	var asked krpc.Message
	if err := krpc.Decode(h.take()[0].b, &asked); err != nil {
		t.Fatal(err)
	}
	forged := krpc.Reply{TID: asked.TID, ID: nodeid.ID{0xee}, To: victim, HasNodes: true, Nodes: []krpc.Node{{ID: nodeid.ID{0xef}, Addr: stranger(66)}}}
	send := func(from netip.AddrPort, tid []byte) {
		forged.TID = tid
		h.send(from, krpc.AppendReply(nil, &forged))
	}
	send(stranger(2), asked.TID)
	send(netip.AddrPortFrom(victim.Addr(), 1), asked.TID)
	for i := range 4 {
		tid := slices.Clone(asked.TID)
		tid[i]++
		send(victim, tid)
	}
	send(victim, asked.TID[:3])
	if s := h.Stats(h.at); s.Stray != 7 || h.table.Len() != 0 {
		t.Errorf("%d strays, %d nodes", s.Stray, h.table.Len())
	}
	send(victim, asked.TID)
	if h.table.Len() != 1 {
		t.Error("the right answer was not taken")
	}
	send(victim, asked.TID)
	if s := h.Stats(h.at); s.Stray != 8 {
		t.Error("the same answer was taken twice")
	}
}

func TestTransactionIDsAreNotGuessable(t *testing.T) {
	h := newHarness(t, nil)
	seen := make(map[uint32]bool)
	var last uint32
	for i := range 200 {
		h.AddContact(h.at, stranger(i))
		h.run(3 * time.Second)
	}
	near := 0
	for _, p := range h.take() {
		var m krpc.Message
		if krpc.Decode(p.b, &m) != nil || len(m.TID) != 4 {
			t.Fatalf("%q", p.b)
		}
		id := binary.BigEndian.Uint32(m.TID)
		if seen[id] {
			t.Error("the same transaction id twice")
		}
		seen[id] = true
		if id-last < 1000 {
			near++
		}
		last = id
	}
	if near > 2 || len(seen) < 200 {
		t.Errorf("%d of %d follow their predecessor", near, len(seen))
	}
}

// A node of other make is not asked more than 50 times in ten seconds, since
// such nodes ban for that, whatever we have to do there.
func TestPace(t *testing.T) {
	h := newHarness(t, nil)
	a := stranger(1)
	h.answer[a] = func(m *krpc.Message) []byte {
		return otherMake(krpc.AppendReply(nil, &krpc.Reply{TID: m.TID, ID: nodeid.ID{1}, To: a, HasNodes: true, Token: []byte("tok")}))
	}
	h.AddContact(h.at, a)
	h.flush()
	for range 300 {
		h.Announce(h.at, nodeid.Random(h.rand))
	}
	h.run(2 * time.Minute)
	var when []time.Duration
	for _, p := range h.take() {
		if p.addr == a {
			when = append(when, p.when)
		}
	}
	most := 0
	for i := range when {
		n := 0
		for n < len(when)-i && when[i+n]-when[i] < 10*time.Second {
			n++
		}
		most = max(most, n)
	}
	t.Logf("%d queries, at most %d in ten seconds", len(when), most)
	if most > 50 || len(when) < 300 {
		t.Errorf("%d queries, %d in ten seconds", len(when), most)
	}
}

// While nobody at all answers, the fault is ours: the table stays, and all goes
// on when the line is back.
func TestOffline(t *testing.T) {
	h := newHarness(t, nil)
	h.know(30)
	id := nodeid.Random(h.rand)
	h.Announce(h.at, id)
	h.run(time.Minute)
	saved := h.answer
	h.answer = nil
	before := h.table.Len()
	h.take()
	h.run(3 * time.Hour)
	s := h.Stats(h.at)
	if h.table.Len() < before-offlineAfter || !s.Offline {
		t.Errorf("%d of %d nodes left, offline %v", h.table.Len(), before, s.Offline)
	}
	if n := len(h.take()); n > 3*3600/10 {
		t.Errorf("%d datagrams into the void in three hours", n)
	}
	h.answer = saved
	announced := s.Announce.Announced
	h.run(time.Minute)
	if s := h.Stats(h.at); s.Offline || s.Announce.Announced <= announced {
		t.Errorf("a minute after the line is back: %+v", s)
	}
}

// Two nodes are enough to lose, and not to be lost: the line that came back
// brings them back.
func TestOfflineWithFewNodes(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		h := newHarness(t, nil)
		h.know(n)
		saved := h.answer
		h.answer = nil
		h.run(3 * time.Hour)
		if s := h.Stats(h.at); s.Nodes < (n+1)/2 || !s.Offline {
			t.Errorf("%d of %d nodes left, offline %v", s.Nodes, n, s.Offline)
		}
		h.answer = saved
		h.run(time.Minute)
		if s := h.Stats(h.at); s.Offline || s.Good < (n+1)/2 {
			t.Errorf("a minute after the line is back: %+v", s)
		}
	}
}

// Those who ask under addresses that are not theirs are pinged and do not answer,
// and so are the nodes that a liar invents. That says nothing about our line.
func TestForgedSilence(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(10)
	for i := range 600 {
		q := aQuery(krpc.FindNode)
		q.ID = nodeid.Random(h.rand)
		h.send(stranger(200_000+i), krpc.AppendQuery(nil, &q))
		h.run(100 * time.Millisecond)
		if h.queries.offline() {
			t.Fatalf("offline after %d forged queries", i+1)
		}
	}
	var ghosts []krpc.Node
	for i := range 16 {
		ghosts = append(ghosts, krpc.Node{ID: nodeid.ID{0xcc, byte(i)}, Addr: stranger(300_000 + i)})
	}
	for _, n := range nodes {
		h.node(n.Addr, n.ID, ghosts...)
	}
	h.Begin(Search{Method: krpc.FindNode, Target: nodeid.ID{0xcc}, Paths: Paths})
	h.flush()
	for range 100 {
		h.run(100 * time.Millisecond)
		if h.queries.offline() {
			t.Fatal("offline for asking nodes that do not exist")
		}
	}
}

func TestHungryWithBackoff(t *testing.T) {
	h := newHarness(t, nil)
	if h.hungry != 1 {
		t.Errorf("hungry %d times at once", h.hungry)
	}
	h.run(time.Hour)
	if h.hungry < 10 || h.hungry > 25 {
		t.Errorf("hungry %d times in an hour", h.hungry)
	}
	// A new address is a reason to try at once.
	before := h.hungry
	h.SetAddresses(h.at, []netip.Addr{local})
	if h.hungry != before+1 {
		t.Error("not hungry when an address appeared")
	}
	h.know(table.K)
	before = h.hungry
	h.run(time.Hour)
	if h.hungry > before+1 {
		t.Errorf("hungry %d times with %d nodes known", h.hungry-before, h.table.Len())
	}
}

// The ID follows the address that most others see, and not what a few say.
func TestVotes(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.ID = nodeid.ID{1, 2, 3} })
	truth, lie := netip.MustParseAddr("2001:db8:1234:5678::9"), netip.MustParseAddr("2001:db8:6666:6666::6")
	for range 50 { // one voter is one voter
		h.vote(stranger(1), lie)
	}
	h.vote(netip.AddrPortFrom(netip.MustParseAddr("2001:db8:1::77"), 1), lie) // and so is a /64
	if h.identity.votes.winner.IsValid() || h.ID() != (nodeid.ID{1, 2, 3}) {
		t.Error("one network decided")
	}
	for i := range 8 {
		h.vote(stranger(10+i), truth)
	}
	if h.identity.votes.winner != truth || !nodeid.Fits(h.ID(), truth) {
		t.Errorf("winner %v, ID %v", h.identity.votes.winner, h.ID())
	}
	id := h.ID()
	for i := range 7 {
		h.vote(stranger(100+i), lie)
	}
	if h.identity.votes.winner != truth || h.ID() != id {
		t.Error("a minority changed the ID")
	}
	// Nor does a change of mind every minute make us change ours.
	for i := range 24 {
		h.vote(stranger(200+i), lie)
	}
	if h.ID() != id {
		t.Error("the ID changed twice within a minute")
	}
	h.vote(stranger(1), netip.MustParseAddr("::1"))
	h.vote(stranger(2), netip.MustParseAddr("fd00::1"))
	if h.identity.votes.ring[h.identity.votes.next].addr == netip.MustParseAddr("fd00::1") {
		t.Error("a local address was voted for")
	}
}

// 24 nodes in one /48 changed the ID of a node that knew its own address, every
// ten minutes: one site has one vote, and no vote overrides an own address.
func TestVotesOfOneSiteAndAgainstAnOwnAddress(t *testing.T) {
	lie := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8:6666:%x::6", i)) }
	crowd := func(h *harness, from func(int) netip.AddrPort) {
		for round := range 6 {
			for i := range 24 {
				h.vote(from(i), lie(round))
			}
			h.run(renameEvery + time.Minute)
		}
	}
	inOneSite := func(i int) netip.AddrPort {
		return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:bad:%x::1]:6881", i))
	}

	h := newHarness(t, func(c *Config) { c.ID = nodeid.ID{1, 2, 3} })
	crowd(h, inOneSite)
	if h.ID() != (nodeid.ID{1, 2, 3}) || h.identity.votes.winner.IsValid() {
		t.Errorf("one /48 decided: ID %v, winner %v", h.ID(), h.identity.votes.winner)
	}

	own := netip.MustParseAddr("2001:db8:77:77::1")
	h = newHarness(t, nil)
	h.SetAddresses(h.at, []netip.Addr{own})
	id := h.ID()
	crowd(h, func(i int) netip.AddrPort { return stranger(100 + i) })
	if h.ID() != id || !nodeid.Fits(id, own) {
		t.Errorf("strangers changed the ID of a node that knows its address: %v, was %v", h.ID(), id)
	}
	if h.identity.votes.winner != lie(5) { // still told to the user, who may be behind a translator
		t.Errorf("seen as %v", h.identity.votes.winner)
	}

	// Without an address of its own the node believes what most sites say.
	h = newHarness(t, func(c *Config) { c.ID = nodeid.ID{1, 2, 3} })
	crowd(h, func(i int) netip.AddrPort { return stranger(100 + i) })
	if !nodeid.Fits(h.ID(), lie(5)) {
		t.Errorf("ID %v", h.ID())
	}
}

// With a new address come a new ID, queries from there, and all keys again,
// within a minute and without a storm.
func TestNewAddress(t *testing.T) {
	h := newHarness(t, nil)
	h.know(30)
	const keys = 200
	for range keys {
		h.Announce(h.at, nodeid.Random(h.rand))
	}
	h.run(time.Minute)
	before := h.Stats(h.at).Announce
	if before.Waiting != 0 {
		t.Fatalf("%+v", before)
	}
	h.take()
	fresh := netip.MustParseAddr("2001:db8:77:77::1")
	h.SetAddresses(h.at, []netip.Addr{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fd00::1"), fresh})
	if !nodeid.Fits(h.ID(), fresh) || h.table.Len() < 20 {
		t.Errorf("ID %v, %d nodes", h.ID(), h.table.Len())
	}
	h.run(time.Minute)
	s := h.Stats(h.at).Announce
	if s.Waiting != 0 || s.Announced != before.Announced+keys {
		t.Errorf("after a minute: %+v", s)
	}
	out := h.take()
	perSecond := make(map[time.Duration]int)
	for _, p := range out {
		if p.via.Addr != fresh {
			t.Fatalf("a query left from %v", p.via)
		}
		perSecond[p.when/time.Second]++
	}
	most := 0
	for _, n := range perSecond {
		most = max(most, n)
	}
	t.Logf("%d datagrams, at most %d in a second", len(out), most)
	if most > 300 || len(out) > keys*20 {
		t.Errorf("a storm: %d datagrams, %d in a second", len(out), most)
	}
	h.take()
	h.SetAddresses(h.at, []netip.Addr{fresh}) // nothing new
	if n := len(h.take()); n != 0 {
		t.Errorf("%d datagrams for no news", n)
	}
}

func TestSearchLimits(t *testing.T) {
	h := newHarness(t, nil)
	h.know(20)
	over, begun := 0, 200
	for range begun {
		h.Begin(Search{Method: krpc.FindNode, Target: nodeid.Random(h.rand), Done: func(*lookup.Lookup) { over++ }})
	}
	if len(h.searches.active) != searchMax {
		t.Errorf("%d searches at a time", len(h.searches.active))
	}
	h.run(time.Minute)
	if over != begun || len(h.searches.active) != 0 || len(h.searches.waiting) != 0 {
		t.Errorf("%d of %d are over, %d are going on", over, begun, len(h.searches.active))
	}
	cancel := h.Begin(Search{Method: krpc.FindNode, Done: func(*lookup.Lookup) { t.Error("told after it was cancelled") }})
	cancel()
	cancel()
	h.run(time.Minute)
	if len(h.searches.active) != 0 {
		t.Error("cancelled, and going on")
	}
	// With nobody to ask it is over at once.
	lonely := newHarness(t, nil)
	done := false
	lonely.Begin(Search{Method: krpc.FindNode, Done: func(*lookup.Lookup) { done = true }})
	if !done {
		t.Error("a search with nobody to ask goes on")
	}
}

// A forged or older item among the answers does not hide the right one.
func TestGetItemVerifies(t *testing.T) {
	h := newHarness(t, nil)
	h.know(10)
	key := newKey(t)
	good := signed(key, []byte("s"), 7, []byte("4:good"))
	old := signed(key, []byte("s"), 6, []byte("3:old"))
	forged := signed(newKey(t), []byte("s"), 9, []byte("6:forged"))
	forged.K = good.K
	answers := []*items.Item{forged, old, good, old}
	i := 0
	for addr, f := range h.answer {
		it := answers[i%len(answers)]
		i++
		h.answer[addr] = func(m *krpc.Message) []byte {
			if m.Method != krpc.Get {
				return f(m)
			}
			var r krpc.Message
			if krpc.Decode(f(m), &r) != nil {
				return nil
			}
			return krpc.AppendReply(nil, &krpc.Reply{
				TID: m.TID, ID: r.ID, To: addr, Token: []byte("t"), V: it.V, K: it.K, Sig: it.Sig, HasSeq: true, Seq: it.Seq,
			})
		}
	}
	var got *items.Item
	over := false
	h.GetItem(good.Target(), good.K, good.Salt, -1, func(it *items.Item) bool { got = it; return true }, func() { over = true })
	h.flush()
	h.run(time.Minute)
	if !over || got == nil || string(got.V) != "4:good" {
		t.Errorf("over %v, got %+v", over, got)
	}
	got = nil
	h.GetItem(good.Target(), good.K, good.Salt, 7, func(it *items.Item) bool { got = it; return true }, func() {})
	h.flush()
	h.run(time.Minute)
	if got != nil {
		t.Errorf("nothing is newer, got %+v", got)
	}
}
