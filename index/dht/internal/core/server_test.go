package core

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"

	"github.com/shoalnet/shoal/index/dht/internal/items"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/peers"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// signed makes a mutable item.
func signed(key ed25519.PrivateKey, salt []byte, seq int64, v []byte) *items.Item {
	return &items.Item{V: v, K: key.Public().(ed25519.PublicKey), Salt: salt, Seq: seq, Sig: bep44.Sign(key, salt, seq, v)}
}

func TestPing(t *testing.T) {
	h := newHarness(t, nil)
	from := stranger(1)
	m := reply(t, h.ask(from, aQuery(krpc.Ping)))
	if m == nil || m.Kind != krpc.KindReply || m.ID != h.ID() || m.IP != from || string(m.TID) != "abcd" {
		t.Fatalf("%+v", m)
	}
	if p := h.out[len(h.out)-1]; p.via.Addr != local {
		t.Errorf("it left from %v", p.via)
	}
}

func TestNamesTheNodesClosestToTheTarget(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(40)
	for _, method := range []krpc.Method{krpc.FindNode, krpc.GetPeers, krpc.Get} {
		target := nodeid.Random(h.rand)
		slices.SortFunc(nodes, func(a, b krpc.Node) int {
			if nodeid.Closer(&target, &a.ID, &b.ID) {
				return -1
			}
			return 1
		})
		q := aQuery(method)
		q.Target = target
		h.prove(stranger(1))
		m := reply(t, h.ask(stranger(1), q))
		var got []krpc.Node
		for id, a := range m.Nodes {
			got = append(got, krpc.Node{ID: id, Addr: a})
		}
		if !slices.Equal(got, nodes[:table.K]) {
			t.Errorf("%v: named %v, want %v", method, got, nodes[:table.K])
		}
		if (len(m.Token) > 0) != (method != krpc.FindNode) {
			t.Errorf("%v: token %q", method, m.Token)
		}
	}
}

func TestAskersAreNotNamedToThemselves(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(4)
	q := aQuery(krpc.FindNode)
	q.ID, q.Target = nodes[0].ID, nodes[0].ID
	m := reply(t, h.ask(nodes[0].Addr, q))
	for id := range m.Nodes {
		if id == nodes[0].ID {
			t.Error("named to itself")
		}
	}
}

func TestAnnounceAndGetPeers(t *testing.T) {
	h := newHarness(t, nil)
	a, b := stranger(1), stranger(2)
	announce := aQuery(krpc.AnnouncePeer)
	announce.Port = 51413
	code := func(from netip.AddrPort, tok []byte) int {
		announce.Token = tok
		m := reply(t, h.ask(from, announce))
		if m == nil {
			t.Fatal("no answer")
		}
		return m.Code
	}
	tok := slices.Clone(reply(t, h.ask(a, aQuery(krpc.GetPeers))).Token)
	if c := code(a, []byte("wrong")); c != krpc.CodeProtocol {
		t.Errorf("a wrong token: code %d", c)
	}
	if c := code(b, tok); c != krpc.CodeProtocol {
		t.Errorf("another's token: code %d", c)
	}
	if c := code(a, tok); c != 0 {
		t.Fatalf("the right token: code %d", c)
	}
	h.prove(b)
	got := slices.Collect(reply(t, h.ask(b, aQuery(krpc.GetPeers))).Peers)
	if want := netip.AddrPortFrom(a.Addr(), 51413); !slices.Equal(got, []netip.AddrPort{want}) {
		t.Errorf("peers %v, want %v", got, want)
	}
	announce.ImpliedPort = true
	if c := code(a, tok); c != 0 {
		t.Errorf("implied port: code %d", c)
	}
	got = slices.Collect(reply(t, h.ask(b, aQuery(krpc.GetPeers))).Peers)
	if !slices.Contains(got, a) {
		t.Errorf("peers %v, want %v among them", got, a)
	}
	h.run(11 * time.Minute)
	if c := code(a, tok); c != krpc.CodeProtocol {
		t.Errorf("an old token: code %d", c)
	}
}

