package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// What the project's measurements found with real clients, each kept from
// coming back:
//
//	a peer leaves some requests unanswered (Transmission 3.00)    TestUnansweredRequestsAreMadeAgain
//	four ut_metadata requests at once, one answered (rtorrent)    TestInfoComesOneByOneAndIsKept
//	the queue is drained before it is filled                      TestTheWindowIsKeptFull
//	blocks asked of several at once without need                  TestNoBlockIsAskedOfTwoBeforeTheEnd

func TestTheWindowIsKeptFull(t *testing.T) {
	h := newHarness(t, 100, nil)
	p := h.seed()
	open := h.take(p, wire.Request)
	if len(open) != firstWindow {
		t.Fatalf("%d requests at first", len(open))
	}
	for round := range 6 { // each a round trip of 100 ms
		h.at += 100 * time.Millisecond
		before := len(open)
		for _, m := range open[:before] {
			h.give(p, m)
			more := h.take(p, wire.Request)
			if few := p.window.size - p.window.size/partOfWindow - 1; len(p.asked) < few {
				t.Fatalf("a block came and nothing was asked for in its place: %d requests of %d", len(p.asked), p.window.size)
			}
			open = append(open, more...)
		}
		open = open[before:]
		if want := min(firstWindow<<(round+1), 100*4); len(open) < min(want-want/partOfWindow, 100*4-firstWindow<<(round+1)) {
			t.Fatalf("%d requests after round trip %d, not %d", len(open), round+1, want)
		}
		if len(open) >= 128-128/partOfWindow {
			return
		}
	}
}

func TestTheWindowFollowsRateAndReader(t *testing.T) {
	for _, c := range []struct {
		rate    float64 // blocks a second
		hurried bool
		want    int
	}{{30, false, 30}, {30, true, 15}, {1000, false, 1000}, {0.5, false, leastWindow}} {
		w := window{size: firstWindow}
		w.arrived(40*time.Millisecond+time.Duration(float64(time.Second)/c.rate), 1, true, c.hurried)
		for range 6000 {
			w.arrived(max(40*time.Millisecond, time.Duration(float64(w.size)/c.rate*float64(time.Second))), w.size, true, c.hurried)
		}
		if w.size < c.want*8/10 || w.size > c.want*14/10+1 {
			t.Errorf("%v blocks a second, hurried %v: a window of %d", c.rate, c.hurried, w.size)
		}
	}
}

// Ages tell of a window as it was a second ago. One that shrank until they are right
// again would be empty by then, and grow anew, for ever.
func TestTheWindowDoesNotSwing(t *testing.T) {
	for _, c := range []struct {
		rate float64 // blocks a second
		rtt  time.Duration
	}{{30, 50 * time.Millisecond}, {760, 10 * time.Millisecond}, {760, 150 * time.Millisecond}, {760, 700 * time.Millisecond}, {1500, 300 * time.Millisecond}} {
		h := newHarness(t, 20_000, nil)
		p := h.seed()
		block := time.Duration(float64(time.Second) / c.rate)
		type answer struct {
			m  wire.Message
			at time.Duration
		}
		var coming []answer
		free := h.at // when the peer's line is
		ask := func() {
			for _, m := range h.take(p, wire.Request) {
				free = max(free, h.at+c.rtt/2) + block
				coming = append(coming, answer{m, free + c.rtt/2})
			}
		}
		ask()
		least, idle, last := mostWindow, time.Duration(0), time.Duration(0)
		for end := h.at + 40*time.Second; h.at < end; {
			a := coming[0]
			coming = coming[1:]
			h.at = a.at
			h.give(p, a.m)
			ask()
			if h.at < end-20*time.Second {
				last = h.at
				continue
			}
			idle += max(0, h.at-last-block-time.Microsecond)
			last = h.at
			least = min(least, p.window.size)
		}
		if share := idle.Seconds() / 20; share > 0.01 {
			t.Errorf("%v blocks a second, %v: the peer had nothing to send for %.0f %% of the time; the window was down to %d", c.rate, c.rtt, 100*share, least)
		}
		if want := int(c.rate * 3 / 4); least < min(want, mostWindow) {
			t.Errorf("%v blocks a second, %v: the window was down to %d", c.rate, c.rtt, least)
		}
	}
}

