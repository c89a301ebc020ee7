package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
	"github.com/shoalnet/shoal/index/dht/internal/token"
)

// The parts of a node, each tested without the others where it needs none.

// wire keeps what a sender was given.
type wire struct {
	t    *testing.T
	sent []packet
	dead bool
}

func (w *wire) send(b []byte, to netip.AddrPort, via Via) bool {
	if !w.dead {
		w.sent = append(w.sent, packet{b: append([]byte(nil), b...), addr: to, via: via})
	}
	return !w.dead
}

// last decodes the latest datagram.
func (w *wire) last() (m krpc.Message, to netip.AddrPort) {
	w.t.Helper()
	if len(w.sent) == 0 {
		w.t.Fatal("nothing was sent")
	}
	p := w.sent[len(w.sent)-1]
	if err := krpc.Decode(p.b, &m); err != nil {
		w.t.Fatal(err)
	}
	return m, p.addr
}

func newTestQueries(t *testing.T) (*queries, *wire) {
	w := &wire{t: t}
	i := newIdentity()
	return &queries{
		clock: i.clock, identity: i, table: i.table, remotes: newRemotes(), sender: newSender(w.send),
		pending: make(map[uint32]*query),
	}, w
}

// outcome is an asker that counts.
type outcome struct{ replies, lates, fails, code int }

func (o *outcome) reply(*query, *krpc.Message) { o.replies++ }
func (o *outcome) late(*query)                 { o.lates++ }
func (o *outcome) fail(_ *query, code int)     { o.fails, o.code = o.fails+1, code }

// pass lets time pass for a part that has timers.
func (c *clock) pass(d time.Duration) {
	for until := c.now + d; ; c.fire() {
		at, any := c.deadline()
		if !any || at > until {
			c.enter(until)
			return
		}
		c.enter(at)
	}
}

func TestASenderCountsWhatTheSystemTook(t *testing.T) {
	w := &wire{t: t}
	s := newSender(w.send)
	s.buf = append(s.buf[:0], "abc"...)
	s.transmit(stranger(1), Via{})
	w.dead = true
	s.transmit(stranger(1), Via{})
	if want := (SendStats{Out: 1, Unsent: 1, BytesOut: 3}); s.stats != want {
		t.Errorf("it counted %+v, want %+v", s.stats, want)
	}
}

func TestAQueryIsAnsweredOnce(t *testing.T) {
	qs, w := newTestQueries(t)
	to := table.Contact{ID: nodeid.Derive(stranger(1).Addr(), qs.rand), Addr: stranger(1)}
	var got outcome
	qs.ask(to, &krpc.Query{Method: krpc.Ping}, &got, nil)
	m, addr := w.last()
	if addr != to.Addr || m.ID != qs.identity.ID() {
		t.Fatalf("%v was asked by %v", addr, m.ID)
	}
	answer := krpc.Message{Kind: krpc.KindReply, TID: m.TID, ID: to.ID}
	if q, _ := qs.answered(&answer, stranger(2)); q != nil {
		t.Fatal("another address answered the query")
	}
	q, back := qs.answered(&answer, to.Addr)
	if q == nil || back {
		t.Fatalf("the answer fits %v, back online %v", q, back)
	}
	qs.deliver(q, &answer)
	if again, _ := qs.answered(&answer, to.Addr); again != nil {
		t.Error("a query was answered twice")
	}
	if got != (outcome{replies: 1}) || qs.table.Find(to.ID) == nil || len(qs.pending) != 0 || qs.stats.Stray != 2 {
		t.Errorf("%+v, %d pending, %d strays", got, len(qs.pending), qs.stats.Stray)
	}
	if _, any := qs.deadline(); any {
		t.Error("a timer of the query still runs")
	}
}

func TestAQueryIsLateThenLost(t *testing.T) {
	qs, _ := newTestQueries(t)
	var got outcome
	qs.ask(table.Contact{Addr: stranger(1)}, &krpc.Query{Method: krpc.FindNode}, &got, nil)
	qs.pass(slowFirst)
	if got != (outcome{lates: 1}) {
		t.Fatalf("after %v: %+v", slowFirst, got)
	}
	qs.pass(time.Minute)
	if got != (outcome{lates: 1, fails: 1}) || qs.stats.Timeouts != 1 || len(qs.pending) != 0 {
		t.Errorf("%+v, %d timeouts, %d pending", got, qs.stats.Timeouts, len(qs.pending))
	}
}