// What is on the local network is named there and nowhere else.
func TestLocalPeersStayLocal(t *testing.T) {
	h := newHarness(t, nil)
	key := aQuery(krpc.GetPeers).Target
	near, here, far := netip.MustParseAddrPort("[fd00::1]:1"), netip.MustParseAddrPort("[::1]:2"), stranger(7)
	for _, p := range []netip.AddrPort{near, here, far} {
		h.stores.peers.Add(h.at, key, p, false)
	}
	for from, want := range map[netip.AddrPort]int{
		stranger(1): 1, netip.MustParseAddrPort("[fd00::2]:6881"): 2, netip.MustParseAddrPort("[::1]:6881"): 2,
	} {
		h.prove(from)
		got := slices.Collect(reply(t, h.ask(from, aQuery(krpc.GetPeers))).Peers)
		if len(got) != want || !slices.Contains(got, far) {
			t.Errorf("%v is told of %v", from, got)
		}
		if i := slices.Index(got, here); (i >= 0) != from.Addr().IsLoopback() {
			t.Errorf("%v is told of %v", from, got)
		}
	}
}

func TestItemsOverTheWire(t *testing.T) {
	h := newHarness(t, nil)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	from := stranger(1)
	h.prove(from)
	get := aQuery(krpc.Get)
	tok := slices.Clone(reply(t, h.ask(from, get)).Token)
	put := func(it *items.Item, cas *int64) int {
		q := aQuery(krpc.Put)
		q.Token, q.V, q.K, q.Sig, q.Salt = tok, it.V, it.K, it.Sig, it.Salt
		q.HasSeq, q.Seq = it.Mutable(), it.Seq
		if cas != nil {
			q.HasCas, q.Cas = true, *cas
		}
		return reply(t, h.ask(from, q)).Code
	}
	it := signed(key, []byte("salt"), 3, []byte("5:three"))
	bad := it.Clone()
	bad.Sig[5]++
	big := signed(key, nil, 1, []byte("1200:"+strings.Repeat("x", 1200)))
	salty := signed(key, bytes.Repeat([]byte("s"), 65), 1, []byte("1:x"))
	for _, c := range []struct {
		name string
		it   *items.Item
		cas  *int64
		want int
	}{
		{"forged", bad, nil, krpc.CodeSignature},
		{"big", big, nil, krpc.CodeTooBig},
		{"salty", salty, nil, krpc.CodeSaltTooBig},
		{"good", it, nil, 0},
		{"stale", signed(key, []byte("salt"), 2, []byte("3:two")), nil, krpc.CodeStale},
		{"cas", signed(key, []byte("salt"), 4, []byte("4:four")), new(int64(2)), krpc.CodeCAS},
	} {
		if got := put(c.it, c.cas); got != c.want {
			t.Errorf("%s: code %d, want %d", c.name, got, c.want)
		}
	}
	get.Target = it.Target()
	m := reply(t, h.ask(from, get))
	if string(m.V) != "5:three" || !bytes.Equal(m.K, it.K) || !bytes.Equal(m.Sig, it.Sig) || m.Seq != 3 || len(m.Token) == 0 {
		t.Errorf("got %+v", m)
	}
	get.HasSeq, get.Seq = true, 3
	if m := reply(t, h.ask(from, get)); m.V != nil || m.K != nil || !m.HasSeq || m.Seq != 3 {
		t.Errorf("asked for newer, got %+v", m)
	}
	tok = []byte("wrong")
	if got := put(it, nil); got != krpc.CodeProtocol {
		t.Errorf("wrong token: code %d", got)
	}
}

