package wire

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// The content of these tests: pieces of 32 KiB, 32 KiB, and 20000 bytes.
var layout = NewLayout(2*32<<10+20000, 32<<10)

func all(extra ...func(*ReaderConfig)) ReaderConfig {
	cfg := ReaderConfig{Fast: true, Extended: true, V2: true}
	for _, f := range extra {
		f(&cfg)
	}
	return cfg
}

func join(msgs ...Message) []byte {
	var b []byte
	for i := range msgs {
		b = Append(b, &msgs[i])
	}
	return b
}

// readAll reads b as messages until an error, which it returns.
func readAll(b []byte, cfg ReaderConfig, l *Layout) ([]Message, error) {
	r := slowly(b, cfg, l)
	defer r.Release()
	return drain(r)
}

// slowly gets b byte by byte.
func slowly(b []byte, cfg ReaderConfig, l *Layout) *Reader {
	r := NewReader(iotest.OneByteReader(bytes.NewReader(b)), cfg)
	if l != nil {
		r.SetLayout(l)
	}
	return r
}

func drain(r *Reader) ([]Message, error) {
	var got []Message
	for {
		var m Message
		if err := r.Read(&m); err != nil {
			return got, err
		}
		m.Payload, m.Block = bytes.Clone(m.Payload), bytes.Clone(m.Block)
		got = append(got, m)
	}
}

func TestMessagesSurviveTheWay(t *testing.T) {
	sent := []Message{
		{Type: Bitfield, Payload: []byte{0xa0}},
		{Type: KeepAlive}, {Type: Choke}, {Type: Unchoke}, {Type: Interested}, {Type: NotInterested},
		{Type: Have, Index: 2}, {Type: Suggest, Index: 1}, {Type: AllowedFast, Index: 1},
		{Type: Request, Index: 2, Begin: 16 << 10, Length: 3616},
		{Type: Cancel, Index: 1, Begin: 16 << 10, Length: 16 << 10},
		{Type: Reject, Index: 0, Begin: 1, Length: 2},
		{Type: Piece, Index: 2, Begin: 16 << 10, Length: 3616, Block: bytes.Repeat([]byte{7}, 3616)},
		{Type: Port, Port: 6881},
		{Type: Extended, Ext: 3, Payload: bytes.Repeat([]byte{9}, 5000)},
		{Type: HashRequest, Hash: &HashSpan{Root: [32]byte{1}, Layer: 2, Index: 8, Length: 4, Proofs: 3}},
		{Type: HashReject, Hash: &HashSpan{Root: [32]byte{1}, Layer: 2, Index: 8, Length: 4, Proofs: 3}},
		{Type: Hashes, Hash: &HashSpan{Layer: 2, Index: 8, Length: 4, Proofs: 3, Hashes: make([][32]byte, 6)}},
	}
	got, err := readAll(join(sent...), all(), &layout)
	if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestPieceHeaderIsThatOfAPiece(t *testing.T) {
	block := []byte("hello")
	b := AppendPieceHeader(nil, 3, 4, uint32(len(block)))
	if len(b) != PieceHeader || !bytes.Equal(append(b, block...), join(Message{Type: Piece, Index: 3, Begin: 4, Block: block})) {
		t.Fatalf("%x", b)
	}
}

// What no honest peer sends ends the connection, each for its own reason and
// before memory is taken for it.
func TestBreachesOfTheProtocol(t *testing.T) {
	raw := func(n uint32, t Type, rest ...byte) []byte {
		return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(t)}, rest...)
	}
	hash := func(layer, index, length, proofs uint32) []byte {
		return join(Message{Type: HashRequest, Hash: &HashSpan{Layer: layer, Index: index, Length: length, Proofs: proofs}})
	}
	for name, c := range map[string]struct {
		in      []byte
		unknown bool // the content is
		slow    bool // without the fast extension
	}{
		"choke with a payload":            {in: raw(2, Choke, 0)},
		"have of three bytes":             {in: raw(4, Have, 0, 0, 0)},
		"have beyond the end":             {in: join(Message{Type: Have, Index: 3})},
		"have of an absurd piece":         {in: join(Message{Type: Have, Index: MaxPieces}), unknown: true},
		"bit field too long":              {in: join(Message{Type: Bitfield, Payload: []byte{0xa0, 0}})},
		"bit field too short":             {in: join(Message{Type: Bitfield})},
		"bit field with spare bits":       {in: join(Message{Type: Bitfield, Payload: []byte{0xb0}})},
		"bit field absurd":                {in: raw(MaxPieces/8+2, Bitfield), unknown: true},
		"bit field of the longest length": {in: raw(0xffffffff, Bitfield), unknown: true},
		"bit field, then have none":       {in: join(Message{Type: Bitfield, Payload: []byte{0}}, Message{Type: HaveNone})},
		"have all, then have none":        {in: join(Message{Type: HaveAll}, Message{Type: HaveNone})},
		"have, then have none":            {in: join(Message{Type: Have}, Message{Type: HaveNone})},
		"have all without fast":           {in: join(Message{Type: HaveAll}), slow: true},
		"reject without fast":             {in: join(Message{Type: Reject, Length: 1}), slow: true},
		"request of nothing":              {in: join(Message{Type: Request})},
		"request too long":                {in: join(Message{Type: Request, Length: MaxRequest + 1})},
		"request beyond the piece":        {in: join(Message{Type: Request, Begin: 32<<10 - 1, Length: 2})},
		"request that overflows":          {in: join(Message{Type: Request, Begin: 0xffffffff, Length: 2})},
		"request beyond the short piece":  {in: join(Message{Type: Request, Index: 2, Begin: 16 << 10, Length: 16 << 10})},
		"request before content":          {in: join(Message{Type: Request, Length: 1}), unknown: true},
		"request of twelve bytes more":    {in: raw(25, Request)},
		"cancel beyond the end":           {in: join(Message{Type: Cancel, Index: 9, Length: 1})},
		"empty block":                     {in: raw(9, Piece, 0, 0, 0, 0, 0, 0, 0, 0)},
		"block too long":                  {in: raw(9+BlockSize+1, Piece, 0, 0, 0, 0, 0, 0, 0, 0)},
		"block of the longest length":     {in: raw(0xffffffff, Piece)},
		"block beyond the piece":          {in: join(Message{Type: Piece, Index: 2, Begin: 19999, Block: []byte{1, 2}})},
		"block before content":            {in: join(Message{Type: Piece, Block: []byte{1}}), unknown: true},
		"extended without number":         {in: raw(1, Extended)},
		"unknown and absurd":              {in: raw(maxSkip+2, 99)},
		"extended and absurd":             {in: raw(0xffffffff, Extended)},
		"no hashes":                       {in: hash(0, 0, 0, 0)},
		"three hashes":                    {in: hash(0, 0, 3, 0)},
		"unaligned hashes":                {in: hash(0, 2, 4, 0)},
		"too many hashes":                 {in: hash(0, 0, 1024, 0)},
		"too many proofs":                 {in: hash(0, 0, 2, 41)},
		"too deep a layer":                {in: hash(41, 0, 2, 0)},
		"fewer hashes than asked":         {in: join(Message{Type: Hashes, Hash: &HashSpan{Length: 4, Hashes: make([][32]byte, 3)}})},
		"more hashes than asked":          {in: join(Message{Type: Hashes, Hash: &HashSpan{Length: 4, Proofs: 1, Hashes: make([][32]byte, 6)}})},
		"hashes cut":                      {in: raw(48+16+1, Hashes)},
	} {
		l := &layout
		if c.unknown {
			l = nil
		}
		cfg := all()
		cfg.Fast = !c.slow
		r := slowly(c.in, cfg, l)
		if _, err := drain(r); !IsPeersFault(err) {
			t.Errorf("%s: %v", name, err)
		}
		if r.block != nil || r.large != nil {
			t.Errorf("%s: memory was taken for a block", name)
		}
	}
}

