package core

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// Whatever peers do, in whatever order: nothing panics, the books agree, and
// what is asked for and served is within the content.
func FuzzCore(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x06\x01\x00\x02\x00\x03\x00\x03\x01\x03\x02\x03\x03"), uint8(0))
	f.Add([]byte("\x00\x10\x01\x06\x02\x00\x05\x01\x03\x00\x03\x01\x05\x02\x06\x00\x07\x00\x08\x00\x09\x33"), uint8(1))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x01\x06\x01\x16\x01\x26\x02\x00\x02\x10\x02\x20\x04\x00\x04\x10\x0a\x00\x0b\x00\x0c\x11\x0d\x22\x0e\x00\x0f\x77"), uint8(2))
	// With hash trees: requests of hashes, answers, and wrong ones.
	f.Add([]byte("\x00\x02\x01\x06\x02\x00\x18\x00\x18\x01\x17\x05\x19\x00\x03\x00\x03\x01\x1a\x03\x1b\x00\x1c\x00"), uint8(8))
	f.Add([]byte("\x00\x02\x00\x03\x01\x06\x02\x00\x03\x00\x03\x01\x03\x02\x03\x03\x18\x00\x18\x13\x09\xff\x1a\x00"), uint8(24))
	f.Fuzz(play)
}

// The same with many inputs that chance makes: SOAK=1 for an hour of them.
func TestSoakCoreAtRandom(t *testing.T) {
	begin, runs := time.Now(), 1500
	soak := os.Getenv("SOAK") != ""
	for seed := uint64(0); seed < uint64(runs) || soak && time.Since(begin) < time.Hour; seed++ {
		r := rand.New(rand.NewPCG(seed, 14))
		in := make([]byte, 2*r.IntN(600))
		for i := range in {
			in[i] = byte(r.Uint32())
			if i%2 == 0 && r.IntN(3) == 0 {
				in[i] = []byte{0, 1, 2, 3, 3, 3, 9}[r.IntN(7)]
			}
		}
		kind := uint8(r.IntN(32))
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, in, kind) }) {
			t.Fatalf("with the input %q of kind %d", in, kind)
		}
	}
}