func TestScrape(t *testing.T) {
	h := newHarness(t, nil)
	for i := range 20 {
		h.stores.peers.Add(h.at, nodeid.ID{0xbb}, stranger(100+i), i < 5)
	}
	q := aQuery(krpc.GetPeers)
	q.Scrape = true
	h.prove(stranger(1))
	m := reply(t, h.ask(stranger(1), q))
	if len(m.BFsd) != krpc.BloomSize || len(m.BFpe) != krpc.BloomSize {
		t.Fatalf("%+v", m)
	}
	sd, pe := peers.Filter(m.BFsd), peers.Filter(m.BFpe)
	if a, b := sd.EstimateCount(), pe.EstimateCount(); a < 4 || a > 6 || b < 13 || b > 17 {
		t.Errorf("%.1f seeds, %.1f others; want 5 and 15", a, b)
	}
	q.Scrape, q.NoSeed = false, true
	if n := len(slices.Collect(reply(t, h.ask(stranger(1), q)).Peers)); n != 15 {
		t.Errorf("%d peers without seeds, want 15", n)
	}
}

func TestOddQueries(t *testing.T) {
	h := newHarness(t, nil)
	h.know(10)
	from := stranger(1)
	h.prove(from)
	answer := func(raw string) *krpc.Message {
		before := len(h.out)
		h.send(from, []byte(raw))
		return reply(t, h.out[before:])
	}
	const id = "2:id20:abcdefghij0123456789"
	if m := answer("d1:ad" + id + "e1:q4:vote1:t2:aa1:y1:qe"); m == nil || m.Code != krpc.CodeUnknown {
		t.Errorf("unknown method: %+v", m)
	}
	if m := answer("d1:ad" + id + "6:target20:abcdefghij0123456789e1:q17:sample_infohashes1:t2:aa1:y1:qe"); m == nil || len(m.Nodes6) == 0 {
		t.Errorf("unknown method with a target: %+v", m)
	}
	if m := answer("d1:ad" + id + "6:target20:abcdefghij01234567894:wantl2:n4ee1:q9:find_node1:t2:aa1:y1:qe"); m == nil || m.HasNodes6 {
		t.Errorf("only IPv4 nodes wanted: %+v", m)
	}
	if m := answer("d1:ade1:q4:ping1:t2:aa1:y1:qe"); m == nil || m.Code != krpc.CodeProtocol {
		t.Errorf("no ID: %+v", m)
	}
	if m := answer("d1:ad" + id + "e1:q4:ping1:t40:" + strings.Repeat("t", 40) + "1:y1:qe"); m != nil {
		t.Errorf("a long transaction id was echoed: %+v", m)
	}
}

// The datagrams that end other programs, and some more.
func TestHostileDatagrams(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(10)
	const id = "2:id20:abcdefghij0123456789"
	hostile := []string{
		"", "d", "de", "d1:", "i1e", "\x00", "d1:t2:aae",
		"d1:q13:announce_peer1:t2:aa1:y1:qe",
		"d1:q3:put1:t2:aa1:y1:qe",
		"d1:q9:find_node1:t2:aa1:y1:qe",
		"d2:ip1:x1:rd" + id + "e1:t2:aa1:y1:re",
		"d1:rd" + id + "6:valuesl1:xee1:t2:aa1:y1:re",
		"d1:rd" + id + "1:k32:" + strings.Repeat("k", 32) + "1:v1:xe1:t2:aa1:y1:re",
		"d1:ele1:t2:aa1:y1:ee", "d1:eli1ee1:t2:aa1:y1:ee", "d1:eli1ei2ee1:t2:aa1:y1:ee",
		"d1:ad" + id + "1:v" + strings.Repeat("l", 2000) + "e1:q3:put1:t2:aa1:y1:qe",
		"d1:ad" + id + "4:porti-1e5:token1:x9:info_hash20:abcdefghij0123456789e1:q13:announce_peer1:t2:aa1:y1:qe",
		strings.Repeat("d", 4000), strings.Repeat("l", 4000), strings.Repeat("9", 4000) + ":",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := make([]byte, r.IntN(200))
		for i := range b {
			b[i] = "del0123456789:ainrtqvy\x00\xff"[r.IntN(24)]
		}
		hostile = append(hostile, "d"+string(b))
	}
	for i, b := range hostile {
		from := nodes[i%len(nodes)].Addr
		if i%3 == 0 {
			from = stranger(i)
		}
		h.send(from, []byte(b))
	}
	h.run(time.Minute)
	if got := h.Stats(h.at).Malformed; got < uint64(len(hostile))/2 {
		t.Errorf("%d of %d counted as malformed", got, len(hostile))
	}
	if m := reply(t, h.ask(stranger(5000), aQuery(krpc.Ping))); m == nil {
		t.Error("it does not answer any more")
	}
}