// aria2 sends a bit field in place of many haves.
func TestAvailabilityMayGrow(t *testing.T) {
	in := join(Message{Type: HaveNone}, Message{Type: Have, Index: 1}, Message{Type: Bitfield, Payload: []byte{0xc0}}, Message{Type: HaveAll})
	if got, err := readAll(in, all(), &layout); !errors.Is(err, io.EOF) || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
}

// What a newer peer may send is skipped, and the next message is read.
func TestWhatIsNotKnownIsSkipped(t *testing.T) {
	unknown := append([]byte{0, 0, 0x20, 1, 77}, make([]byte, 0x2000)...)
	none := func(c *ReaderConfig) { c.Extended, c.V2 = false, false }
	in := bytes.Join([][]byte{
		unknown,
		join(Message{Type: Extended, Ext: 1, Payload: []byte("x")}),
		join(Message{Type: HashReject, Hash: &HashSpan{Length: 3}}),
		join(Message{Type: Have, Index: 1}),
	}, nil)
	got, err := readAll(in, all(none), &layout)
	if !errors.Is(err, io.EOF) || len(got) != 1 || got[0].Type != Have {
		t.Fatalf("%v, %v", got, err)
	}
	long := join(Message{Type: Extended, Ext: 1, Payload: make([]byte, MaxExtended+1)}, Message{Type: Choke})
	if got, _ := readAll(long, all(), &layout); len(got) != 1 || got[0].Type != Choke {
		t.Fatalf("%v", got)
	}
}

