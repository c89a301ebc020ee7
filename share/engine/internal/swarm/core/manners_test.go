package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Who has answered nothing for a minute is asked for one block at a time, and comes
// last when slots are dealt.
func TestWhoKeepsEverythingIsSnubbed(t *testing.T) {
	h := newHarness(t, 40, func(c *Config) { c.Have, c.Uplink = []byte{0x80, 0, 0, 0, 0}, uplink.New(1).Join() })
	p := h.seed()
	if n := len(h.take(p, wire.Request)); n != firstWindow {
		t.Fatalf("%d requests", n)
	}
	for range 6 {
		h.say(p, wire.Message{Type: wire.KeepAlive})
		h.pass(snubTime / 5)
	}
	if !p.snubbed(h.at) || len(p.asked) > 1 {
		t.Errorf("snubbed %v, asked for %d blocks", p.snubbed(h.at), len(p.asked))
	}
	q := h.peer(true)
	p.longDown.add(h.at, 1<<20, longTerm)
	if order := []*Peer{p, q}; h.choker.byGiving(order[0], order[1]) <= 0 {
		t.Error("it comes before others")
	}
	asked := h.take(p, wire.Request)
	if len(asked) == 0 {
		t.Fatal("it is asked for nothing at all")
	}
	h.give(p, asked[len(asked)-1])
	if p.snubbed(h.at) {
		t.Error("it is snubbed although it has answered")
	}
	h.check()
}

// Once all that was wanted is here, which need not be everything, peers are told that
// we only upload (BEP 21).
func TestAPartialSeedSaysSo(t *testing.T) {
	h := newHarness(t, 4, nil)
	h.SetPriorities(h.at, 0, []uint8{Normal, Unwanted, Unwanted, Unwanted})
	p := h.seed()
	h.say(p, wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{Extensions: map[string]uint8{wire.NameUploadOnly: 3}})})
	says := func() (all []bool) {
		for _, m := range h.take(p, wire.Extended) {
			if s, err := wire.ParseHandshake(m.Payload); m.Ext == wire.ExtHandshake && err == nil {
				all = append(all, s.UploadOnly)
			}
		}
		return all
	}
	var asked []wire.Message
	for _, m := range h.sent[p] {
		if m.Type == wire.Request {
			asked = append(asked, m)
		}
	}
	if got := says(); len(got) != 1 || got[0] {
		t.Fatalf("at first: %v", got)
	}
	for _, m := range asked {
		h.give(p, m)
	}
	h.Verified(h.at, 0, true, nil)
	h.flush()
	if got := says(); len(got) != 1 || !got[0] || h.Complete() {
		t.Errorf("with all that is wanted: %v", got)
	}
	if p.gone {
		t.Error("the connection ended, although more may be wanted later")
	}
}

// A piece that is lost is taken back (BEP 54), here and there.
func TestPiecesAreTakenBack(t *testing.T) {
	h := newHarness(t, 4, func(c *Config) { c.Have = []byte{0xc0} })
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveAll}, wire.Message{Type: wire.Extended, Payload: wire.AppendHandshake(nil, &wire.Handshake{
		Extensions: map[string]uint8{wire.NameDontHave: 7},
	})})
	h.sent[p] = nil
	h.Lost(h.at, 1)
	h.flush()
	told := h.take(p, wire.Extended)
	if len(told) != 1 || told[0].Ext != 7 {
		t.Fatalf("told %v", told)
	}
	if i, err := wire.ParseDontHave(told[0].Payload, &h.layout); i != 1 || err != nil {
		t.Errorf("told of piece %d, %v", i, err)
	}
	for i := range 4 {
		h.say(p, wire.Message{Type: wire.Extended, Ext: wire.ExtDontHave, Payload: wire.AppendDontHave(nil, i)})
	}
	if p.count != 0 || p.has(2) || len(h.take(p, wire.NotInterested)) != 1 {
		t.Errorf("it has %d pieces", p.count)
	}
	h.say(p, wire.Message{Type: wire.Unchoke})
	if n := len(h.take(p, wire.Request)); n != 0 {
		t.Errorf("%d requests for what it does not have", n)
	}
	h.check()
}