// Whatever an address sends that proves nothing, it gets less than three times
// the bytes, pings and late answers included.
func TestAmplification(t *testing.T) {
	h := newHarness(t, nil)
	h.know(100)
	target := nodeid.ID{0xbb}
	for i := range 200 {
		h.stores.peers.Add(h.at, target, stranger(2000+i), i%2 == 0)
	}
	big := &items.Item{V: []byte("990:" + strings.Repeat("x", 990))}
	h.stores.items.Put(h.at, big, nil, stranger(1))
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	mutable := signed(key, nil, 1, []byte("900:"+strings.Repeat("y", 900)))
	h.stores.items.Put(h.at, mutable, nil, stranger(1))
	r := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for i := range 500 {
		victim := stranger(10_000 + i)
		in, out := 0, 0
		h.take()
		for range 1 + r.IntN(20) {
			q := aQuery([]krpc.Method{krpc.Ping, krpc.FindNode, krpc.GetPeers, krpc.Get, krpc.AnnouncePeer, krpc.Put}[r.IntN(6)])
			q.ID, q.Target = nodeid.Random(h.rand), []nodeid.ID{target, big.Target(), mutable.Target(), nodeid.Random(h.rand)}[r.IntN(4)]
			q.Scrape, q.ReadOnly = r.IntN(2) == 0, r.IntN(4) == 0
			q.Token, q.V, q.Port = []byte("x"), []byte("1:x"), 1
			b := krpc.AppendQuery(nil, &q)
			if r.IntN(10) == 0 {
				b = []byte("d1:q0:1:t1:x1:y1:qe")
			}
			in += len(b)
			h.send(victim, b)
			h.run(time.Duration(r.IntN(3000)) * time.Millisecond)
			// Nobody may be owed anything at any time.
			out = 0
			for _, p := range h.out {
				if p.addr == victim {
					out += len(p.b)
				}
			}
			if out >= unprovenGain*in {
				t.Fatalf("%d bytes for %d", out, in)
			}
		}
		h.run(10 * time.Second)
		out = 0
		for _, p := range h.out {
			if p.addr == victim {
				out += len(p.b)
			}
		}
		worst = max(worst, float64(out)/float64(in))
	}
	t.Logf("at most %.3f bytes sent for each received", worst)
	if worst >= unprovenGain || worst < 1 {
		t.Errorf("amplification %.2f", worst)
	}
}

// A large answer waits for the proof that its asker is there.
func TestLargeAnswersWait(t *testing.T) {
	h := newHarness(t, nil)
	it := &items.Item{V: []byte("900:" + strings.Repeat("x", 900))}
	h.stores.items.Put(h.at, it, nil, stranger(9))
	q := aQuery(krpc.Get)
	q.Target = it.Target()

	honest := stranger(1)
	h.node(honest, q.ID)
	if m := reply(t, h.ask(honest, q)); m != nil {
		t.Fatal("an answer before the proof")
	}
	h.run(100 * time.Millisecond)
	if m := reply(t, h.out); m == nil || !bytes.Equal(m.V, it.V) {
		t.Errorf("after the proof: %+v", m)
	}
	if s := h.Stats(h.at); s.Parked != 1 {
		t.Errorf("%d parked", s.Parked)
	}

	// Who does not answer pings gets the rest of the answer, late.
	h.take()
	silent := stranger(2)
	h.ask(silent, q)
	h.run(5 * time.Second)
	var got []packet
	for _, p := range h.out {
		if p.addr == silent {
			got = append(got, p)
		}
	}
	if m := reply(t, got); m == nil || m.V != nil || len(m.Token) == 0 {
		t.Errorf("without proof: %+v", m)
	}

	// Who says it will not answer gets that at once.
	q.ReadOnly = true
	if m := reply(t, h.ask(stranger(3), q)); m == nil || m.V != nil || len(m.Token) == 0 {
		t.Errorf("read-only: %+v", m)
	}
}

