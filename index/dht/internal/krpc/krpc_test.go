package krpc

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	lib "github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

const id20 = "abcdefghij0123456789"

// The examples of BEP 5, 33 and 44, as far as they are about IPv6 or neither.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		in   string
		want func(m *Message) bool
	}{
		{"d1:ad2:id20:" + id20 + "e1:q4:ping1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.Kind == KindQuery && m.Method == Ping && string(m.ID[:]) == id20 && string(m.TID) == "aa"
		}},
		{"d1:ad2:id20:" + id20 + "6:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.Method == FindNode && string(m.Target[:]) == "mnopqrstuvwxyz123456"
		}},
		{"d1:ad2:id20:" + id20 + "9:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.Method == GetPeers && string(m.Target[:]) == "mnopqrstuvwxyz123456"
		}},
		{"d1:ad2:id20:" + id20 + "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.Method == AnnouncePeer && m.ImpliedPort && m.Port == 6881 && string(m.Token) == "aoeusnth"
		}},
		{"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee", func(m *Message) bool {
			return m.Kind == KindError && m.Code == 201 && string(m.Text) == "A Generic Error Ocurred"
		}},
		{"d1:rd2:id20:" + id20 + "5:token8:aoeusnth6:valuesl18:" + strings.Repeat("a", 18) + "6:axje.uee1:t2:aa1:y1:re", func(m *Message) bool {
			peers := slices.Collect(m.Peers)
			return m.Kind == KindReply && len(peers) == 1 && peers[0].Port() == 'a'<<8|'a'
		}},
		// Fields in another order, unknown ones, and bytes behind the message.
		{"d1:y1:q1:t2:aa1:zli1ed1:a0:ee1:q4:ping1:ad1:xi7e2:id20:" + id20 + "ee\x00\x00", func(m *Message) bool {
			return m.Method == Ping
		}},
		{"d1:ad2:id20:" + id20 + "6:target20:" + id20 + "e1:q17:sample_infohashes1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.Method == Unknown && m.HasTarget
		}},
		{"d1:ad2:id20:" + id20 + "6:target20:" + id20 + "4:wantl2:n4ee1:q9:find_node2:roi1e1:t2:aa1:y1:qe", func(m *Message) bool {
			return m.OnlyNodes4 && m.ReadOnly
		}},
		{"d1:e9:Try later1:t2:aa1:y1:ee", func(m *Message) bool { return m.Kind == KindError && m.Code == 0 }},
	} {
		var m Message
		if err := Decode([]byte(c.in), &m); err != nil || !c.want(&m) {
			t.Errorf("%q: %v, %+v", c.in, err, m)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, in := range []string{
		"", "d", "de", "le", "i1e", "d1:t", "d1:t2:aa1:y1:qe",
		"d1:q13:announce_peer1:t2:aa1:y1:qe",                    // no arguments
		"d1:q3:put1:t2:aa1:y1:qe",                               // no arguments
		"d1:ad2:id20:" + id20 + "e1:q9:get_peers1:t2:aa1:y1:qe", // no target
		"d1:ad2:id19:" + id20[1:] + "e1:q4:ping1:t2:aa1:y1:qe",  // short ID
		"d1:ai1e1:q4:ping1:t2:aa1:y1:qe",                        // arguments are no dictionary
		"d1:rde1:t2:aa1:y1:re",                                  // no ID
		"d1:rd2:id20:" + id20 + "1:k32:" + strings.Repeat("k", 32) + "3:sig64:" + strings.Repeat("s", 64) + "1:v1:xe1:t2:aa1:y1:re", // no seq
		"d1:rd2:id20:" + id20 + "6:valuesl18:xe1:t2:aa1:y1:re",                                                                      // cut off
		"d1:t0:1:y1:re", "d1:t33:" + strings.Repeat("t", 33) + "1:y1:ee",
		"d1:ad2:id20:" + id20 + "4:porti99999999999999999999ee1:q4:ping1:t2:aa1:y1:qe",
		"d1:ad2:id20:" + id20 + "3:seqi-0ee1:q4:ping1:t2:aa1:y1:qe",
		"d1:ad2:id20:" + id20 + "3:seqi01ee1:q4:ping1:t2:aa1:y1:qe",
		"d1:ad2:id20:" + id20 + "1:x099999999999:e1:q4:ping1:t2:aa1:y1:qe",
		"d1:ad2:id20:" + id20 + "1:x" + strings.Repeat("l", 60) + strings.Repeat("e", 60) + "e1:q4:ping1:t2:aa1:y1:qe", // too deep
		"d1:t2:aa1:y1:xe",
	} {
		var m Message
		if err := Decode([]byte(in), &m); err == nil {
			t.Errorf("%q was accepted: %+v", in, m)
		}
	}
}

// A query that is refused can still be answered with an error.
func TestRefusedQueryHasItsTID(t *testing.T) {
	for _, in := range []string{
		"d1:q4:ping1:t2:xy1:y1:qe",
		"d1:ad2:id3:abce1:q4:ping1:t2:xy1:y1:qe",
		"d1:ai5e1:q4:ping1:t2:xy1:y1:qe",
	} {
		var m Message
		if err := Decode([]byte(in), &m); err == nil || m.Kind != KindQuery || string(m.TID) != "xy" {
			t.Errorf("%q: %v, kind %q, tid %q", in, err, m.Kind, m.TID)
		}
	}
}

// Short addresses in "ip" and "values" are passed over: others crash on them.
func TestShortAddresses(t *testing.T) {
	in := "d2:ip1:x1:rd2:id20:" + id20 + "6:nodes63:abc6:valuesl1:x0:6:abcdef18:" + strings.Repeat("b", 18) + "i3eee1:t2:aa1:y1:re"
	var m Message
	if err := Decode([]byte(in), &m); err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Collect(m.Peers)); m.IP.IsValid() || n != 1 {
		t.Errorf("ip %v, %d peers", m.IP, n)
	}
	for id, a := range m.Nodes {
		t.Errorf("node %v %v out of 3 bytes", id, a)
	}
}

