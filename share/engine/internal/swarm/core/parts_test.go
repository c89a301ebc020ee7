package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// The parts of a Core, each tested without the others where it needs none.

// common is what all parts share.
type common struct {
	*clock
	*content
	*roster
	*sender
}

// newCommon is about content of so many pieces of four blocks, of which some are
// here.
func newCommon(pieces int, have ...int) *common {
	c := &common{newClock([32]byte{2}), &content{}, &roster{}, &sender{}}
	b := newBits(pieces)
	for _, i := range have {
		b.set(i)
	}
	c.content.learn(wire.NewLayout(int64(pieces)*64*kib, 64*kib), b, Normal)
	c.enter(time.Hour)
	return c
}

// peer is a peer of a line of its own that has nothing and chokes nobody.
func (c *common) peer(n int) *Peer {
	p := &Peer{PeerInfo: PeerInfo{Addr: netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%x::1]:6881", n)), Fast: true}}
	p.window.size, p.piece = firstWindow, -1
	p.have = newBits(c.layout.Pieces)
	c.peers = append(c.peers, p)
	return p
}

func (c *common) picker() *picker {
	pk := &picker{clock: c.clock, content: c.content, roster: c.roster, poison: newPoison()}
	pk.init()
	return pk
}

func (c *common) holdings() *holdings {
	return &holdings{content: c.content, roster: c.roster, sender: c.sender, picker: c.picker()}
}

// requests are those of peers that are seeds.
func (c *common) requests(seeds ...*Peer) *requests {
	h := c.holdings()
	for _, p := range seeds {
		h.all(p)
	}
	r := &readers{clock: c.clock, content: c.content, roster: c.roster, picker: h.picker}
	return &requests{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, picker: h.picker, readers: r}
}

// types are those of the messages that p is to be sent, which is emptied.
func types(p *Peer) (all []wire.Type) {
	for _, m := range p.empty(nil) {
		all = append(all, m.Type)
	}
	return all
}

func TestContentCountsWhatIsMissing(t *testing.T) {
	c := newCommon(4, 1).content
	if c.missing != 3 || c.complete || c.settle() {
		t.Fatalf("%d of 4 are missing", c.missing)
	}
	if n := c.value(1, Unwanted) + c.value(1, Normal); n != 0 {
		t.Error("a piece that is here counts as missing by its priority")
	}
	if c.value(2, Unwanted) != -1 || c.value(3, High) != 0 || c.missing != 2 {
		t.Errorf("%d are missing of those wanted", c.missing)
	}
	c.gain(0)
	c.gain(3)
	if !c.settle() || c.settle() || c.complete {
		t.Error("what is wanted is here, and that was not told once")
	}
	c.gain(2)
	c.lose(2) // which nobody wants
	if c.missing != 0 || c.complete {
		t.Errorf("%d are missing", c.missing)
	}
	c.lose(0)
	if c.missing != 1 || c.settle() {
		t.Errorf("%d are missing", c.missing)
	}
}

func TestASenderTakesBackAndGivesUp(t *testing.T) {
	c := newCommon(1)
	p := c.peer(1)
	c.send(p, wire.Message{Type: wire.Request, Index: 3})
	c.send(p, wire.Message{Type: wire.Have, Index: 3})
	if len(c.actions) != 1 || c.actions[0].Kind != Ready {
		t.Fatalf("%v", c.actions)
	}
	if !p.unsend(wire.Request, 3, 0) || p.unsend(wire.Request, 3, 0) {
		t.Error("a request that has not left was not taken back, once")
	}
	if got := types(p); !slices.Equal(got, []wire.Type{wire.Have}) {
		t.Errorf("%v", got)
	}
	for range maxOutbox + 1 {
		c.send(p, wire.Message{Type: wire.Have})
	}
	if len(p.mail) != maxOutbox || !p.deaf {
		t.Errorf("%d messages, deaf %v", len(p.mail), p.deaf)
	}
}

func TestHoldingsTellInterestWhenItChanges(t *testing.T) {
	c := newCommon(4, 0)
	h := c.holdings()
	p := c.peer(1)
	h.some(p, []byte{0x80}) // what is here
	if p.useful != 0 || len(types(p)) != 0 {
		t.Fatalf("%d pieces are of use", p.useful)
	}
	if !h.one(p, 2) || p.useful != 1 || p.fresh != 1 || h.picker.avail[2] != 1 {
		t.Errorf("%d useful, %d fresh", p.useful, p.fresh)
	}
	h.lost(p, 2)
	if got := types(p); !slices.Equal(got, []wire.Type{wire.Interested, wire.NotInterested}) {
		t.Errorf("%v", got)
	}
	h.left(p)
	if h.picker.avail[0] != 0 {
		t.Error("who is gone still has pieces")
	}
}

func TestAHeraldTellsSeveralAtOnce(t *testing.T) {
	c := newCommon(8)
	h := &herald{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender}
	bored, waiting, served, hungry := c.peer(1), c.peer(2), c.peer(3), c.peer(4)
	waiting.interested, served.interested, hungry.interested = true, true, true
	bored.choked, waiting.choked = true, true
	served.want = []span{{0, 0, 1}}
	told := func() (all []int) {
		for _, p := range []*Peer{bored, waiting, served, hungry} {
			all = append(all, len(types(p)))
		}
		return all
	}
	for _, at := range []struct {
		after time.Duration
		came  []int
		want  []int // haves, of each peer
	}{
		{0, []int{0, 1, 2}, []int{3, 0, 0, 3}},
		{newsTime - 1, []int{3}, []int{1, 0, 0, 1}},
		{1, nil, []int{0, 4, 4, 0}},
	} {
		c.enter(c.now + at.after)
		for _, i := range at.came {
			h.came(i)
		}
		h.tellAll()
		if got := told(); !slices.Equal(got, at.want) {
			t.Errorf("%v later they were told %v, not %v", at.after, got, at.want)
		}
	}
	h.came(4)
	h.came(5)
	h.came(6)
	waiting.have.set(4)
	h.lost(waiting, 5)
	h.tell(waiting)
	if got := waiting.empty(nil); len(got) != 1 || got[0].Index != 6 {
		t.Errorf("told %v of what it has, what is lost and what came", got)
	}
}

func TestAPickerFinishesWhatIsBegun(t *testing.T) {
	c := newCommon(10)
	h := c.holdings()
	p, q := c.peer(1), c.peer(2)
	h.all(p)
	h.some(q, []byte{0x04, 0}) // piece 5, so that it is the least rare
	first, n := h.picker.pick(p)
	if first.piece == 5 {
		t.Error("a piece that two have comes before those that one has")
	}
	h.picker.occupy(first, n, p)
	if b, n2 := h.picker.pick(p); b != first || n2 == n {
		t.Error("another piece is begun before the first is asked for")
	}
	if b, _ := h.picker.pick(q); b.piece != 5 {
		t.Errorf("piece %d of who has only 5", b.piece)
	}
	if h.picker.endgame() {
		t.Error("the end has come with 8 pieces to begin")
	}
}

func TestRequestsAreGivenUpAndMadeAgain(t *testing.T) {
	c := newCommon(1)
	p := c.peer(1)
	r := c.requests(p)
	r.fill(p)
	if len(p.asked) != 4 {
		t.Fatalf("%d requests", len(p.asked))
	}
	k := p.asked[0].key
	if wanted, known := r.arrived(p, k, wire.BlockSize); !wanted || !known {
		t.Error("a block that was asked for is not wanted")
	}
	if _, known := r.arrived(p, k, wire.BlockSize); known {
		t.Error("the same block was awaited twice")
	}
	c.enter(c.now + 21*time.Second)
	if r.expire(p) || len(p.asked) != 0 || r.expired != 3 {
		t.Errorf("%d requests are left", len(p.asked))
	}
	r.fill(p)
	if len(p.asked) != 0 {
		t.Error("it is asked again at once for what it did not send")
	}
	c.enter(c.now + time.Second)
	r.fill(p)
	if len(p.asked) != 1 { // who answers little is asked for little
		t.Errorf("%d requests", len(p.asked))
	}
	if r.rejected(p, key{0, 9}) != strayReject {
		t.Error("a reject of nothing passes")
	}
	if r.rejected(p, p.asked[0].key) != plainReject || len(p.asked) != 0 {
		t.Error("a reject does not end the request")
	}
}

func TestReadersSortByWhenPiecesAreDue(t *testing.T) {
	c := newCommon(20, 7)
	r := &readers{clock: c.clock, content: c.content, roster: c.roster, picker: c.picker()}
	r.set([]Reader{
		{From: 6 * 64 * kib, To: 9 * 64 * kib, By: c.now + 5*time.Second},
		{From: 64 * kib, To: 2 * 64 * kib, By: c.now + time.Second},
	})
	var got []int
	for _, u := range r.urgent {
		got = append(got, u.piece)
	}
	if !slices.Equal(got, []int{1, 6, 8}) || !r.waiting {
		t.Errorf("due are %v, waiting %v", got, r.waiting)
	}
	p := c.peer(1)
	p.seed = true
	if b, _ := r.pickUrgent(p); b == nil || b.piece != 1 {
		t.Errorf("%+v comes first", b)
	}
	if r.dueAt(8) != c.now+5*time.Second || r.dueAt(9) < time.Duration(1)<<60 {
		t.Error("pieces are due at other times")
	}
}

func TestBansSpreadToTheLine(t *testing.T) {
	o := newBans()
	at := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)) }
	for i := range netBan {
		if o.bans(at(9)) {
			t.Fatalf("the line is banned after %d", i)
		}
		o.ban(at(i))
	}
	if !o.bans(at(9)) || o.bans(netip.MustParseAddr("2001:db8:0:1::9")) {
		t.Error("not this line, or another one, is banned")
	}
}