// A peer that names a length and sends nothing takes no memory by it.
func TestMemoryFollowsWhatArrives(t *testing.T) {
	n := uint32(MaxPieces / 8)
	in := []byte{byte((n + 1) >> 24), byte((n + 1) >> 16), byte((n + 1) >> 8), byte(n + 1), byte(Bitfield)}
	r := NewReader(bytes.NewReader(in), all())
	var m Message
	if err := r.Read(&m); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if cap(r.long) > 64<<10 {
		t.Fatalf("%d bytes were taken for none", cap(r.long))
	}
	r = NewReader(bytes.NewReader(append(in, make([]byte, n)...)), all())
	if err := r.Read(&m); err != nil || len(m.Payload) != int(n) {
		t.Fatal(len(m.Payload), err)
	}
}

func TestTheEndInsideAMessageIsUnexpected(t *testing.T) {
	whole := join(Message{Type: Piece, Index: 1, Block: make([]byte, 5000)})
	for _, cut := range []int{1, 3, 4, 5, 8, 12, 13, 2000, len(whole) - 1} {
		if _, err := readAll(whole[:cut], all(), &layout); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestLayout(t *testing.T) {
	l := Layout{Pieces: 4, PieceLength: 32 << 10, Last: 5, Short: map[int]int{1: 17000}}
	if l.Len(0) != 32<<10 || l.Len(1) != 17000 || l.Len(3) != 5 || l.Blocks(1) != 2 || l.BlockLen(1, 1) != 17000-16384 || l.Total() != 2*32<<10+17000+5 {
		t.Fatal(l.Total())
	}
	if l.Room(0) != 32<<10 || l.Room(1) != 32<<10 || l.Room(3) != 5 {
		t.Fatal(l.Room(0), l.Room(1), l.Room(3))
	}
	l.Short[2] = 3
	for _, c := range []struct {
		m  Message
		ok bool
	}{
		{Message{Type: Request, Index: 2, Length: 3}, true},
		{Message{Type: Request, Index: 2, Length: 16 << 10}, true}, // with zeros behind the end
		{Message{Type: Cancel, Index: 2, Length: 16 << 10}, true},
		{Message{Type: Request, Index: 2, Begin: 16 << 10, Length: 1}, false},
		{Message{Type: Request, Index: 3, Length: 6}, false},
		{Message{Type: Piece, Index: 2, Block: make([]byte, 4)}, false},
		{Message{Type: Reject, Index: 2, Length: 4}, false},
	} {
		if _, err := readAll(join(c.m), all(), &l); (err == nil || errors.Is(err, io.EOF)) != c.ok {
			t.Errorf("%v of %d bytes at %d of piece %d: %v", c.m.Type, c.m.Length, c.m.Begin, c.m.Index, err)
		}
	}
	if got := layout; got.Pieces != 3 || got.Last != 20000 || got.Total() != 2*32<<10+20000 {
		t.Fatal(got)
	}
	if l := NewLayout(0, 16<<10); l.Pieces != 0 || l.Total() != 0 || !l.Known() {
		t.Fatal(l)
	}
}

func TestExtendedMessagesSurviveTheWay(t *testing.T) {
	h := Handshake{
		Extensions: map[string]uint8{NameMetadata: 1, NamePEX: 2, "x": 0}, Client: "shoal 1", Port: 6881, ReqQ: 500,
		InfoSize: 12345, UploadOnly: true, YourIP: netip.MustParseAddr("2001:db8::1"),
	}
	if got, err := ParseHandshake(AppendHandshake(nil, &h)); err != nil || !cmp.Equal(h, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Fatalf("%+v, %v", got, err)
	}
	m := Metadata{Kind: MetaData, Piece: 3, Total: 99999, Data: []byte("abc")}
	if got, err := ParseMetadata(AppendMetadata(nil, &m)); err != nil || !cmp.Equal(m, got) {
		t.Fatalf("%+v, %v", got, err)
	}
	p := PEX{
		Added: []PEXPeer{{netip.MustParseAddrPort("[2001:db8::1]:1"), PEXSeed}, {netip.MustParseAddrPort("192.0.2.1:2"), PEXReachable}},
		Dropped: []netip.AddrPort{
			netip.MustParseAddrPort("[2001:db8::2]:3"), netip.MustParseAddrPort("192.0.2.2:4"),
		},
	}
	if got, err := ParsePEX(AppendPEX(nil, &p)); err != nil || !cmp.Equal(p, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })) {
		t.Fatalf("%+v, %v", got, err)
	}
	if i, err := ParseDontHave(AppendDontHave(nil, 2), &layout); err != nil || i != 2 {
		t.Fatal(i, err)
	}
	for _, a := range []string{"[2001:db8::1]:1", "192.0.2.1:2"} {
		u := Holepunch{Kind: PunchError, Addr: netip.MustParseAddrPort(a), Code: 3}
		if got, err := ParseHolepunch(AppendHolepunch(nil, &u)); err != nil || got != u {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

func TestExtendedMessagesOutOfRange(t *testing.T) {
	for _, in := range []string{"", "i1e", "d8:msg_typei0ee", "d8:msg_typei0e5:piecei-1ee", "d8:msg_typei0e5:piecei99999999ee", "d8:msg_typei1e5:piecei0ee"} {
		if _, err := ParseMetadata([]byte(in)); !IsPeersFault(err) {
			t.Errorf("metadata %q: %v", in, err)
		}
	}
	h, err := ParseHandshake([]byte("d1:md11:ut_metadatai256e6:ut_pexi-1ee13:metadata_sizei99999999999e1:pi70000e4:reqqi-5e1:v4:a\x1b\xffbe"))
	if err != nil || len(h.Extensions) != 0 || h.InfoSize != 0 || h.Port != 0 || h.ReqQ != 0 || h.Client != "a??b" {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := ParseDontHave(AppendDontHave(nil, 3), &layout); !IsPeersFault(err) {
		t.Error("lt_donthave beyond the end")
	}
	many := PEX{}
	for i := range 300 {
		many.Added = append(many.Added, PEXPeer{Addr: netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), uint16(i))})
	}
	if p, err := ParsePEX(AppendPEX(nil, &many)); err != nil || len(p.Added) != MaxPEX-1 {
		t.Errorf("%d addresses, %v", len(p.Added), err) // the one with port 0 is left out
	}
}

// gusts gives what has come, as much as is asked for, and notes what a Reader holds
// when it waits for more.
type gusts struct {
	r     *Reader
	come  [][]byte
	reads int
	held  bool // a large buffer, while nothing was there
}

func (g *gusts) Read(b []byte) (int, error) {
	g.reads++
	if len(g.come) == 0 {
		g.held = g.held || g.r.large != nil
		return 0, io.EOF
	}
	n := copy(b, g.come[0])
	if g.come[0] = g.come[0][n:]; len(g.come[0]) == 0 {
		g.come = g.come[1:]
	}
	return n, nil
}

// Many blocks come with one read while many wait, and can be joined; a connection
// that waits for more holds its small buffer alone. Without a large buffer all comes,
// too.
func TestBlocksThatWaitComeTogether(t *testing.T) {
	const n = 40
	content := NewLayout(n*BlockSize, n*BlockSize)
	var in, want []byte
	for i := range n {
		b := bytes.Repeat([]byte{byte(i)}, BlockSize)
		in = append(in, join(Message{Type: Piece, Begin: uint32(i * BlockSize), Block: b}, Message{Type: Unchoke})...)
		want = append(want, b...)
	}
	for _, x := range []struct {
		name       string
		lent       int32
		cut        int // where what waits ends for the first time
		most, runs int // reads and runs of blocks
	}{
		{"at once", 0, len(in), 10, 10},
		{"in a header", 0, 20*(BlockSize+18) + 2, 15, 12},
		{"in a block", 0, 20*(BlockSize+18) + 5000, 15, 12},
		{"no buffer is free", largeBuffers, len(in), 3 * n, n},
	} {
		lent.Add(x.lent)
		g := &gusts{come: [][]byte{in[:x.cut:x.cut], in[x.cut:]}}
		if x.cut == len(in) {
			g.come = g.come[:1]
		}
		var got, run []byte
		runs := 0
		r := NewReader(g, ReaderConfig{Refill: func() error {
			if len(run) > 0 {
				runs++
			}
			got, run = append(got, run...), nil
			return nil
		}})
		g.r = r
		r.SetLayout(&content)
		var err error
		for err == nil {
			var m Message
			if err = r.Read(&m); err != nil || m.Type != Piece {
				continue
			}
			if run == nil {
				run = m.Block
			} else {
				run = append(run, m.Block...)
			}
		}
		r.Release()
		lent.Add(-x.lent)
		if !errors.Is(err, io.EOF) || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes of %d arrived, %v", x.name, len(got), len(want), err)
		}
		if g.reads > x.most || runs > x.runs {
			t.Errorf("%s: %d reads, %d runs", x.name, g.reads, runs)
		}
		if g.held {
			t.Errorf("%s: a large buffer is held while nothing comes", x.name)
		}
		if l := lent.Load(); l != 0 {
			t.Errorf("%s: %d large buffers were not given back", x.name, l)
		}
	}
}

func TestARefillMayEndReading(t *testing.T) {
	end := errors.New("the end")
	r := NewReader(bytes.NewReader(join(Message{Type: Choke})), ReaderConfig{Refill: func() error { return end }})
	if err := r.Read(&Message{}); !errors.Is(err, end) {
		t.Error(err)
	}
}