func TestRepliesFitADatagram(t *testing.T) {
	h := newHarness(t, nil)
	h.know(60)
	for i := range 400 {
		h.stores.peers.Add(h.at, nodeid.ID{0xbb}, stranger(2000+i), false)
	}
	it := &items.Item{V: []byte("996:" + strings.Repeat("x", 996))}
	h.stores.items.Put(h.at, it, nil, stranger(9))
	from := stranger(1)
	h.prove(from)
	for _, scrape := range []bool{false, true} {
		q := aQuery(krpc.GetPeers)
		q.Scrape = scrape
		ps := h.ask(from, q)
		if m := reply(t, ps); len(ps[0].b) > replyMax || len(m.Nodes6) < 8*krpc.NodeSize || scrape != (m.BFpe != nil) {
			t.Errorf("scrape %v: %d bytes, %d nodes", scrape, len(ps[0].b), len(m.Nodes6)/krpc.NodeSize)
		}
	}
	q := aQuery(krpc.Get)
	q.Target = it.Target()
	ps := h.ask(from, q)
	if m := reply(t, ps); len(ps[0].b) > replyMax || !bytes.Equal(m.V, it.V) || len(m.Nodes6) == 0 {
		t.Errorf("item: %d bytes, %d of value, %d nodes", len(ps[0].b), len(m.V), len(m.Nodes6)/krpc.NodeSize)
	}
}

func TestReadOnly(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.ReadOnly = true })
	if ps := h.ask(stranger(1), aQuery(krpc.Ping)); len(ps) != 0 {
		t.Error("a read-only node answered")
	}
	h.AddContact(h.at, stranger(2))
	var m krpc.Message
	if err := krpc.Decode(h.out[len(h.out)-1].b, &m); err != nil || !m.ReadOnly {
		t.Errorf("it does not say that it is read-only: %+v, %v", m, err)
	}
	// Read-only askers are answered and not pinged.
	h = newHarness(t, nil)
	q := aQuery(krpc.FindNode)
	q.ReadOnly = true
	if ps := h.ask(stranger(1), q); len(ps) != 1 || reply(t, ps) == nil {
		t.Errorf("sent %d datagrams to a read-only asker", len(ps))
	}
}

func TestAskersBecomeNodesWhenTheyAnswer(t *testing.T) {
	h := newHarness(t, nil)
	good, bad := stranger(1), stranger(2)
	h.node(good, nodeid.ID{0xaa})
	h.ask(good, aQuery(krpc.Ping))
	q := aQuery(krpc.Ping)
	q.ID = nodeid.ID{0xcc}
	h.ask(bad, q)
	h.run(10 * time.Second)
	if h.table.Find(nodeid.ID{0xaa}) == nil || h.table.Find(nodeid.ID{0xcc}) != nil {
		t.Errorf("%d nodes in the table", h.table.Len())
	}
}

func TestUnsolicited(t *testing.T) {
	h := newHarness(t, nil)
	nodes := h.know(3)
	h.strange = nil
	h.ask(nodes[0].Addr, aQuery(krpc.Ping)) // we asked it
	h.ask(stranger(1), aQuery(krpc.Ping))
	h.ask(stranger(1), aQuery(krpc.Ping)) // it has our answer by now
	if !slices.Equal(h.strange, []netip.AddrPort{stranger(1)}) {
		t.Errorf("unsolicited: %v", h.strange)
	}
}