// Pieces of the allowed-fast set are served while choked, and asked for (BEP 6).
func TestAllowedFastWhileChoked(t *testing.T) {
	have := make([]byte, 5)
	for i := range have {
		have[i] = 0xff
	}
	h := newHarness(t, 40, func(c *Config) { c.Have, c.Uplink = have, uplink.New(1).Join() })
	alone := h.peer(false)
	if len(h.take(alone, wire.AllowedFast)) != 0 {
		t.Error("the only seed lets choked peers have pieces at random")
	}
	if other := h.seed(); !other.gone {
		t.Error("two seeds stay connected")
	}
	first, p := h.peer(false), h.peer(false)
	h.say(first, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	var granted []uint32
	for _, m := range h.take(p, wire.AllowedFast) {
		granted = append(granted, m.Index)
	}
	h.say(p, wire.Message{Type: wire.HaveNone}, wire.Message{Type: wire.Interested})
	if len(granted) > 0 && p.choked {
		h.say(p, wire.Message{Type: wire.Request, Index: granted[0], Length: 100})
		if len(h.blocks[p]) != 1 {
			t.Error("a granted piece is not served")
		}
		other := uint32(0)
		for p.granted.has(int(other)) {
			other++
		}
		h.say(p, wire.Message{Type: wire.Request, Index: other, Length: 100})
		if len(h.blocks[p]) != 1 || len(h.take(p, wire.Reject)) != 1 {
			t.Error("another piece is served, too")
		}
	} else {
		t.Fatalf("%d pieces granted, choked %v", len(granted), p.choked)
	}
	h = newHarness(t, 4, nil)
	p = h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveAll}, wire.Message{Type: wire.AllowedFast, Index: 2})
	asked := h.take(p, wire.Request)
	if len(asked) == 0 {
		t.Fatal("nothing is asked for")
	}
	for _, m := range asked {
		if m.Index != 2 {
			t.Errorf("piece %d is asked for while choked", m.Index)
		}
	}
	h.check()
}

// When there are enough peers, one that comes earlier in the canonical order (BEP 40)
// takes the place of one that does nothing for either side, and no other.
func TestWhoComesFirstIsKeptWhenFull(t *testing.T) {
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 7, byte(i), 15: 1}), 6881)
	}
	h := newHarness(t, 4, func(c *Config) { c.MaxPeers = 4 })
	h.SetSelf([]netip.Addr{netip.MustParseAddr("2001:db8:1:2::3")})
	come := func(i int) (*Peer, error) {
		return h.Connected(h.at, PeerInfo{Addr: addr(i), ID: [20]byte{byte(i), 1}, Fast: true})
	}
	var all []*Peer
	for i := range 4 {
		p, err := come(i)
		if err != nil {
			t.Fatal(err)
		}
		h.say(p, wire.Message{Type: wire.HaveNone})
		all = append(all, p)
	}
	worst, best := all[0], all[0]
	rank := func(p *Peer) uint32 { return h.ranking.rank(p.Addr) }
	for _, p := range all {
		if rank(p) < rank(worst) {
			worst = p
		}
		if rank(p) > rank(best) {
			best = p
		}
	}
	before, after := -1, -1 // newcomers that come before the last, and after it
	for i := 4; before < 0 || after < 0; i++ {
		if r := h.ranking.rank(addr(i)); r > rank(worst) {
			before = i
		} else {
			after = i
		}
	}
	if _, err := come(before); err != ErrFull {
		t.Errorf("a new connection gave way to another: %v", err)
	}
	h.pass(settled + time.Second)
	if _, err := come(after); err != ErrFull {
		t.Errorf("one that comes last was let in: %v", err)
	}
	if _, err := come(before); err != nil || !worst.gone || best.gone {
		t.Errorf("%v, the last has gone: %v, the first: %v", err, worst.gone, best.gone)
	}
}

// Who answers slowly, one after the other, is not taken for one that does not answer;
// but nobody keeps a request for ever.
func TestTheLastOfManyRequestsIsNotLate(t *testing.T) {
	h := newHarness(t, 40, nil)
	p := h.seed()
	for range 40 { // at first it is quick
		for _, m := range h.take(p, wire.Request) {
			h.pass(10 * time.Millisecond)
			h.give(p, m)
		}
		if len(p.asked) > 30 {
			break
		}
	}
	asked := slices.Clone(p.asked)
	answer := func(from, to int) {
		for _, a := range asked[from:to] {
			h.pass(1900 * time.Millisecond)
			begin, length := a.span(&h.layout)
			h.give(p, wire.Message{Index: uint32(a.piece), Begin: begin, Length: length})
		}
	}
	answer(0, 8)
	if n := h.Stats().Expired; n != 0 {
		t.Errorf("%d requests were given up after 15 seconds", n)
	}
	answer(8, 25)
	if n := h.Stats().Expired; n == 0 {
		t.Error("no request was given up after 47 seconds")
	}
	h.check()
}