// Four blocks of three peers, one of them wrong: nobody is convicted until the
// piece is right, and then the one who lied.
func TestPoisonConvictsByWhatDiffers(t *testing.T) {
	c := newCommon(1)
	a, b, liar := c.peer(1), c.peer(2), c.peer(3)
	o := newPoison()
	blocks := []block{{from: a}, {from: b}, {from: liar}, {from: a}}
	if got := o.accuse(0, blocks, [][20]byte{{1}, {2}, {66}, {4}}); got != nil {
		t.Fatal("one of three was convicted")
	}
	if !a.suspect || !b.suspect || !liar.suspect || !o.distrusts(0, a) {
		t.Fatal("they are no suspects")
	}
	alone := []block{{from: a}, {from: a}, {from: a}, {from: a}}
	if got := o.acquit(0, alone, [][20]byte{{1}, {2}, {3}, {4}}); !slices.Equal(got, []*Peer{liar}) {
		t.Errorf("%d were convicted", len(got))
	}
	if a.suspect || b.suspect || o.doubts(0) {
		t.Error("the honest are still suspects")
	}
	if o.accuse(0, alone, nil) != a {
		t.Error("who sent all of a wrong piece is not convicted")
	}
}

func TestATrialGoesToTheMostTrusted(t *testing.T) {
	c := newCommon(2)
	a, b := c.peer(1), c.peer(2)
	r := c.requests(a, b)
	tr := &trials{clock: c.clock, content: c.content, roster: c.roster, picker: r.picker, requests: r}
	a.suspect = true
	x := r.picker.open(0)
	x.solo = true
	tr.appoint(x)
	if x.owner != b {
		t.Fatal("a suspect fetches alone")
	}
	if tr.reappoint() != 0 || x.owner != b {
		t.Error("who was just chosen is replaced")
	}
	b.failed = 1
	a.suspect = false
	c.enter(c.now + longestSolo + time.Second)
	tr.reappoint()
	if x.owner != a || b.failed != 2 {
		t.Error("who brings nothing goes on")
	}
}