func TestUndialable(t *testing.T) {
	for addr, want := range map[string]bool{
		"[2001:db8::1]:1": true, "[::1]:6881": true, "[fe80::1]:1": true,
		"[2001:db8::1]:0": false, "[::ffff:1.2.3.4]:1": false, "[ff02::1]:1": false, "[::]:1": false, "1.2.3.4:1": false,
	} {
		if got := Dialable(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("Dialable(%s) = %v", addr, got)
		}
	}
}

func bytesOf(n int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), n, n) }

func genID(t *rapid.T, label string) nodeid.ID { return nodeid.ID(bytesOf(20).Draw(t, label)) }

func genAddr(t *rapid.T, label string) netip.AddrPort {
	ip := [16]byte(bytesOf(16).Draw(t, label))
	ip[0] = 0x20
	return netip.AddrPortFrom(netip.AddrFrom16(ip), rapid.Uint16Min(1).Draw(t, label+" port"))
}

// What we encode is what the other implementation reads, and what we decode.
func TestQueriesAreUnderstood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Query{
			TID: [4]byte(bytesOf(4).Draw(t, "tid")), ID: genID(t, "id"), Target: genID(t, "target"),
			Method:   rapid.SampledFrom([]Method{Ping, FindNode, GetPeers, AnnouncePeer, Get, Put}).Draw(t, "method"),
			ReadOnly: rapid.Bool().Draw(t, "ro"),
		}
		switch q.Method {
		case AnnouncePeer:
			q.Token, q.Port, q.Seed = []byte("tok"), rapid.Uint16Min(1).Draw(t, "port"), rapid.Bool().Draw(t, "seed")
			q.ImpliedPort = rapid.Bool().Draw(t, "implied")
		case GetPeers:
			q.Scrape, q.NoSeed = rapid.Bool().Draw(t, "scrape"), rapid.Bool().Draw(t, "noseed")
		case Put:
			q.Token, q.V = []byte("tok"), []byte("5:hello")
			q.K, q.Sig, q.Salt = bytesOf(32).Draw(t, "k"), bytesOf(64).Draw(t, "sig"), []byte("salt")
			q.HasSeq, q.Seq = true, rapid.Int64Min(0).Draw(t, "seq")
			q.HasCas, q.Cas = true, rapid.Int64Min(1).Draw(t, "cas")
		}
		b := AppendQuery(nil, &q)

		var m Message
		if err := Decode(b, &m); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		var theirs lib.Msg
		if err := bencode.Unmarshal(b, &theirs); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if !bytes.Equal(m.TID, q.TID[:]) || m.Method != q.Method || m.ID != q.ID || m.ReadOnly != q.ReadOnly ||
			m.Port != q.Port || m.ImpliedPort != q.ImpliedPort || m.Seed != q.Seed || m.Scrape != q.Scrape || m.NoSeed != q.NoSeed ||
			!bytes.Equal(m.Token, q.Token) || !bytes.Equal(m.V, q.V) || !bytes.Equal(m.K, q.K) || !bytes.Equal(m.Sig, q.Sig) ||
			!bytes.Equal(m.Salt, q.Salt) || m.Seq != q.Seq || m.Cas != q.Cas {
			t.Fatalf("%q became %+v", b, m)
		}
		if theirs.Q != q.Method.String() || nodeid.ID(theirs.A.ID) != q.ID || theirs.T != string(q.TID[:]) || theirs.ReadOnly != q.ReadOnly ||
			theirs.A.Token != string(q.Token) || theirs.A.ImpliedPort != q.ImpliedPort || theirs.A.Cas != q.Cas ||
			!bytes.Equal(theirs.A.Salt, q.Salt) {
			t.Fatalf("%q became %+v for others", b, theirs)
		}
		again, err := bencode.Marshal(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(again, new(Message)); err != nil {
			t.Fatalf("%q, as others write %q: %v", again, b, err)
		}
	})
}