// A small window does not shrink since requests take long to leave our own line.
func TestSmallWindowsStay(t *testing.T) {
	w := window{size: 2}
	w.arrived(100*time.Millisecond, 1, true, false)
	for range 100 {
		w.arrived(1800*time.Millisecond, w.size, true, false)
	}
	if w.size < smallWindow {
		t.Errorf("a window of %d", w.size)
	}
	w = window{size: firstWindow}
	w.arrived(100*time.Millisecond, 1, true, false)
	for range 100 {
		w.arrived(10*time.Second, 2, true, false)
	}
	if w.size != leastWindow {
		t.Errorf("a window of %d with a slow peer", w.size)
	}
}

// While much is awaited of peers that answer, none of it is asked of a faster one as
// well: only the last blocks are, and what is awaited of those that do not answer.
func TestTheEndgameIsForTheLastBlocks(t *testing.T) {
	for _, x := range []struct {
		pieces  int
		answers bool
		twice   bool
	}{{20, true, false}, {20, false, true}, {4, true, true}} {
		c := newCommon(x.pieces)
		slow, fast := c.peer(1), c.peer(2)
		slow.window.size = 4 * x.pieces
		r := c.requests(slow, fast)
		r.fill(slow)
		c.enter(c.now + 10*time.Second)
		if x.answers {
			slow.lastBlock = c.now - time.Second
		}
		fast.window.age = 10 * time.Millisecond
		fast.down.add(c.now, 100<<20, shortTerm)
		r.fill(fast)
		if got := len(fast.asked) > 0; got != x.twice || len(slow.asked) != 4*x.pieces {
			t.Errorf("%+v: %d blocks are asked of another", x, len(fast.asked))
		}
	}
}

// What a peer suggests and allows before the content is known is said but once.
func TestWhatIsSuggestedAndAllowedEarlyCounts(t *testing.T) {
	info := []byte("info")
	learning := func(say ...wire.Message) (pieces []uint32) {
		h := newHarness(t, 0, func(c *Config) { c.Layout = wire.Layout{} })
		p := h.peer(true)
		h.say(p, wire.Message{Type: wire.HaveAll})
		h.say(p, say...)
		h.SetInfo(h.at, info, wire.NewLayout(64*64*kib, 64*kib), nil, nil)
		h.flush()
		for _, m := range h.take(p, wire.Request) {
			if !slices.Contains(pieces, m.Index) {
				pieces = append(pieces, m.Index)
			}
		}
		h.check()
		return pieces
	}
	var said []wire.Message
	for _, i := range []uint32{wire.MaxPieces - 1, 64, 41} {
		said = append(said, wire.Message{Type: wire.Suggest, Index: i}, wire.Message{Type: wire.AllowedFast, Index: i})
	}
	if pieces := learning(said...); !slices.Equal(pieces, []uint32{41}) {
		t.Errorf("pieces %v are asked of a peer that allows 41", pieces)
	}
	if pieces := learning(append(said, wire.Message{Type: wire.Unchoke})...); len(pieces) == 0 || pieces[0] != 41 {
		t.Errorf("pieces %v are asked of a peer that suggests 41", pieces)
	}
}

// A message may have been read before the content was known, and be taken after.
func TestWhatWasReadBeforeTheContentWasKnownIsJudged(t *testing.T) {
	for _, m := range []wire.Message{
		{Type: wire.Have, Index: wire.MaxPieces - 1}, {Type: wire.Have, Index: 64}, {Type: wire.Suggest, Index: 64},
		{Type: wire.AllowedFast, Index: 64}, {Type: wire.Bitfield, Payload: make([]byte, 7)}, {Type: wire.Bitfield, Payload: make([]byte, 9)},
	} {
		h := newHarness(t, 64, nil)
		p := h.peer(true)
		h.say(p, m)
		if h.dropped(p) == "" {
			t.Errorf("a peer that sends %v %d %v is kept", m.Type, m.Index, m.Payload)
		}
		h.check()
	}
}