// A host that this node called first never counts as one that came unasked, like
// those that it entered the DHT through: not after hours, nor from another port.
func TestAHostThatWasCalledIsNoStranger(t *testing.T) {
	h := newHarness(t, nil)
	bootstrap := h.know(1)[0].Addr
	other := netip.AddrPortFrom(bootstrap.Addr(), bootstrap.Port()+1)
	h.strange = nil
	for range 3 {
		h.answer = nil // nothing that we send keeps the memory of it fresh
		h.run(2 * sentLife)
		h.ask(bootstrap, aQuery(krpc.Ping))
		h.ask(other, aQuery(krpc.Ping))
	}
	if len(h.strange) != 0 {
		t.Errorf("unsolicited: %v", h.strange)
	}
	// Unless it was told to call from another port: nothing of ours let that in.
	var nonce nodeid.ID
	nonce[0] = 7
	h.server.told = func(id nodeid.ID) bool { return id == nonce }
	q := aQuery(krpc.Ping)
	q.ID = nonce
	third := netip.AddrPortFrom(bootstrap.Addr(), bootstrap.Port()+2)
	h.ask(third, q)
	if !slices.Equal(h.strange, []netip.AddrPort{third}) {
		t.Errorf("told to call: %v", h.strange)
	}
	h.strange = nil
	// Who came first stays one who did, although we asked it something since.
	h.ask(stranger(77), aQuery(krpc.Ping))
	h.run(2 * sentLife)
	h.ask(stranger(77), aQuery(krpc.Ping))
	if !slices.Equal(h.strange, []netip.AddrPort{stranger(77), stranger(77)}) {
		t.Errorf("unsolicited: %v", h.strange)
	}
}

func TestStrict(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Strict = true })
	if ps := h.ask(stranger(1), aQuery(krpc.FindNode)); len(ps) != 0 {
		t.Error("a node with an ID that does not fit was answered")
	}
	q := aQuery(krpc.FindNode)
	q.ID = nodeid.Derive(stranger(1).Addr(), h.rand)
	if m := reply(t, h.ask(stranger(1), q)); m == nil {
		t.Error("a node with an ID that fits was not answered")
	}
}

// 50,000 datagrams a second, from one address and from many: memory stays what
// it is, friends are served, strangers in part.
func TestFlood(t *testing.T) {
	for _, many := range []bool{false, true} {
		t.Run(fmt.Sprintf("many sources %v", many), func(t *testing.T) {
			h := newHarness(t, nil)
			nodes := h.know(20)
			friends, strangers := 0, 0
			const rate, seconds = 50_000, 4
			for i := range rate * seconds {
				from := stranger(1)
				if many {
					from = stranger(100_000 + i)
				}
				q := aQuery([]krpc.Method{krpc.Ping, krpc.FindNode, krpc.GetPeers}[i%3])
				q.ID[1], q.ID[2], q.ID[3] = byte(i), byte(i>>8), byte(i>>16)
				h.Receive(h.at, krpc.AppendQuery(nil, &q), from, Via{})
				if i%(rate/10) == 0 {
					h.run(100 * time.Millisecond)
					h.take()
					q := aQuery(krpc.FindNode)
					q.ID = nodes[i/(rate/10)%len(nodes)].ID
					if reply(t, h.ask(nodes[i/(rate/10)%len(nodes)].Addr, q)) != nil {
						friends++
					}
					q.ID = nodeid.Random(h.rand)
					if reply(t, h.ask(stranger(50_000+i), q)) != nil {
						strangers++
					}
				}
			}
			s := h.Stats(h.at)
			t.Logf("%d in, %d answered, %d passed over; of %d honest askers %d friends and %d strangers were answered",
				s.In, s.RepliesOut, s.Limited, 10*seconds, friends, strangers)
			if friends != 10*seconds {
				t.Errorf("%d of %d friends were answered", friends, 10*seconds)
			}
			if n := h.remotes.friends.Len() + h.remotes.strangers.Len() + h.server.rates.Sources(); n > 4*remotesMax+4*4096 {
				t.Errorf("%d addresses remembered", n)
			}
			if h.table.Len() < len(nodes) || s.PeersHeld > peers.Max || len(h.queries.pending) > 1000 || len(h.server.parking.list) > parkedMax {
				t.Errorf("%d nodes, %d peers, %d pending, %d parked", h.table.Len(), s.PeersHeld, len(h.queries.pending), len(h.server.parking.list))
			}
			if float64(s.RepliesOut) > (strangersRate.PerSecond*seconds+strangersRate.Burst)*2 {
				t.Errorf("%d answers", s.RepliesOut)
			}
		})
	}
}