func TestReqQOfThePeerIsRespected(t *testing.T) {
	h := newHarness(t, 100, nil)
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveAll},
		wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{ReqQ: 5})}, wire.Message{Type: wire.Unchoke})
	if got := len(h.take(p, wire.Request)); got != 5 {
		t.Fatalf("%d requests", got)
	}
}

func TestUnansweredRequestsAreMadeAgain(t *testing.T) {
	h := newHarness(t, 4, nil)
	p := h.seed()
	answered := make(map[string]int)
	left := 0
	for range 2000 {
		for _, m := range h.take(p, wire.Request) {
			k := fmt.Sprint(m.Index, m.Begin)
			answered[k]++
			if len(answered)%5 == 0 && answered[k] == 1 {
				left++
				continue // forgotten
			}
			h.at += time.Millisecond
			h.give(p, m)
			if a := h.action(Verify); a != nil {
				h.Verified(h.at, a.Piece, true, nil)
				h.flush()
			}
		}
		h.pass(50 * time.Millisecond)
	}
	if left == 0 || !h.Complete() {
		t.Fatalf("%d requests were left unanswered, %d pieces are missing", left, h.Missing())
	}
}

func TestAPeerThatAnswersNothingIsDropped(t *testing.T) {
	h := newHarness(t, 4, nil)
	p := h.seed()
	for range 30 {
		h.pass(10 * time.Second)
		h.say(p, wire.Message{Type: wire.KeepAlive})
		if why := h.dropped(p); why != "" {
			t.Log(why)
			return
		}
	}
	t.Fatal("it is still there after five minutes")
}

func TestNoBlockIsAskedOfTwoBeforeTheEnd(t *testing.T) {
	h := newHarness(t, 30, nil)
	peers := []*Peer{h.seed(), h.seed(), h.seed()}
	seen := make(map[string]bool)
	for range 200 {
		for _, p := range peers {
			for i, m := range h.take(p, wire.Request) {
				k := fmt.Sprint(m.Index, m.Begin)
				if seen[k] && !h.picker.endgame() {
					t.Fatalf("block %s is asked of two", k)
				}
				seen[k] = true
				if i < 8 {
					h.at += time.Millisecond
					h.give(p, m)
				}
			}
		}
		h.check()
		h.at += 10 * time.Millisecond
	}
}

// At the end a block that a slow peer sits on is asked of another; when it
// comes the slow peer is told to spare it.
func TestTheEndgameAsksAnotherAndCancels(t *testing.T) {
	h := newHarness(t, 2, nil)
	slow := h.seed()
	kept := h.take(slow, wire.Request)
	if len(kept) != 8 {
		t.Fatalf("%d requests, not all 8", len(kept))
	}
	h.pass(3 * time.Second)
	fast := h.seed()
	for range 40 {
		for _, m := range h.take(fast, wire.Request) {
			h.at += 5 * time.Millisecond
			h.give(fast, m)
		}
		h.pass(300 * time.Millisecond)
	}
	if got := len(h.take(slow, wire.Cancel)); got < 7 {
		t.Errorf("%d requests were cancelled", got)
	}
	for range 2 {
		if h.action(Verify) != nil {
			continue
		}
		t.Error("not done")
	}
	if h.give(slow, kept[0]) {
		t.Error("a block that is here was wanted again")
	}
	h.check()
}

