package core

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// forest is v2 content of a test: pieces of four blocks, whose hashes are made up.
type forest struct {
	Trees
	layout wire.Layout
	leaves [][]merkle.Hash // of each file
	layers map[merkle.Hash][]merkle.Hash
}

// known keeps layers.
type known map[merkle.Hash][]merkle.Hash

func (k known) Layer(root merkle.Hash) []merkle.Hash { return k[root] }
func (k known) Set(root merkle.Hash, layer []merkle.Hash) error {
	if merkle.Root(layer, 2) != root {
		return errors.New("a wrong layer")
	}
	k[root] = layer
	return nil
}

// grow makes files of so many blocks, none of whose layers is known.
func grow(blocks ...int) *forest {
	f := &forest{layers: make(map[merkle.Hash][]merkle.Hash)}
	f.layout = wire.Layout{PieceLength: 64 * kib, Short: make(map[int]int)}
	for n, count := range blocks {
		leaves := make([]merkle.Hash, count)
		for i := range leaves {
			binary.BigEndian.PutUint64(leaves[i][:], uint64(n+1)<<32|uint64(i+1))
		}
		pieces := (count + 3) / 4
		file := File{Root: merkle.Root(leaves, 0), First: f.layout.Pieces, Pieces: pieces, Blocks: int64(count)}
		f.layout.Pieces += pieces
		last := 64*kib - (4*pieces-count)*wire.BlockSize
		f.layout.Last = last
		if last < 64*kib && n < len(blocks)-1 {
			f.layout.Short[f.layout.Pieces-1] = last
		}
		if pieces > 1 {
			var layer []merkle.Hash
			for i := 0; i < count; i += 4 {
				layer = append(layer, merkle.Top(leaves[i:min(count, i+4)], 0, 2))
			}
			f.layers[file.Root] = layer
		}
		f.Files = append(f.Files, file)
		f.leaves = append(f.leaves, leaves)
	}
	f.Layers = known{}
	f.Only = true
	return f
}

// whole knows all layers.
func (f *forest) whole() *forest {
	f.Layers = known(f.layers)
	return f
}

// answer is the right answer to a hash request.
func (f *forest) answer(m wire.Message) wire.Message {
	h := *m.Hash
	for n, file := range f.Files {
		if file.Root == h.Root {
			for _, x := range merkle.NewTree(f.leaves[n], 0).Hashes(spanOf(&h)) {
				h.Hashes = append(h.Hashes, x)
			}
		}
	}
	return wire.Message{Type: wire.Hashes, Hash: &h}
}

func (f *forest) harness(t testing.TB, change func(*Config)) *harness {
	return newHarness(t, 0, func(c *Config) {
		c.Layout, c.Trees = f.layout, &f.Trees
		if change != nil {
			change(c)
		}
	})
}

func all(pieces int) []byte {
	b := newBits(pieces)
	for i := range pieces {
		b.set(i)
	}
	return b
}

// v2 connects a peer that exchanges hashes, has everything and unchokes us.
func (h *harness) v2() *Peer {
	h.t.Helper()
	h.next = true
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveAll}, wire.Message{Type: wire.Unchoke})
	return p
}

func (h *harness) pieces(p *Peer) (list []int) {
	for _, m := range h.take(p, wire.Request) {
		if !slices.Contains(list, int(m.Index)) {
			list = append(list, int(m.Index))
		}
	}
	slices.Sort(list)
	return list
}

// What cannot be checked is not asked for until it can be: the layers come first.
func TestPiecesWaitForTheirLayer(t *testing.T) {
	f := grow(20, 3, 4, 9) // pieces 0-4, 5, 6, 7-9
	h := f.harness(t, nil)
	p := h.v2()
	requests := h.sent[p]
	if got := h.pieces(p); !slices.Equal(got, []int{5, 6}) {
		t.Fatalf("the pieces %v are asked for", got)
	}
	h.check()
	asked := 0
	for _, m := range requests {
		if m.Type != wire.HashRequest {
			continue
		}
		asked++
		h.say(p, f.answer(m))
	}
	if asked != 2 {
		t.Fatalf("%d spans are asked for", asked)
	}
	h.check()
	if got := h.pieces(p); len(got) == 0 || slices.Contains(got, 5) || slices.Contains(got, 6) || h.blind.count(10) > 0 {
		t.Errorf("the pieces %v are asked for then, and %d cannot be checked", got, h.blind.count(10))
	}
	if h.action(Layered) == nil || h.action(Layered) != nil {
		t.Error("that all layers are there is not told, or twice")
	}
	if len(f.Layers.(known)) != 2 || h.action(Finished) != nil {
		t.Errorf("%d layers", len(f.Layers.(known)))
	}
}