// A query that its asker gave up is not sent if it is still held back, and
// nobody is told of its answer.
func TestAnAbandonedQuery(t *testing.T) {
	qs, w := newTestQueries(t)
	var got outcome
	var last *query
	for range int(paceRate.Burst) + 1 {
		last = qs.ask(table.Contact{Addr: stranger(1)}, &krpc.Query{Method: krpc.Ping}, &got, new(lookup.Node))
	}
	sent := len(w.sent)
	if last.phase != paced {
		t.Fatalf("%d queries were sent to one node at once", sent)
	}
	for _, q := range qs.pending {
		qs.abandon(q)
	}
	if len(qs.pending) != sent {
		t.Errorf("%d queries are pending, %d are on their way", len(qs.pending), sent)
	}
	if qs.pass(time.Minute); got != (outcome{}) || len(w.sent) != sent {
		t.Errorf("the asker was told %+v, %d sent", got, len(w.sent)-sent)
	}
}

// fill puts n nodes into the table, as if they had answered.
func (qs *queries) fill(n int) []table.Contact {
	var nodes []table.Contact
	for i := range n {
		c := table.Contact{ID: nodeid.Derive(stranger(1000+i).Addr(), qs.rand), Addr: stranger(1000 + i)}
		qs.table.Answered(qs.now, c, 20*time.Millisecond, 0)
		nodes = append(nodes, c)
	}
	return nodes
}

func TestPingsAreBounded(t *testing.T) {
	qs, w := newTestQueries(t)
	p := &pings{queries: qs}
	node := table.Contact{ID: nodeid.ID{9}, Addr: stranger(1)}
	if !p.ping(node, Via{Socket: 3}) || p.ping(node, Via{}) || len(w.sent) != 1 || w.sent[0].via.Socket != 3 {
		t.Fatalf("a node was pinged %d times", len(w.sent))
	}
	for i := range 1000 {
		p.ping(table.Contact{Addr: stranger(2 + i)}, Via{})
	}
	if len(w.sent) > int(pingRate.Burst) {
		t.Errorf("%d pings at once", len(w.sent))
	}
}

// A node that is silent loses its place to the one that claims its ID; one that
// answers keeps it.
func TestAChallenge(t *testing.T) {
	for _, answers := range []bool{true, false} {
		qs, w := newTestQueries(t)
		p := &pings{queries: qs}
		old := qs.fill(1)[0]
		claimant := table.Contact{ID: old.ID, Addr: stranger(5)}
		p.challenge(old, claimant, Via{})
		m, to := w.last()
		if to != old.Addr || m.Method != krpc.Ping {
			t.Fatalf("%v was sent %v", to, m.Method)
		}
		if answers {
			reply := krpc.Message{Kind: krpc.KindReply, TID: m.TID, ID: old.ID}
			q, _ := qs.answered(&reply, old.Addr)
			qs.deliver(q, &reply)
		}
		qs.pass(time.Minute)
		if _, to := w.last(); (to == claimant.Addr) == answers {
			t.Errorf("the old node answers: %v; the last to be pinged was %v", answers, to)
		}
		if e := qs.table.Find(old.ID); (e.Fails == 0) != answers {
			t.Errorf("the old node answers: %v; %d failures", answers, e.Fails)
		}
	}
}

func TestSearchesWaitForRoom(t *testing.T) {
	qs, _ := newTestQueries(t)
	qs.fill(20)
	ss := &searches{queries: qs}
	over, chores := 0, 0
	begin := func(chore bool, n *int) func() {
		return ss.begin(Search{
			Method: krpc.FindNode, Target: nodeid.Random(qs.rand), Chore: chore,
			Done: func(*lookup.Lookup) { *n++ },
		})
	}
	for range 2 * searchMax {
		begin(true, &chores)
	}
	if len(ss.active) == searchMax {
		t.Fatal("our own upkeep took all the room")
	}
	for range 2 * searchMax {
		begin(false, &over)
	}
	cancel := begin(false, &over)
	if len(ss.active) != searchMax {
		t.Fatalf("%d searches at a time", len(ss.active))
	}
	waiting := len(ss.waiting)
	if cancel(); len(ss.waiting) != waiting-1 {
		t.Error("a search that was cancelled waits on")
	}
	qs.pass(time.Hour) // nobody answers
	if over != 2*searchMax || chores != 2*searchMax || len(ss.active)+len(ss.waiting) != 0 || len(qs.pending) != 0 {
		t.Errorf("%d and %d of %d are over, %d queries pending", over, chores, 2*searchMax, len(qs.pending))
	}
}

func TestParkedQueriesAreAnsweredOnce(t *testing.T) {
	c := newClock([32]byte{1})
	var answered []netip.AddrPort
	p := newParking(c, func(q *parked) { answered = append(answered, q.from) })
	if p.takes(parkedSize + 1) {
		t.Error("a large query may be parked")
	}
	for i := 0; p.takes(100); i++ {
		p.add(make([]byte, 100), stranger(i%3), Via{})
		c.pass(time.Millisecond)
	}
	if len(p.list) != parkedMax {
		t.Fatalf("%d are parked", len(p.list))
	}
	p.proven(stranger(1))
	if n := len(answered); n != (parkedMax+1)/3 || answered[0] != stranger(1) {
		t.Errorf("%d of one source were answered", n)
	}
	c.pass(2 * parkedLife)
	if _, any := c.deadline(); any || len(answered) != parkedMax || len(p.list) != 0 {
		t.Errorf("%d of %d were answered, %d are parked", len(answered), parkedMax, len(p.list))
	}
}