func TestRepliesAreUnderstood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Reply{TID: bytesOf(2).Draw(t, "tid"), ID: genID(t, "id"), To: genAddr(t, "to"), HasNodes: true}
		for range rapid.IntRange(0, 9).Draw(t, "nodes") {
			r.Nodes = append(r.Nodes, Node{genID(t, "node"), genAddr(t, "node addr")})
		}
		for range rapid.IntRange(0, 20).Draw(t, "values") {
			r.Values = append(r.Values, genAddr(t, "value"))
		}
		if rapid.Bool().Draw(t, "item") {
			r.V, r.K, r.Sig = []byte("l1:ai7ee"), bytesOf(32).Draw(t, "k"), bytesOf(64).Draw(t, "sig")
			r.HasSeq, r.Seq = true, rapid.Int64Min(0).Draw(t, "seq")
		}
		if rapid.Bool().Draw(t, "scrape") {
			r.BFsd, r.BFpe = bytesOf(BloomSize).Draw(t, "sd"), bytesOf(BloomSize).Draw(t, "pe")
		}
		r.Token = []byte("token")
		b := AppendReply(nil, &r)

		var m Message
		if err := Decode(b, &m); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		back := Reply{
			TID: m.TID, ID: m.ID, To: m.IP, HasNodes: m.HasNodes6, Token: m.Token, Values: slices.Collect(m.Peers),
			BFsd: m.BFsd, BFpe: m.BFpe, V: m.V, K: m.K, Sig: m.Sig, HasSeq: m.HasSeq, Seq: m.Seq,
		}
		for id, a := range m.Nodes {
			back.Nodes = append(back.Nodes, Node{id, a})
		}
		if d := cmp.Diff(r, back, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Fatal(d)
		}
		var theirs lib.Msg
		if err := bencode.Unmarshal(b, &theirs); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if nodeid.ID(theirs.R.ID) != r.ID || len(theirs.R.Nodes6) != len(r.Nodes) || len(theirs.R.Values) != len(r.Values) ||
			string(theirs.R.V) != string(r.V) || *theirs.R.Token != "token" {
			t.Fatalf("%q became %+v for others", b, theirs.R)
		}
	})
}