// A long layer is asked for in parts of several peers; of nobody who does not
// exchange hashes.
func TestALongLayerComesInParts(t *testing.T) {
	f := grow(4*20_000 + 1)
	h := f.harness(t, nil)
	old := h.seed()
	p, q := h.v2(), h.v2()
	most, parts, from := 0, 0, make(map[*Peer]int)
	for range 100 {
		for _, x := range []*Peer{p, q} {
			reqs := h.take(x, wire.HashRequest)
			most = max(most, len(x.inquired.hashes))
			for _, m := range reqs {
				if m.Hash.Length != 512 || m.Hash.Index%512 != 0 {
					t.Fatalf("%+v", m.Hash)
				}
				parts++
				from[x]++
				h.say(x, f.answer(m))
			}
		}
	}
	if parts != 40 || from[p] == 0 || from[q] == 0 || most > inquiriesAtOnce || len(h.take(old, wire.HashRequest)) > 0 {
		t.Errorf("%d parts, %d and %d; at most %d at once", parts, from[p], from[q], most)
	}
	if len(f.Layers.(known)) != 1 {
		t.Error("the layer is not there")
	}
}

// Of a peer that has no hashes, lies, is silent or leaves, another is asked.
func TestHashesAreAskedOfAnother(t *testing.T) {
	for name, bad := range map[string]func(h *harness, f *forest, p *Peer, m wire.Message){
		"rejects": func(h *harness, _ *forest, p *Peer, m wire.Message) {
			h.say(p, wire.Message{Type: wire.HashReject, Hash: m.Hash})
		},
		"lies": func(h *harness, f *forest, p *Peer, m wire.Message) {
			a := f.answer(m)
			a.Hash.Hashes[1][3] ^= 1
			h.say(p, a)
		},
		"sends too few": func(h *harness, f *forest, p *Peer, m wire.Message) {
			a := f.answer(m)
			a.Hash.Hashes = a.Hash.Hashes[:len(a.Hash.Hashes)-1]
			h.say(p, a)
		},
		"is silent": func(h *harness, _ *forest, _ *Peer, _ wire.Message) { h.pass(inquiryTimeout + 5*time.Second) },
		"leaves":    func(h *harness, _ *forest, p *Peer, _ wire.Message) { h.Disconnected(h.at, p) },
	} {
		t.Run(name, func(t *testing.T) {
			f := grow(20)
			h := f.harness(t, nil)
			p := h.v2()
			asked := h.take(p, wire.HashRequest)
			if len(asked) != 1 {
				t.Fatalf("%d requests", len(asked))
			}
			bad(h, f, p, asked[0])
			if again := h.take(p, wire.HashRequest); len(again) > 0 {
				t.Error("it is asked again at once")
			}
			if lied := name == "lies" || name == "sends too few"; lied != (h.dropped(p) != "") || lied != p.convicted {
				t.Errorf("dropped since %q, convicted %v", h.dropped(p), p.convicted)
			}
			q := h.v2()
			again := h.take(q, wire.HashRequest)
			if len(again) != 1 {
				t.Fatalf("%d requests of another", len(again))
			}
			h.say(q, f.answer(again[0]))
			if len(f.Layers.(known)) != 1 {
				t.Error("the layer is not there")
			}
			if name == "is silent" {
				h.say(p, f.answer(asked[0])) // late, which is no fault
				if p.strikes > 0 {
					t.Error("an answer that is late counts as a fault")
				}
			}
		})
	}
}

func TestHashesThatNobodyAskedForAreStrikes(t *testing.T) {
	f := grow(20, 3).whole()
	h := f.harness(t, nil)
	p := h.v2()
	m := wire.Message{Type: wire.Hashes, Hash: &wire.HashSpan{Root: f.Files[0].Root, Layer: 2, Length: 8, Proofs: 2, Hashes: make([][32]byte, 8)}}
	for range maxStrikes {
		if h.dropped(p) != "" {
			t.Fatal("dropped at once")
		}
		h.say(p, m)
	}
	if h.dropped(p) == "" {
		t.Error("a peer that sends hashes all the time is not dropped")
	}
}