func TestUnaskedBlocksEndTheConnection(t *testing.T) {
	h := newHarness(t, 30, nil)
	p := h.seed()
	for i := range maxStrikes {
		if h.give(p, wire.Message{Index: 29, Begin: uint32(i%4) * wire.BlockSize, Length: wire.BlockSize}) {
			t.Fatal("it was wanted")
		}
	}
	if h.dropped(p) == "" {
		t.Fatal("still there")
	}
}

func TestRejectsAreNotAskedAgainAtOnce(t *testing.T) {
	h := newHarness(t, 4, nil)
	p := h.seed()
	for range 3 {
		for _, m := range h.take(p, wire.Request) {
			h.say(p, wire.Message{Type: wire.Reject, Index: m.Index, Begin: m.Begin, Length: m.Length})
		}
	}
	if n := len(h.take(p, wire.Request)); n != 0 {
		t.Fatalf("%d requests although all were rejected", n)
	}
	h.check()
}

func TestSeedsKeepToTheirManners(t *testing.T) {
	h := newHarness(t, 10, func(c *Config) { c.Have = []byte{0xff, 0xc0}; c.Uplink = uplink.New(1).Join() })
	p, q := h.peer(false), h.peer(false)
	h.say(p, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	h.say(q, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	if len(h.take(p, wire.Unchoke)) != 1 || len(h.take(q, wire.Unchoke)) != 0 {
		t.Fatal("one slot was not given to the first")
	}
	request := wire.Message{Type: wire.Request, Index: 1, Length: 10}
	h.say(q, request)
	if len(h.take(q, wire.Reject)) != 1 || len(h.blocks[q]) != 0 {
		t.Error("a choked peer was served, or not told")
	}
	for range 2 * ReqQ {
		h.Receive(h.at, p, &request)
	}
	h.flush()
	if n := len(h.take(p, wire.Reject)); n != ReqQ || len(h.blocks[p]) != ReqQ {
		t.Errorf("%d requests were rejected and %d served", n, len(h.blocks[p]))
	}
	h.blocks[p] = nil
	h.Receive(h.at, p, &request)
	cancel := request
	cancel.Type = wire.Cancel
	h.say(p, cancel)
	if len(h.take(p, wire.Reject)) != 1 || len(h.blocks[p]) != 0 {
		t.Error("a cancelled block was sent")
	}
	idle := h.peer(false)
	h.pass(keepAlive + 10*time.Second)
	if len(h.take(idle, wire.KeepAlive)) != 1 {
		t.Error("no keep-alive")
	}
	h.pass(silence)
	if h.dropped(idle) == "" {
		t.Error("a silent peer is still there")
	}
}

// Slots rotate: of many that want, all get their turn.
func TestSlotsGoRound(t *testing.T) {
	h := newHarness(t, 10, func(c *Config) { c.Have = []byte{0xff, 0xc0}; c.Uplink = uplink.New(3).Join() })
	var peers []*Peer
	got := make(map[*Peer]bool)
	for range 12 {
		p := h.peer(false)
		h.say(p, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
		peers = append(peers, p)
	}
	for range 120 {
		h.pass(10 * time.Second)
		open := 0
		for _, p := range peers {
			h.say(p, wire.Message{Type: wire.KeepAlive})
			if !p.choked {
				open++
				got[p] = true
				h.say(p, wire.Message{Type: wire.Request, Index: 1, Length: 16384})
			}
		}
		if open > 3 {
			t.Fatalf("%d slots", open)
		}
	}
	if len(got) != len(peers) {
		t.Fatalf("%d of %d had a turn", len(got), len(peers))
	}
}

// Many peers of one /64 have no more than one line that is alone, while others
// wait.
func TestALineIsOneLine(t *testing.T) {
	var order []*Peer
	at := func(s string) *Peer { return &Peer{PeerInfo: PeerInfo{Addr: netip.MustParseAddrPort(s)}} }
	for i := range 5 {
		order = append(order, at(fmt.Sprintf("[2001:db8::%d]:1", i+1)))
	}
	order = append(order, at("[2001:db8:0:1::1]:1"), at("[2001:db8:0:2::1]:1"))
	h := newChoker(newClock([32]byte{}), &content{}, &roster{}, uplink.New(0).Join())
	h.spread(order)
	lines := make(map[netip.Prefix]bool)
	for _, p := range order[:3] {
		lines[network(p.Addr.Addr())] = true
	}
	if len(lines) != 3 {
		t.Fatalf("%v", lines)
	}
}

// What a line has in other swarms of the node counts.
func TestALineIsOneLineInAllSwarms(t *testing.T) {
	link := uplink.New(1)
	here, there := link.Join(), link.Join()
	var peers []*Peer
	h := newHarness(t, 10, func(c *Config) { c.Have, c.Uplink = []byte{0xff, 0xc0}, here })
	for range 2 {
		p := h.peer(false)
		peers = append(peers, p)
	}
	there.Took(network(peers[0].Addr.Addr()), 1)
	order := slices.Clone(peers)
	h.choker.spread(order)
	if order[0] != peers[1] {
		t.Error("who has a slot in another swarm comes first")
	}
	there.Leave()
	order = slices.Clone(peers)
	h.choker.spread(order)
	if order[0] != peers[0] {
		t.Error("who had a slot in another swarm comes last")
	}
}

func TestInfoComesOneByOneAndIsKept(t *testing.T) {
	info := bytes.Repeat([]byte("0123456789abcdef"), 5*kib) // five blocks
	h := newHarness(t, 0, func(c *Config) { c.Layout = wire.Layout{} })
	shake := wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{
		Extensions: map[string]uint8{wire.NameMetadata: 7}, InfoSize: len(info),
	})}
	asked := func(p *Peer) (pieces []int) {
		for _, m := range h.take(p, wire.Extended) {
			if m.Ext == 7 {
				r, err := wire.ParseMetadata(m.Payload)
				if err != nil || r.Kind != wire.MetaRequest {
					t.Fatal(r, err)
				}
				pieces = append(pieces, r.Piece)
			}
		}
		return pieces
	}
	answer := func(p *Peer, i int) {
		h.say(p, wire.Message{Type: wire.Extended, Ext: wire.ExtMetadata, Payload: wire.AppendMetadata(nil, &wire.Metadata{
			Kind: wire.MetaData, Piece: i, Total: len(info), Data: info[i*wire.BlockSize : (i+1)*wire.BlockSize],
		})})
	}
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.Bitfield, Payload: []byte{0x80, 0}}, shake)
	first := asked(p)
	if len(first) != 1 {
		t.Fatalf("%d requests at once of a peer that has answered none", len(first))
	}
	answer(p, first[0])
	second := asked(p)
	if len(second) != 1 {
		t.Fatalf("%v", second)
	}
	h.Disconnected(h.at, p)
	q := h.peer(true)
	h.say(q, wire.Message{Type: wire.HaveAll})
	if len(h.take(q, wire.Interested)) != 1 {
		t.Fatal("a peer that has content is not asked to unchoke us before the content is known")
	}
	h.say(q, shake)
	for range 5 {
		for _, i := range asked(q) {
			if i == first[0] {
				t.Fatal("a block that came was asked for again")
			}
			answer(q, i)
		}
	}
	a := h.action(CheckInfo)
	if a == nil || !bytes.Equal(a.Data, info) {
		t.Fatal("no info dictionary")
	}
	h.SetInfo(h.at, info, wire.NewLayout(640*kib, 64*kib), nil, nil)
	h.flush()
	// What was said before counts, and the connection is used.
	h.say(q, wire.Message{Type: wire.Unchoke})
	if len(h.take(q, wire.Request)) == 0 || q.gone {
		t.Fatal("the connection that brought the info dictionary is not used")
	}
	h.check()
}