func TestStoresSweepAndCopy(t *testing.T) {
	c := newClock([32]byte{1})
	c.enter(time.Hour)
	s := newStores(c, 0, 0)
	key, self := nodeid.ID{1}, stranger(1)
	s.peers.Add(c.now, key, self, false)
	s.peers.Add(c.now, key, stranger(2), false)
	if got := s.peersOf(key, false, self); len(got) != 1 || got[0] != stranger(2) {
		t.Errorf("the peers besides us are %v", got)
	}
	it := &items.Item{V: []byte("5:hello")}
	s.items.Put(c.now, it, nil, stranger(1))
	if got := s.item(it.Target(), false, 0); got == nil || &got.V[0] == &it.V[0] {
		t.Errorf("got %v, want a copy", got)
	}
	if s.item(it.Target(), true, 0) != nil || s.item(key, false, 0) != nil {
		t.Error("got an item of another kind or key")
	}
	c.enter(c.now + 24*time.Hour)
	if s.sweep(); s.peers.Len()+s.items.Len() != 0 {
		t.Errorf("%d peers and %d items are kept after a day", s.peers.Len(), s.items.Len())
	}
}

// A server alone: it answers, and pings whoever may be a node.
func TestAServerAnswers(t *testing.T) {
	qs, w := newTestQueries(t)
	p := &pings{queries: qs}
	s := &server{
		clock: qs.clock, identity: qs.identity, table: qs.table, remotes: qs.remotes, sender: qs.sender,
		pings: p, stores: newStores(qs.clock, 0, 0), tokens: token.New([32]byte{1}), rates: limit.NewQueries(eachRate, strangersRate),
	}
	s.parking = newParking(qs.clock, s.unpark)
	raw := krpc.AppendQuery(nil, &krpc.Query{Method: krpc.Ping, ID: nodeid.ID{0xaa}, TID: [4]byte{1, 2, 3, 4}})
	var m krpc.Message
	if err := krpc.Decode(raw, &m); err != nil {
		t.Fatal(err)
	}
	s.serve(&m, raw, stranger(1), Via{})
	if len(w.sent) != 2 || s.stats.RepliesOut != 1 || s.stats.QueriesIn[krpc.Ping] != 1 {
		t.Errorf("%d datagrams, counted %+v", len(w.sent), s.stats)
	}
	s.readOnly = true
	if s.serve(&m, raw, stranger(1), Via{}); s.stats.RepliesOut != 1 {
		t.Error("a read-only node answered")
	}
}

// network answers for the nodes of a table: each names the others and gives a
// token. It delivers what was sent since the last round.
type network struct {
	qs    *queries
	w     *wire
	nodes []table.Contact
	read  int
	asked map[krpc.Method]int
	item  *items.Item // what every node has
	peers []netip.AddrPort
}

func newNetwork(t *testing.T, n int) *network {
	qs, w := newTestQueries(t)
	return &network{qs: qs, w: w, nodes: qs.fill(n), asked: make(map[krpc.Method]int)}
}

func (n *network) run(d time.Duration) {
	for until := n.qs.now + d; ; {
		for ; n.read < len(n.w.sent); n.read++ {
			n.answer(n.w.sent[n.read])
		}
		at, any := n.qs.deadline()
		if !any || at > until {
			n.qs.enter(until)
			return
		}
		n.qs.enter(at)
		n.qs.fire()
	}
}

func (n *network) answer(p packet) {
	var m krpc.Message
	if err := krpc.Decode(p.b, &m); err != nil {
		n.w.t.Fatal(err)
	}
	n.asked[m.Method]++
	for _, node := range n.nodes {
		if node.Addr != p.addr {
			continue
		}
		r := krpc.Reply{TID: m.TID, ID: node.ID, To: stranger(0), Token: []byte("token"), HasNodes: true}
		for _, o := range n.nodes[:min(8, len(n.nodes))] {
			r.Nodes = append(r.Nodes, krpc.Node(o))
		}
		if m.Method == krpc.Get && n.item != nil {
			r.V = n.item.V
		}
		if m.Method == krpc.GetPeers {
			r.Values = n.peers
		}
		var back krpc.Message
		if err := krpc.Decode(krpc.AppendReply(nil, &r), &back); err != nil {
			n.w.t.Fatal(err)
		}
		if q, _ := n.qs.answered(&back, p.addr); q != nil {
			n.qs.deliver(q, &back)
		}
	}
}