func TestAChokerServesWhoGives(t *testing.T) {
	c := newCommon(4)
	h := newChoker(c.clock, c.content, c.roster, uplink.New(3).Join())
	var givers, others []*Peer
	for i := range 6 {
		p := c.peer(i)
		p.choked, p.interested = true, true
		if i%3 == 2 {
			p.longDown.add(c.now, 1<<20, longTerm)
			givers = append(givers, p)
		} else {
			others = append(others, p)
		}
	}
	bored := c.peer(9) // who is served and wants nothing
	served := map[*Peer]bool{bored: true}
	for _, r := range h.deal(0) {
		served[r.peer] = r.serve
	}
	n := 0
	for _, p := range others {
		if served[p] {
			n++
		}
	}
	if !served[givers[0]] || !served[givers[1]] || n != 1 || served[bored] {
		t.Errorf("%v, and %d that give nothing", served, n)
	}
}

func TestUploadsServeWhatIsHere(t *testing.T) {
	c := newCommon(4, 0)
	s := &suggester{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, picker: c.picker()}
	u := &uploads{clock: c.clock, content: c.content, sender: c.sender, suggester: s, uplink: uplink.New(0).Join()}
	p := c.peer(1)
	p.choked = true
	u.requested(p, span{0, 0, 10})
	u.unchoke(p)
	u.requested(p, span{1, 0, 10})
	u.requested(p, span{0, 0, 10})
	u.requested(p, span{0, 10, 10})
	u.requested(p, span{0, 20, 10})
	u.cancelled(p, span{0, 10, 10})
	if got := types(p); !slices.Equal(got, []wire.Type{wire.Reject, wire.Unchoke, wire.Reject, wire.Reject}) {
		t.Errorf("%v", got)
	}
	blocks, sent := u.take(p, 1, nil)
	if sent != 10 || !slices.Equal(blocks, []Span{{0, 0, 10}}) || p.Uploaded != 10 {
		t.Errorf("%v, %d bytes", blocks, sent)
	}
	u.lost(p, 0)
	if blocks, _ := u.take(p, 100, nil); len(blocks) != 0 {
		t.Error("a lost piece is served")
	}
}