func TestAForgedInfoConvictsItsSender(t *testing.T) {
	h := newHarness(t, 0, func(c *Config) { c.Layout = wire.Layout{} })
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{
		Extensions: map[string]uint8{wire.NameMetadata: 7}, InfoSize: 3,
	})}, wire.Message{Type: wire.Extended, Ext: wire.ExtMetadata, Payload: wire.AppendMetadata(nil, &wire.Metadata{Kind: wire.MetaData, Total: 3, Data: []byte("abc")})})
	if h.action(CheckInfo) == nil {
		t.Fatal("nothing to check")
	}
	h.BadInfo(h.at)
	h.flush()
	if a := h.action(Drop); a == nil || a.Peer != p || !a.Banned {
		t.Fatalf("%+v", a)
	}
	if _, err := h.Connected(h.at, p.PeerInfo); err != ErrBanned {
		t.Fatal(err)
	}
}

func TestPEXIsMeasured(t *testing.T) {
	for _, private := range []bool{false, true} {
		h := newHarness(t, 4, func(c *Config) { c.MaxPeers = 200; c.Private = private })
		p := h.peer(true)
		h.say(p, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{Extensions: map[string]uint8{wire.NamePEX: 9}})})
		for range 120 {
			h.peer(true)
		}
		told := 0
		for range 4 {
			h.pass(pexEvery)
			h.say(p, wire.Message{Type: wire.KeepAlive})
			for _, m := range h.take(p, wire.Extended) {
				if m.Ext != 9 {
					continue
				}
				x, err := wire.ParsePEX(m.Payload)
				if err != nil || len(x.Added) > pexMost {
					t.Fatalf("%d addresses in a minute, %v", len(x.Added), err)
				}
				told += len(x.Added)
			}
		}
		if private && told > 0 || !private && told != 120 {
			t.Errorf("private %v: told of %d", private, told)
		}
		h.say(p, wire.Message{Type: wire.Extended, Ext: wire.ExtPEX, Payload: wire.AppendPEX(nil, &wire.PEX{
			Added: []wire.PEXPeer{{Addr: netip.MustParseAddrPort("[2001:db8:9::1]:1")}},
		})})
		h.actions = slices.DeleteFunc(h.actions, func(a Action) bool { return a.Kind != Dial })
		if dialed := len(h.actions) > 0; dialed == private {
			t.Errorf("private %v: dialed %v", private, dialed)
		}
	}
}