func TestAFinderAlone(t *testing.T) {
	n := newNetwork(t, 20)
	f := &finder{
		clock: n.qs.clock, identity: n.qs.identity, queries: n.qs,
		searches: &searches{queries: n.qs}, stores: newStores(n.qs.clock, 0, 0),
	}
	it := &items.Item{V: []byte("5:hello")}
	var put Stored
	f.PutItem(it, nil, func(s Stored) { put = s })
	n.run(time.Minute)
	if put.Asked != table.K || put.Accepted != table.K || n.asked[krpc.Put] != table.K {
		t.Errorf("storing an item came to %+v", put)
	}

	n.item = it
	var got *items.Item
	over := false
	f.GetItem(it.Target(), nil, nil, -1, func(i *items.Item) bool { got = i; return false }, func() { over = true })
	n.run(time.Minute)
	if got == nil || string(got.V) != string(it.V) || !over {
		t.Errorf("found %v, over %v", got, over)
	}

	n.peers = []netip.AddrPort{stranger(7)}
	key := nodeid.ID{5}
	f.stores.peers.Add(f.now, key, stranger(8), false)
	seen := make(map[netip.AddrPort]bool)
	f.GetPeers(key, false, func(ps []netip.AddrPort) {
		for _, p := range ps {
			seen[p] = true
		}
	}, func(*lookup.Lookup) {})
	n.run(time.Minute)
	if !seen[stranger(7)] || !seen[stranger(8)] {
		t.Errorf("found %v, want the peer that others know and the one stored here", seen)
	}

	// Nodes out in the world know of no peer on our network or host.
	n.peers = append(n.peers, netip.MustParseAddrPort("[fd00::1]:1"), netip.MustParseAddrPort("[::1]:1"), netip.MustParseAddrPort("[fe80::1]:1"))
	clear(seen)
	f.GetPeers(nodeid.ID{6}, false, func(ps []netip.AddrPort) {
		for _, p := range ps {
			seen[p] = true
		}
	}, func(*lookup.Lookup) {})
	n.run(time.Minute)
	if len(seen) != 1 || !seen[stranger(7)] {
		t.Errorf("found %v", seen)
	}
}

func TestAnAnnouncerAlone(t *testing.T) {
	n := newNetwork(t, 20)
	a := newAnnouncer(n.qs, &searches{queries: n.qs}, newStores(n.qs.clock, 0, 0), nil)
	for range 10 {
		a.add(nodeid.Random(n.qs.rand))
	}
	n.run(time.Minute)
	if s := a.report(); s.Keys != 10 || s.Waiting != 0 || s.Announced < 10 || n.asked[krpc.AnnouncePeer] < 10*table.K {
		t.Errorf("after a minute: %+v, %d announcements", s, n.asked[krpc.AnnouncePeer])
	}
	before := a.report().Announced
	a.everything()
	n.run(time.Minute)
	if s := a.report(); s.Announced < before+10 || s.Waiting != 0 {
		t.Errorf("after a change: %+v, was %d", s, before)
	}
	for len(a.keys) > 0 {
		a.remove(a.keys[0].id)
	}
	n.run(time.Minute)
	before = a.report().Announced
	if n.run(time.Hour); a.report().Announced != before {
		t.Error("what was removed is announced on")
	}
}

func TestUpkeepAlone(t *testing.T) {
	n := newNetwork(t, 0)
	var met []bool
	hungry, joined := 0, 0
	u := newUpkeep(n.qs, &searches{queries: n.qs}, &pings{queries: n.qs}, &Config{
		WantContacts: func() { hungry++ },
		Joined:       func() { joined++ },
		OnConnected:  func(connected bool) { met = append(met, connected) },
	})
	u.begin()
	n.run(time.Minute)
	if hungry < 2 {
		t.Errorf("knowing nobody, it asked for contacts %d times", hungry)
	}
	for i := range 20 {
		c := table.Contact{ID: nodeid.Derive(stranger(i).Addr(), n.qs.rand), Addr: stranger(i)}
		n.nodes = append(n.nodes, c)
	}
	u.add(table.Contact{Addr: n.nodes[0].Addr})
	u.add(table.Contact{Addr: netip.AddrPortFrom(netip.IPv6Unspecified(), 1)}) // nothing to dial
	n.run(time.Minute)
	u.reportIsolation()
	if joined != 1 || len(met) != 1 || !met[0] || n.qs.table.Len() < table.K {
		t.Fatalf("joined %d times, met %v, %d nodes known", joined, met, n.qs.table.Len())
	}
	n.nodes = nil // everybody is gone, or we are offline
	n.run(2 * time.Hour)
	u.reportIsolation()
	if len(met) != 2 || met[1] {
		t.Errorf("met %v after the network was gone", met)
	}
}