func TestASuggesterSendsEachPieceOnce(t *testing.T) {
	c := newCommon(8, 0, 1, 2, 3, 4, 5, 6, 7)
	s := &suggester{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, picker: c.picker()}
	told := make(map[int32]int)
	for i := range 2 {
		p := c.peer(i)
		s.begin(p)
		for _, n := range p.suggested {
			told[n]++
		}
	}
	if len(told) != 8 {
		t.Errorf("%v", told)
	}
	first := c.peers[0]
	s.takeBack(first)
	last := c.peer(3)
	back := slices.Clone(first.suggested[:atATime])
	s.begin(last)
	slices.Sort(back)
	got := slices.Sorted(slices.Values(last.suggested))
	if !slices.Equal(back, got) {
		t.Errorf("%v was taken back and %v suggested", back, got)
	}
	c.peer(4).seed = true
	if s.alone() {
		t.Error("there is another seed")
	}
}

func TestABookCallsInTurn(t *testing.T) {
	c := newCommon(1)
	b := newBook(c.clock, c.roster, newBans(), &ranking{}, &Config{MaxPeers: 8, MaxDialing: 2})
	at := func(n int) netip.AddrPort { return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%d::1]:1", n)) }
	for i := range 3 {
		b.learn(at(i), FromOutside)
	}
	b.bans.ban(at(0).Addr())
	calls := b.call()
	if len(calls) != 2 || slices.Contains(calls, at(0)) || len(b.call()) != 0 {
		t.Fatalf("%v", calls)
	}
	b.unreached(at(1))
	b.dialed(at(2))
	b.engaged(at(2))
	if due, any := b.soonest(0); !any || due != c.now+firstWait {
		t.Errorf("the next call is due at %v", due)
	}
	c.enter(c.now + firstWait)
	if calls := b.call(); !slices.Equal(calls, []netip.AddrPort{at(1)}) {
		t.Errorf("%v", calls)
	}
	p := c.peer(2)
	p.listen = at(2)
	b.idle(p)
	b.ended(p)
	if k := b.byAddr[at(2)]; k.busy || k.due != c.now+longWait {
		t.Errorf("%+v", k)
	}
}