// The examples of BEP 40.
func TestCanonicalPriority(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want uint32
	}{{"123.213.32.10", "98.76.54.32", 0xec2d7224}, {"123.213.32.10", "123.213.32.234", 0x99568189}} {
		if got := Priority(netip.MustParseAddr(c.a), 0, netip.AddrPortFrom(netip.MustParseAddr(c.b), 0)); got != c.want {
			t.Errorf("%s and %s: %#x, not %#x", c.a, c.b, got, c.want)
		}
	}
	a, b := netip.MustParseAddr("2001:db8:1:2::3"), netip.MustParseAddr("2001:db8:1:3::4")
	if Priority(a, 1, netip.AddrPortFrom(b, 2)) != Priority(b, 2, netip.AddrPortFrom(a, 1)) {
		t.Error("the two ends do not agree")
	}
}

// A reader that jumps takes back what is not urgent, and only readers have
// pieces asked for out of turn.
func TestSeeksOvertake(t *testing.T) {
	h := newHarness(t, 100, nil)
	p := h.seed()
	before := h.take(p, wire.Request)
	h.at += time.Second
	h.SetReaders(h.at, []Reader{{From: 77 * 64 * kib, To: 78 * 64 * kib, By: h.at}})
	h.flush()
	cancelled := 0
	var asked []int
	for _, m := range h.sent[p] {
		switch m.Type {
		case wire.Cancel:
			cancelled++
		case wire.Request:
			asked = append(asked, int(m.Index))
		}
	}
	if cancelled != len(before) {
		t.Errorf("%d of %d requests were taken back", cancelled, len(before))
	}
	if len(asked) < 4 || slices.ContainsFunc(asked[:4], func(i int) bool { return i != 77 }) {
		t.Errorf("asked for %v", asked)
	}
	h.check()
}