func TestErrorsAreUnderstood(t *testing.T) {
	b := AppendError(nil, []byte("aa"), CodeProtocol, "Bad token")
	var m Message
	if err := Decode(b, &m); err != nil || m.Kind != KindError || m.Code != 203 || string(m.Text) != "Bad token" {
		t.Errorf("%q: %v, %+v", b, err, m)
	}
	var theirs lib.Msg
	if err := bencode.Unmarshal(b, &theirs); err != nil || theirs.E.Code != 203 {
		t.Errorf("%q: %v, %+v", b, err, theirs)
	}
}

func TestValid(t *testing.T) {
	for in, want := range map[string]bool{
		"0:": true, "i-5e": true, "le": true, "d1:ai1ee": true,
		"": false, "5:abc": false, "i5": false, "0:0:": false, "d1:ae": false, "li1e": false, "i--1e": false, "ie": false,
	} {
		if got := Valid([]byte(in)); got != want {
			t.Errorf("Valid(%q) = %v", in, got)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	r := Reply{TID: []byte("aa"), HasNodes: true, To: netip.MustParseAddrPort("[2001:db8::1]:1"), Token: []byte("token")}
	for range 8 {
		r.Nodes = append(r.Nodes, Node{Addr: r.To})
	}
	b := AppendReply(nil, &r)
	var m Message
	if n := testing.AllocsPerRun(100, func() {
		if Decode(b, &m) != nil {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("d1:ad2:id20:" + id20 + "e1:q4:ping1:t2:aa1:y1:qe"))
	f.Add([]byte("d1:ad2:id20:" + id20 + "12:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe"))
	f.Add([]byte("d1:q13:announce_peer1:t2:aa1:y1:qe"))
	f.Add([]byte("d2:ip1:x1:rd2:id20:" + id20 + "6:valuesl1:xee1:t2:aa1:y1:re"))
	f.Add([]byte("d1:eli203e9:Bad tokene1:t2:aa1:y1:ee"))
	item := Query{Method: Put, Token: []byte("tok"), V: []byte("d1:ali1eee"), K: make([]byte, 32), Sig: make([]byte, 64), HasSeq: true, Salt: []byte("s")}
	f.Add(AppendQuery(nil, &item))
	scrape := Reply{TID: []byte("aa"), BFsd: make([]byte, BloomSize), BFpe: make([]byte, BloomSize), HasNodes: true, Nodes: make([]Node, 3), Values: make([]netip.AddrPort, 2)}
	for i := range scrape.Nodes {
		scrape.Nodes[i].Addr = netip.MustParseAddrPort("[2001:db8::1]:1")
	}
	scrape.To, scrape.Values[0], scrape.Values[1] = scrape.Nodes[0].Addr, scrape.Nodes[0].Addr, scrape.Nodes[0].Addr
	f.Add(AppendReply(nil, &scrape))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		err := Decode(b, &m)
		for range m.Peers {
		}
		nodes := 0
		for _, a := range m.Nodes {
			if !Dialable(a) {
				t.Errorf("named %v", a)
			}
			nodes++
		}
		if err != nil {
			return
		}
		if len(m.TID) == 0 || len(m.TID) > MaxTID || nodes > len(b)/NodeSize {
			t.Errorf("%d bytes of tid, %d nodes in %d bytes", len(m.TID), nodes, len(b))
		}
		if m.Kind == KindQuery && m.Method == Put && (len(m.Token) == 0 || !Valid(m.V) && len(m.V) == 0) {
			t.Error("a put without what it needs")
		}
		if m.K != nil && len(m.K) != 32 || m.Sig != nil && len(m.Sig) != 64 || m.BFsd != nil && len(m.BFsd) != BloomSize {
			t.Error("a field of the wrong length")
		}
	})
}