// Hashes are served that are in the trees, each proven; others are rejected.
func TestHashesAreServed(t *testing.T) {
	f := grow(23, 3, 1, 2100).whole() // pieces 0-5, 6, 7, 8-532
	f.Layers = known{f.Files[0].Root: f.layers[f.Files[0].Root], f.Files[3].Root: f.layers[f.Files[3].Root]}
	h := f.harness(t, func(c *Config) {
		c.Have = all(f.layout.Pieces)
		bits(c.Have).clear(2)
	})
	h.next = true
	p := h.peer(false)
	ask := func(file int, s merkle.Span) (*wire.HashSpan, bool) {
		t.Helper()
		h.sent[p], h.actions = nil, nil
		m := wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{
			Root: f.Files[file].Root, Layer: uint32(s.Layer), Index: uint32(s.Index), Length: uint32(s.Length), Proofs: uint32(s.Proofs),
		}}
		h.say(p, m)
		if a := h.action(HashBlocks); a != nil {
			x := h.trees.of(a.Piece)
			n := slices.IndexFunc(f.Files, func(y File) bool { return y.Root == x.Root })
			from := 4 * (a.Piece - x.First)
			h.Hashed(h.at, a.Piece, f.leaves[n][from:min(len(f.leaves[n]), from+4)])
			h.flush()
		}
		for _, got := range h.sent[p] {
			switch got.Type {
			case wire.Hashes, wire.HashReject:
				if got.Hash.Root != m.Hash.Root || spanOf(got.Hash) != s {
					t.Fatalf("%+v is answered with %+v", m.Hash, got.Hash)
				}
				return got.Hash, got.Type == wire.Hashes
			}
		}
		t.Fatalf("%+v is not answered", s)
		return nil, false
	}
	served := 0
	for file, x := range f.Files {
		tree := merkle.NewTree(f.leaves[file], 0)
		for layer := range 13 {
			for length := 1; length <= 1024; length *= 2 {
				for _, index := range []int{0, length, 8, 12, 20, 21, 512, 2048, 1 << 31} {
					for _, proofs := range []int{0, 1, 2, layer, 8, x.height() - layer - 1, 40} {
						s := merkle.Span{Layer: layer, Index: index, Length: length, Proofs: max(0, proofs)}
						want := tree.Hashes(s)
						if layer < 2 && s.Length<<layer > 4 { // over several pieces
							want = nil
						}
						if piece := x.First + s.Index<<layer/4; layer < 2 && (piece == 2 || piece >= x.First+x.Pieces) {
							want = nil
						}
						got, ok := ask(file, s)
						if ok != (want != nil) || len(got.Hashes) != len(want) {
							t.Fatalf("file %d, %+v: %v, %d hashes, want %d", file, s, ok, len(got.Hashes), len(want))
						}
						for i := range want {
							if got.Hashes[i] != want[i] {
								t.Fatalf("file %d, %+v: hash %d is wrong", file, s, i)
							}
						}
						if ok {
							served++
						}
						h.at += time.Minute // its allowance is whole again
					}
				}
			}
		}
	}
	if served < 200 {
		t.Errorf("only %d were served", served)
	}
}

// However much a peer asks, what it costs us is bounded.
func TestAStormOfHashRequestsCostsLittle(t *testing.T) {
	f := grow(4*5000, 4).whole()
	h := f.harness(t, func(c *Config) { c.Have = all(f.layout.Pieces) })
	h.next = true
	p := h.peer(false)
	served, sent := 0, 0
	for i := range 40_000 {
		h.say(p, wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{Root: f.Files[0].Root, Layer: 2, Index: uint32(i % 8 * 512), Length: 512, Proofs: 12}})
		h.actions = nil
		for _, m := range h.sent[p] {
			if m.Type == wire.Hashes {
				served++
				sent += len(m.Hash.Hashes)
			}
		}
		h.sent[p] = nil
	}
	if served == 0 || sent > hashesAtOnce {
		t.Errorf("%d hashes were sent at once", sent)
	}
	reads := 0
	for i := range 5000 {
		h.actions = nil
		h.say(p, wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{Root: f.Files[0].Root, Index: uint32(i * 4), Length: 4}})
		if p.inquiring.waiting > maxLeafRequests || len(h.hashServer.waiting) > maxLeafWaiting {
			t.Fatal("too many wait")
		}
		if i%3 == 0 && len(h.hashServer.waiting) > 0 {
			h.Hashed(h.at, h.hashServer.waiting[0].piece, nil)
			reads++
			h.flush()
		}
	}
	if reads == 0 || reads*64*kib > leafBytesAtOnce+maxLeafRequests*64*kib {
		t.Errorf("%d pieces were read", reads)
	}
	// One that fetches nothing of what it asks for is dropped in the end.
	h.Disconnected(h.at, p)
	h.next = true
	q := h.peer(false)
	for range 2 * maxOutbox {
		h.Receive(h.at, q, &wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{Root: f.Files[0].Root, Layer: 2, Length: 512, Proofs: 12}})
	}
	if len(q.mail) > maxOutbox {
		t.Errorf("%d messages wait", len(q.mail))
	}
}