func TestPrioritiesAreKept(t *testing.T) {
	h := newHarness(t, 10, nil)
	want := []uint8{0, 0, 0, Low, Low, 0, 0, High, Normal, 0}
	h.SetPriorities(h.at, 0, want)
	p := h.seed()
	var order []int
	for range 20 {
		for _, m := range h.take(p, wire.Request) {
			if len(order) == 0 || order[len(order)-1] != int(m.Index) {
				order = append(order, int(m.Index))
			}
			h.give(p, m)
			if a := h.action(Verify); a != nil {
				h.Verified(h.at, a.Piece, true, nil)
				h.flush()
			}
		}
	}
	if len(order) != 4 || order[0] != 7 || order[1] != 8 {
		t.Fatalf("fetched in the order %v", order)
	}
	if h.action(Finished) == nil {
		t.Fatal("not told that it is finished")
	}
	h.check()
}

// What cannot be kept is not asked for, and once it can it is.
func TestAHaltTakesBackAndEnds(t *testing.T) {
	h := newHarness(t, 10, nil)
	p := h.seed()
	asked := len(h.take(p, wire.Request))
	h.SetHalt(h.at, true)
	h.flush()
	if got := len(h.take(p, wire.Cancel)); got != asked {
		t.Errorf("%d of %d requests were taken back", got, asked)
	}
	h.pass(10 * time.Second)
	if len(h.take(p, wire.Request)) > 0 {
		t.Error("it goes on")
	}
	h.SetHalt(h.at, false)
	h.flush()
	if len(h.take(p, wire.Request)) == 0 {
		t.Error("it does not go on")
	}
	h.check()
}

// A piece that turns out to be here is asked of nobody any more, and told.
func TestWhatIsFoundIsTold(t *testing.T) {
	h := newHarness(t, 2, nil)
	p, q := h.seed(), h.peer(true)
	h.say(q, wire.Message{Type: wire.HaveNone})
	asked := h.take(p, wire.Request)
	piece := int(asked[0].Index)
	h.Found(h.at, piece)
	h.flush()
	for _, m := range h.take(p, wire.Cancel) {
		if int(m.Index) != piece {
			t.Errorf("a request for piece %d was taken back", m.Index)
		}
	}
	if got := h.take(q, wire.Have); len(got) != 1 || int(got[0].Index) != piece || !h.Has(piece) {
		t.Errorf("told %v", got)
	}
	h.Found(h.at, 1-piece) // perhaps not begun
	if !h.Complete() || h.Missing() != 0 {
		t.Error("it is not complete")
	}
	h.check()
}

// A piece that could not be read back is fetched again, and nobody is blamed.
func TestAnUnverifiedPieceIsFetchedAgain(t *testing.T) {
	h := newHarness(t, 1, nil)
	p := h.seed()
	for _, m := range h.take(p, wire.Request) {
		h.give(p, m)
	}
	if h.action(Verify) == nil {
		t.Fatal("nothing to verify")
	}
	h.Unverified(h.at, 0)
	h.flush()
	if got := len(h.take(p, wire.Request)); got != 4 || p.suspect || h.Stats().Failed != 0 {
		t.Errorf("%d requests, %+v", got, h.Stats())
	}
	h.check()
}

// Who connects again has lost its connection; who was called twice keeps the
// first.
func TestTwins(t *testing.T) {
	h := newHarness(t, 4, nil)
	in, out := h.peer(false), h.peer(true)
	again, err := h.Connected(h.at, in.PeerInfo)
	h.flush()
	if err != nil || again == nil || h.dropped(in) == "" {
		t.Error("the new connection is refused for one that is dead", err)
	}
	if _, err := h.Connected(h.at, out.PeerInfo); err != ErrTwin {
		t.Errorf("called twice: %v", err)
	}
}