func TestGossipTellsWhoCameAndWent(t *testing.T) {
	c := newCommon(1)
	g := &gossip{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender}
	p, q := c.peer(1), c.peer(2)
	p.ext = map[string]uint8{wire.NamePEX: 4}
	for _, x := range c.peers {
		x.listen = x.Addr
		g.met(x)
	}
	tell := func() (m wire.PEX) {
		t.Helper()
		c.enter(c.now + pexEvery)
		g.tell()
		for _, x := range p.empty(nil) {
			var err error
			if m, err = wire.ParsePEX(x.Payload); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	q.seed, q.UTP, q.Encrypted, q.ext = true, true, true, map[string]uint8{wire.NameHolepunch: 4}
	if m := tell(); len(m.Added) != 1 || m.Added[0].Addr != q.listen || m.Added[0].Flags != wire.PEXSeed|wire.PEXUTP|wire.PEXEncrypts|wire.PEXHolepunch {
		t.Errorf("%+v", m)
	}
	g.left(q)
	if m := tell(); len(m.Added) != 0 || !slices.Equal(m.Dropped, []netip.AddrPort{q.listen}) {
		t.Errorf("%+v", m)
	}
	said := wire.AppendPEX(nil, &wire.PEX{Added: []wire.PEXPeer{{Addr: q.listen}}})
	if all, _, err := g.heard(p, said); len(all) != 1 || err != nil {
		t.Error(all, err)
	}
	if all, tooSoon, _ := g.heard(p, said); len(all) != 0 || !tooSoon {
		t.Error("a peer may talk all the time")
	}
}

// Those of a private network are told of each other, and nobody else is told of them.
func TestGossipKeepsPrivateNetworksToThemselves(t *testing.T) {
	c := newCommon(1)
	g := &gossip{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender}
	addrs := []string{"[2001:db8:9::1]:1", "[fd00::1]:1", "[fd00::2]:1", "[::1]:1", "10.0.0.1:1", "[2001:db8:9::2]:1", "[fe80:3::1]:1", "[fe80:3::2]:1"}
	for i, a := range addrs {
		p := c.peer(i)
		p.Addr = netip.MustParseAddrPort(a)
		p.listen, p.ext = p.Addr, map[string]uint8{wire.NamePEX: 4}
		g.met(p)
	}
	told := func() []string {
		c.enter(c.now + pexEvery)
		g.tell()
		list := make([]string, len(c.peers))
		for i, p := range c.peers {
			for _, x := range p.empty(nil) {
				m, err := wire.ParsePEX(x.Payload)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range m.Added {
					list[i] += "+" + a.Addr.Addr().String()
				}
				for _, a := range m.Dropped {
					list[i] += "-" + a.Addr().String()
				}
			}
		}
		return list
	}
	all := "2001:db8:9::1+2001:db8:9::2"
	want := []string{"+2001:db8:9::2", "+fd00::2+" + all, "+fd00::1+" + all, "+" + all, "+" + all, "+2001:db8:9::1", "+" + all, "+" + all}
	sorted := func(s string) string {
		list := strings.Split(strings.TrimPrefix(s, "+"), "+")
		slices.Sort(list)
		return strings.Join(list, "+")
	}
	for i, got := range told() {
		if sorted(got) != sorted(want[i]) {
			t.Errorf("%s was told %s", addrs[i], got)
		}
	}
	g.left(c.peers[1])
	for i, got := range told() {
		if is := got != ""; is != (i == 1 || i == 2) {
			t.Errorf("%s was told %s", addrs[i], got)
		}
	}
}

func TestAnInfoExchangeServesAndFetches(t *testing.T) {
	info := bytes.Repeat([]byte{7}, wire.BlockSize+5)
	c := newCommon(1)
	give := &infoExchange{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, info: info}
	n := &common{c.clock, &content{}, &roster{}, &sender{}}
	take := &infoExchange{clock: n.clock, content: n.content, roster: n.roster, sender: n.sender}
	p, q := c.peer(1), n.peer(2)
	p.ext, q.ext = map[string]uint8{wire.NameMetadata: 3}, map[string]uint8{wire.NameMetadata: 3}
	q.info.size = len(info)
	var whole []byte
	for take.ask(); whole == nil; {
		asked := q.empty(nil)
		if len(asked) != 1 {
			t.Fatalf("%d requests", len(asked))
		}
		if _, err := give.heard(p, asked[0].Payload); err != nil {
			t.Fatal(err)
		}
		var err error
		if whole, err = take.heard(q, p.empty(nil)[0].Payload); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(whole, info) {
		t.Error("another info dictionary came")
	}
	if got := take.bad(); !slices.Equal(got, []*Peer{q}) {
		t.Error("who sent all of a forgery is not told")
	}
}

func TestAGreeterSaysWhatIsHere(t *testing.T) {
	for _, x := range []struct {
		have []int
		want wire.Type
	}{{nil, wire.HaveNone}, {[]int{0, 1}, wire.HaveAll}, {[]int{1}, wire.Bitfield}} {
		c := newCommon(2, x.have...)
		g := &greeter{content: c.content, sender: c.sender, private: true, extensions: map[string]uint8{"ours": wire.ExtOther}}
		p := c.peer(1)
		p.Extended = true
		g.greet(p, 99)
		mail := p.empty(nil)
		if len(mail) != 2 || mail[0].Type != x.want {
			t.Fatalf("%v", mail)
		}
		h, err := wire.ParseHandshake(mail[1].Payload)
		if err != nil || h.InfoSize != 99 || h.Extensions["ours"] != wire.ExtOther || h.Extensions[wire.NamePEX] != 0 {
			t.Errorf("%+v %v", h, err)
		}
		h, err = g.heard(p, wire.AppendHandshake(nil, &wire.Handshake{
			Port: 5, Client: "x", ReqQ: 9, Extensions: map[string]uint8{"ours": 3, "other": 4},
		}))
		if err != nil || h.Port != 5 || p.Client != "x" || p.reqq != 9 || p.Extension("ours") != 3 || p.Extension("other") != 0 {
			t.Errorf("%+v %v", p.manners, err)
		}
	}
}

func TestABookCallsAgainWhoIsNamedAgain(t *testing.T) {
	c := newCommon(1)
	b := newBook(c.clock, c.roster, newBans(), &ranking{}, &Config{MaxPeers: 8, MaxDialing: 2})
	p := c.peer(1)
	p.listen, p.Downloaded = p.Addr, 1
	b.learn(p.Addr, FromOutside)
	b.call()
	b.dialed(p.Addr)
	b.ended(p)
	if len(b.call()) != 0 {
		t.Fatal("it is called again at once")
	}
	if b.learn(p.Addr, FromPeer); len(b.call()) != 0 {
		t.Error("a peer has it called again at once")
	}
	if b.learn(p.Addr, FromOutside); len(b.call()) != 1 {
		t.Error("who is named again is not called again")
	}
	b.later(p.Addr)
	if k := b.byAddr[p.Addr]; k.fails != 0 || k.due != c.now+laterWait || b.dialing != 0 {
		t.Errorf("a call that was put off counts as a failure: %+v", k)
	}
	c.enter(c.now + laterWait)
	b.call()
	b.unreached(p.Addr)
	if b.learn(p.Addr, FromOutside); len(b.call()) != 1 {
		t.Error("who is named again is not called again after a failure")
	}
	b.dialed(p.Addr)
	b.idle(p)
	b.ended(p)
	if b.learn(p.Addr, FromOutside); len(b.call()) != 0 {
		t.Error("who was of no use is called again at once")
	}
	if b.again(p.Addr); len(b.call()) != 1 {
		t.Error("it is not called when it must be")
	}
}