// play gives a Core what in says. kind is what it has at first; 8 for content that has
// hash trees, 16 for such that can be checked without them.
func play(t *testing.T, in []byte, kind uint8) {
	forest := grow(12, 8, 3) // six pieces, too
	forest.Only = kind&16 == 0
	h := newHarness(t, 6, func(c *Config) {
		if kind&8 != 0 {
			c.Layout, c.Trees = forest.layout, &forest.Trees
			if kind&7 == 4 {
				forest.whole()
			}
		}
		c.MaxPeers = 8
		c.Sequential = kind&1 != 0
		switch kind >> 1 & 3 {
		case 1:
			c.Have = []byte{0xa0}
		case 2:
			c.Have = []byte{0xfc}
		case 3:
			c.Layout, c.Trees = wire.Layout{}, nil
		}
	})
	layout := h.layout
	if !layout.Known() {
		if layout = wire.NewLayout(6*64*kib, 64*kib); kind&8 != 0 {
			layout = forest.layout
		}
	}
	var open []wire.Message
	var by []*Peer
	var inquiries []wire.Message
	collect := func() {
		for _, p := range h.Peers() {
			for _, m := range h.sent[p] {
				if m.Type == wire.HashRequest {
					inquiries = append(inquiries, m)
				}
				if m.Type == wire.Request {
					if h.blind.has(int(m.Index)) {
						t.Fatalf("asked for %+v, which cannot be checked", m)
					}
					if int(m.Index) >= 6 || int(m.Begin+m.Length) > h.layout.Len(int(m.Index)) {
						t.Fatalf("asked for %+v", m)
					}
					open, by = append(open, m), append(by, p)
				}
			}
			h.sent[p] = nil
			for _, s := range h.blocks[p] {
				if !h.Has(s.Piece) {
					t.Fatalf("served %+v, which is not here", s)
				}
			}
			h.blocks[p] = nil
		}
	}
	for ; len(in) >= 2 && len(in) < 4000; in = in[2:] {
		op, arg := in[0]%29, int(in[1])
		var p *Peer
		if n := len(h.Peers()); n > 0 {
			p = h.Peers()[arg>>4%n]
		}
		piece := uint32(arg % 6)
		if op == 0 && h.made < 40 && len(h.Peers()) < 7 {
			h.next = arg&2 != 0
			h.peer(arg&1 == 0)
		}
		if p == nil {
			continue
		}
		known := h.Known()
		switch op {
		case 1:
			msgs := []wire.Type{wire.Choke, wire.Unchoke, wire.Interested, wire.NotInterested, wire.HaveNone, wire.KeepAlive}
			if known {
				msgs = append(msgs, wire.HaveAll)
			}
			h.say(p, wire.Message{Type: msgs[arg%16%len(msgs)]})
		case 2:
			h.say(p, wire.Message{Type: wire.Unchoke})
		case 3, 4: // answer
			if len(open) > 0 {
				i := arg % len(open)
				if !by[i].gone {
					h.give(by[i], open[i])
				}
				open, by = append(open[:i:i], open[i+1:]...), append(by[:i:i], by[i+1:]...)
			}
		case 5:
			h.say(p, wire.Message{Type: wire.Have, Index: piece})
		case 6:
			if known {
				h.say(p, wire.Message{Type: wire.Request, Index: piece, Length: uint32(1 + arg)})
			}
		case 7:
			if known {
				h.say(p, wire.Message{Type: wire.Cancel, Index: piece, Length: uint32(1 + arg)})
			}
		case 8:
			if known {
				h.say(p, wire.Message{Type: wire.Reject, Index: piece, Begin: uint32(arg>>4%4) * wire.BlockSize, Length: wire.BlockSize})
			}
		case 9:
			h.pass(time.Duration(arg) * 100 * time.Millisecond)
		case 10:
			h.say(p, wire.Message{Type: wire.AllowedFast, Index: piece})
		case 11:
			h.Disconnected(h.at, p)
		case 12:
			priority := make([]uint8, 6)
			for i := range priority {
				priority[i] = uint8(arg >> i & 3)
			}
			h.SetPriorities(h.at, 0, priority)
		case 13:
			h.SetReaders(h.at, []Reader{{From: int64(arg) * kib, To: int64(arg)*kib + 100*kib, By: h.at + time.Duration(arg)*time.Second, Rate: float64(arg) * kib}})
		case 14:
			h.Lost(h.at, int(piece)%max(1, h.layout.Pieces))
		case 15:
			h.say(p, wire.Message{Type: wire.Extended, Ext: uint8(arg % 6), Payload: in[2:min(len(in), 40)]})
		case 16:
			if known {
				h.say(p, wire.Message{Type: wire.Bitfield, Payload: []byte{byte(arg) << 2}})
			}
			h.say(p, wire.Message{Type: wire.Suggest, Index: piece})
		case 17:
			if known && h.give(p, wire.Message{Index: piece, Begin: uint32(arg>>4%4) * wire.BlockSize, Length: wire.BlockSize}) {
				_ = p
			}
		case 18:
			h.say(p, wire.Message{Type: wire.Extended, Ext: wire.ExtDontHave, Payload: wire.AppendDontHave(nil, int(piece))})
		case 20:
			if known {
				h.Found(h.at, int(piece)%h.layout.Pieces)
			}
		case 22:
			if known && len(h.Peers()) < 7 {
				if w, err := h.Connected(h.at, PeerInfo{Web: true}); err == nil {
					h.say(w, wire.Message{Type: wire.Bitfield, Payload: []byte{byte(arg) << 2}})
				}
			}
		case 21:
			h.SetHalt(h.at, arg%2 == 0)
		case 19:
			if !known {
				var trees *Trees
				if kind&8 != 0 {
					trees = &forest.Trees
				}
				h.SetInfo(h.at, []byte("x"), layout, nil, trees)
			}
		case 23, 28: // a request of hashes
			h.say(p, wire.Message{Type: wire.HashRequest, Hash: &wire.HashSpan{
				Root: forest.Files[arg%3].Root, Layer: uint32(arg >> 2 & 3), Index: uint32(arg >> 4), Length: 1 << (arg >> 3 & 3), Proofs: uint32(arg >> 5),
			}})
		case 24, 25: // an answer, of whom it was asked or of another, right or wrong
			if len(inquiries) == 0 {
				break
			}
			i := arg % len(inquiries)
			m := forest.answer(inquiries[i])
			inquiries = append(inquiries[:i:i], inquiries[i+1:]...)
			if op == 25 {
				m.Hash.Hashes = append(m.Hash.Hashes, [32]byte{1})[arg&1:]
			}
			h.say(p, m)
		case 26:
			if len(inquiries) > 0 {
				h.say(p, wire.Message{Type: wire.HashReject, Hash: inquiries[arg%len(inquiries)].Hash})
			}
		case 27:
			if len(h.hashServer.waiting) > 0 {
				leaves := make([]merkle.Hash, 4)
				h.Hashed(h.at, h.hashServer.waiting[0].piece, leaves[:arg%5])
			} else {
				h.Hashed(h.at, int(piece), nil)
			}
		}
		h.flush()
		collect()
		if a := h.action(Verify); a != nil {
			right := arg%3 != 0
			sums := make([][20]byte, h.layout.Blocks(a.Piece))
			sums[arg%len(sums)][0] = byte(arg)
			h.Verified(h.at, a.Piece, right, sums)
			h.flush()
			collect()
		}
		if a := h.action(MakeLayer); a != nil {
			if f := h.trees.of(a.Piece); f.First != a.Piece || forest.Layers.Set(f.Root, forest.layers[f.Root]) != nil {
				t.Fatalf("piece %d begins no file with a layer", a.Piece)
			}
			h.Computed(h.at)
			h.flush()
			collect()
		}
		h.actions = h.actions[:0]
		h.check()
	}
}