// Of two connections that cross, the one stays that was begun by the side with the lower
// port, and by the higher ID if the ports are equal. libtorrent has the same rule, so
// that both sides keep the same one.
// A peer whose connection broke is called again soon, if it was of use; who left is not.
func TestWhoseConnectionBrokeIsCalledAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		moved int64
		after time.Duration // that it lasted
		left  bool
		want  time.Duration // until the call
	}{
		{"of use", 1, time.Minute, false, 0},
		{"of use, and soon", 1, time.Second, false, brokeWait - time.Second},
		{"of no use", 0, time.Minute, false, firstWait},
		{"left", 1, time.Minute, true, firstWait},
	} {
		h := newHarness(t, 4, nil)
		p := h.seed()
		p.Downloaded = c.moved
		h.pass(c.after)
		h.actions = nil
		if c.left {
			h.Left(h.at, p)
			h.Disconnected(h.at, p)
		} else {
			h.Broke(h.at, p)
			h.Disconnected(h.at, p)
		}
		began := h.at
		h.flush()
		var dial *Action
		for h.at < began+time.Minute && dial == nil {
			if dial = h.action(Dial); dial == nil {
				h.pass(100 * time.Millisecond)
			}
		}
		if got := h.at - began; dial == nil || dial.Addr != p.Addr || got < c.want-time.Second || got > c.want+time.Second {
			t.Errorf("%s: called %v later: %+v", c.name, got, dial)
		}
	}
}

func TestOfTwinsThatCrossTheLowerPortKeepsItsOwn(t *testing.T) {
	for name, x := range map[string]struct {
		ours, theirs uint16
		id           byte // of ours
		keepsOurs    bool
	}{
		"ours is lower":          {6000, 7000, 0, true},
		"ours is higher":         {7000, 6000, 0xff, false},
		"equal, our ID higher":   {7000, 7000, 0xff, true},
		"equal, their ID higher": {7000, 7000, 0, false},
	} {
		for _, oursFirst := range []bool{true, false} {
			h := newHarness(t, 4, func(c *Config) { c.Port, c.PeerID[0] = x.ours, x.id })
			info := PeerInfo{ID: [20]byte{9}, Outgoing: oursFirst, Fast: true, Extended: true}
			at := func(port uint16) {
				info.Addr = netip.AddrPortFrom(netip.MustParseAddr("2001:db8::9"), port)
			}
			at(x.theirs)
			if !oursFirst {
				at(45000)
			}
			first, err := h.Connected(h.at, info)
			if err != nil {
				t.Fatal(err)
			}
			info.Outgoing = !oursFirst
			at(x.theirs)
			if oursFirst {
				at(45000)
			}
			second, err := h.Connected(h.at, info)
			h.flush()
			if firstStays := oursFirst == x.keepsOurs; firstStays != (err == ErrTwin) || firstStays != (h.dropped(first) == "") || firstStays != (second == nil) {
				t.Errorf("%s, ours first %v: the second: %v, the first: %q", name, oursFirst, err, h.dropped(first))
			}
		}
	}
}

// A seed is not told of other seeds.
func TestASeedCallsNoSeedsThatPeersTellOf(t *testing.T) {
	h := newHarness(t, 1, func(c *Config) { c.Have, c.TellHeard = []byte{0x80}, true })
	p := h.peer(true)
	seed, other := netip.MustParseAddrPort("[2001:db8:9::1]:1"), netip.MustParseAddrPort("[2001:db8:9::2]:1")
	h.say(p, wire.Message{Type: wire.Extended, Ext: wire.ExtPEX, Payload: wire.AppendPEX(nil, &wire.PEX{
		Added: []wire.PEXPeer{{Addr: seed, Flags: wire.PEXSeed}, {Addr: other}},
	})})
	if a := h.action(Heard); a == nil || !slices.Equal(a.Addrs, []netip.AddrPort{other}) {
		t.Errorf("heard %+v", a)
	}
}