// bad fetches a piece from two peers, of which liar sent one block that is wrong, and
// has it judged.
func (h *harness) bad(f *forest, p, q *Peer) (wrong int, from *Peer) {
	h.t.Helper()
	sums := make([][20]byte, 4)
	for n := range sums {
		x := []*Peer{p, q}[n/2]
		k := key{0, int32(n)}
		if _, asked := h.requests.unask(x, k); asked {
			x.asked = append(x.asked, ask{k, h.at, x.blocks})
		} else {
			h.requests.ask(x, h.picker.begun[0], n)
		}
		if !h.give(x, wire.Message{Index: 0, Begin: uint32(n) * wire.BlockSize, Length: wire.BlockSize}) {
			h.t.Fatalf("block %d is not wanted", n)
		}
		sums[n] = [20]byte(f.leaves[0][n][:20])
	}
	a := h.action(Verify)
	if a == nil || a.Piece != 0 {
		h.t.Fatal("the piece is not judged")
	}
	sums[3][0]++
	h.sent[p], h.sent[q] = nil, nil
	h.Verified(h.at, 0, false, sums)
	h.flush()
	return 3, q
}

// Of a wrong piece the one block that is wrong convicts its sender, and only it is
// fetched again.
func TestAWrongBlockConvictsItsSender(t *testing.T) {
	f := grow(4, 3)
	h := f.harness(t, func(c *Config) { c.Sequential = true })
	p, q := h.v2(), h.v2()
	if h.picker.begun[0] == nil {
		t.Fatal("nothing is asked for")
	}
	n, liar := h.bad(f, p, q)
	var asked []wire.Message
	for _, x := range []*Peer{p, q} {
		for _, m := range h.sent[x] {
			if m.Type == wire.HashRequest {
				asked = append(asked, m)
				if h.dropped(liar) != "" {
					t.Fatal("convicted before it is known who lied")
				}
				h.say(x, f.answer(m))
			}
		}
	}
	if len(asked) != 1 || asked[0].Hash.Layer != 0 {
		t.Fatalf("%d requests of hashes", len(asked))
	}
	h.check()
	if !liar.convicted || p.convicted || p.suspect {
		t.Errorf("convicted: liar %v, other %v, suspect %v", liar.convicted, p.convicted, p.suspect)
	}
	b := h.picker.begun[0]
	if b == nil || b.absent != 1 || b.blocks[n].state == written || b.blocks[0].state != written || b.checking {
		t.Fatalf("%+v", b)
	}
	again := h.take(p, wire.Request)
	if !slices.ContainsFunc(again, func(m wire.Message) bool { return m.Index == 0 && int(m.Begin) == n*wire.BlockSize }) {
		t.Fatalf("%v is asked for", again)
	}
	h.give(p, wire.Message{Index: 0, Begin: uint32(n) * wire.BlockSize, Length: wire.BlockSize})
	if h.action(Verify) == nil {
		t.Error("the piece is not judged again")
	}
	h.Verified(h.at, 0, true, nil)
	if !h.Has(0) {
		t.Error("the piece is not here")
	}
}