// A web seed is asked as a peer is, told nothing of what peers are told, and is
// there only while something is missing.
func TestAWebSeedIsAsked(t *testing.T) {
	h := newHarness(t, 2, func(c *Config) { c.MaxPeers = 1 })
	h.peer(true)
	w, err := h.Connected(h.at, PeerInfo{Web: true})
	if err != nil {
		t.Fatal(err)
	}
	h.say(w, wire.Message{Type: wire.HaveAll})
	h.pass(time.Hour / 6)
	if why := h.dropped(w); why != "it answered no request for two minutes" {
		t.Fatalf("who answers nothing ends with %q", why)
	}
	if w, err = h.Connected(h.at, PeerInfo{Web: true}); err != nil {
		t.Fatal(err)
	}
	h.say(w, wire.Message{Type: wire.HaveAll})
	for _, m := range h.take(w, wire.Request) {
		h.give(w, m)
	}
	for a := h.action(Verify); a != nil; a = h.action(Verify) {
		h.Verified(h.at, a.Piece, true, nil)
		h.flush()
	}
	h.pass(silence + time.Minute)
	if !h.Complete() || h.dropped(w) != "neither side needs anything" {
		t.Errorf("complete %v, ended with %q", h.Complete(), h.dropped(w))
	}
	h.check()
}

// Wrong data of a web seed ends it, and bans nobody else.
func TestAWebSeedThatLiesIsConvicted(t *testing.T) {
	h := newHarness(t, 2, nil)
	w, _ := h.Connected(h.at, PeerInfo{Web: true})
	h.say(w, wire.Message{Type: wire.HaveAll})
	for _, m := range h.take(w, wire.Request) {
		h.give(w, m)
	}
	h.Verified(h.at, h.action(Verify).Piece, false, make([][20]byte, 4))
	h.flush()
	if a := h.action(Drop); a == nil || a.Peer != w || !a.Banned || len(h.bans.addrs) != 0 {
		t.Errorf("%+v, %v", a, h.bans.addrs)
	}
	h.check()
}

// What a peer is still to be told goes with the next thing that it is sent.
func TestNewsGoWithWhatIsSent(t *testing.T) {
	h := newHarness(t, 4, func(c *Config) { c.Have, c.Uplink = []byte{0x80}, uplink.New(1).Join() })
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	other := h.peer(true)
	h.say(other, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	h.Found(h.at, 1)
	h.flush()
	if len(h.take(p, wire.Have)) != 1 || len(h.take(other, wire.Have)) != 0 {
		t.Fatal("who has a slot is not told at once, or who waits for one is")
	}
	h.say(other, wire.Message{Type: wire.Request, Index: 0, Length: 10})
	if got := h.take(other, wire.Have); len(got) != 1 || got[0].Index != 1 {
		t.Errorf("with the reject went %v", got)
	}
}

// A fast peer is asked for several blocks at a time, and its window stays as good as
// full.
func TestRequestsOfAFastPeerAreMadeTogether(t *testing.T) {
	h := newHarness(t, 512, nil)
	p := h.seed()
	p.window.size = 256
	h.requests.fill(p)
	h.flush()
	queue := h.take(p, wire.Request)
	writes, most := 0, len(queue)
	for range 512 {
		h.at += time.Millisecond
		h.give(p, queue[0])
		queue = queue[1:]
		if more := h.take(p, wire.Request); len(more) > 0 {
			writes++
			queue = append(queue, more...)
		}
		if len(queue) < most-mostAtOnce {
			t.Fatalf("%d requests are left of a window of %d", len(queue), p.window.size)
		}
	}
	if writes > 512/8 {
		t.Errorf("%d blocks were asked for %d times", 512, writes)
	}
	if p.window.size <= 256 {
		t.Errorf("the window has not grown: %d", p.window.size)
	}
}