// Where nobody tells the hashes of blocks, who lied is found out as of v1.
func TestWithoutHashesOfBlocksPeersAreTried(t *testing.T) {
	for name, deny := range map[string]func(h *harness, x *Peer, m wire.Message){
		"rejected": func(h *harness, x *Peer, m wire.Message) {
			h.say(x, wire.Message{Type: wire.HashReject, Hash: m.Hash})
		},
		"gone": func(h *harness, x *Peer, _ wire.Message) {
			h.Disconnected(h.at, x)
			h.flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := grow(4, 3)
			h := f.harness(t, func(c *Config) { c.Sequential = true })
			p, q := h.v2(), h.v2()
			h.bad(f, p, q)
			for range 2 {
				for _, x := range []*Peer{p, q} {
					for _, m := range h.take(x, wire.HashRequest) {
						deny(h, x, m)
					}
				}
			}
			h.check()
			b := h.picker.begun[0]
			if b == nil || b.checking || b.absent != 4 || !b.solo || len(h.disputes.all) > 0 {
				t.Errorf("%+v", b)
			}
			if p.convicted || q.convicted || !p.suspect || !q.suspect {
				t.Error("not both are suspects, or one is convicted")
			}
		})
	}
}

// A hybrid needs no layers to fetch. Where nobody has them they are computed.
func TestLayersOfAHybridAreComputed(t *testing.T) {
	f := grow(20, 3, 9)
	f.Only = false
	h := f.harness(t, nil)
	p := h.seed()
	if got := h.pieces(p); !slices.ContainsFunc(got, func(i int) bool { return i != 5 }) {
		t.Fatalf("only the pieces %v are asked for", got)
	}
	for i := range f.layout.Pieces {
		if h.action(MakeLayer) != nil {
			t.Fatal("a layer is to be computed before everything is here")
		}
		h.Found(h.at, i)
	}
	for _, n := range []int{0, 2} {
		h.flush()
		a := h.action(MakeLayer)
		if a == nil || a.Piece != f.Files[n].First || h.action(MakeLayer) != nil {
			t.Fatalf("%+v is to be computed", a)
		}
		_ = f.Layers.Set(f.Files[n].Root, f.layers[f.Files[n].Root])
		h.Computed(h.at)
	}
	h.flush()
	if h.action(Layered) == nil || h.action(MakeLayer) != nil {
		t.Error("it is not told that all layers are there")
	}
}

// A peer that asks for the layers of a hybrid gets no block before the layer of its
// file, while it goes on to ask: libtorrent gives the content up otherwise.
func TestLayersGoBeforeTheirBlocks(t *testing.T) {
	f := grow(20, 3, 40, 9).whole() // pieces 0-4, 5, 6-15, 16-18
	f.Only = false
	h := f.harness(t, func(c *Config) { c.Have = all(f.layout.Pieces) })
	start := func(v2 bool) *Peer {
		h.next = v2
		p := h.peer(false)
		h.say(p, wire.Message{Type: wire.Interested})
		h.pass(30 * time.Second)
		if p.choked {
			t.Fatal("it is choked")
		}
		return p
	}
	ask := func(p *Peer, file, length int) {
		h.say(p, wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{Root: f.Files[file].Root, Layer: 2, Length: uint32(length)}})
		if len(h.take(p, wire.Hashes)) != 1 {
			t.Fatalf("the layer of file %d does not come", file)
		}
	}
	request := func(p *Peer, pieces ...int) {
		for _, i := range pieces {
			h.say(p, wire.Message{Type: wire.Request, Index: uint32(i), Length: wire.BlockSize})
		}
	}
	got := func(p *Peer, pieces ...int) {
		t.Helper()
		var list []int
		for _, b := range h.blocks[p] {
			list = append(list, b.Piece)
		}
		if h.blocks[p] = nil; !slices.Equal(list, pieces) {
			t.Errorf("it gets the pieces %v, not %v", list, pieces)
		}
	}
	p := start(true)
	request(p, 17, 0)
	got(p, 17, 0) // it may have all layers
	ask(p, 0, 8)
	request(p, 17, 8, 5, 1)
	got(p, 5, 1)
	h.say(p, wire.Message{Type: wire.Cancel, Index: 8, Length: wire.BlockSize})
	request(p, 9)
	got(p)
	ask(p, 2, 16)
	got(p, 9)
	h.pass(layerPause - time.Millisecond)
	got(p)
	h.pass(time.Millisecond)
	got(p, 17) // it asks for no more
	// However long it goes on to ask, blocks are held for some seconds at most.
	q := start(true)
	ask(q, 0, 8)
	request(q, 17)
	for range 2 * layersHold / layerPause {
		got(q)
		h.pass(layerPause / 2)
		ask(q, 0, 8)
	}
	got(q, 17)
}
