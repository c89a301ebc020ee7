package core

import (
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// harness is a world around one Core: it keeps what the Core wants done and
// sent, and lets peers answer.
type harness struct {
	*Core
	t       testing.TB
	at      time.Duration
	actions []Action
	sent    map[*Peer][]wire.Message
	blocks  map[*Peer][]Span
	made    int
	next    bool // the next peer exchanges hashes
}

const kib = 1 << 10

func newHarness(t testing.TB, pieces int, change func(*Config)) *harness {
	cfg := Config{Seed: [32]byte{1}, Layout: wire.NewLayout(int64(pieces)*64*kib, 64*kib), Port: 1}
	cfg.PeerID[0] = 1
	if change != nil {
		change(&cfg)
	}
	return &harness{Core: New(cfg), t: t, at: time.Hour, sent: make(map[*Peer][]wire.Message), blocks: make(map[*Peer][]Span)}
}

// peer connects the next peer, each in a network of its own.
func (h *harness) peer(outgoing bool) *Peer {
	h.t.Helper()
	h.made++
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:], 0x20010db8<<32|uint64(h.made))
	info := PeerInfo{Addr: netip.AddrPortFrom(netip.AddrFrom16(ip), 6881), Outgoing: outgoing, Fast: true, Extended: true, V2: h.next}
	h.next = false
	binary.BigEndian.PutUint32(info.ID[:], uint32(h.made)+1<<30)
	p, err := h.Connected(h.at, info)
	if err != nil {
		h.t.Fatal(err)
	}
	h.flush()
	return p
}

// seed connects a peer that has everything and unchokes us.
func (h *harness) seed() *Peer {
	p := h.peer(true)
	h.say(p, wire.Message{Type: wire.HaveAll}, wire.Message{Type: wire.Unchoke})
	return p
}

// flush takes what is to be done and sent.
func (h *harness) flush() {
	var out Out
	for {
		actions := h.Actions()
		if len(actions) == 0 {
			return
		}
		h.actions = append(h.actions, actions...)
		for _, p := range append([]*Peer(nil), h.Peers()...) {
			for h.Pull(h.at, p, 1<<20, &out) {
				h.sent[p] = append(h.sent[p], out.Messages...)
				h.blocks[p] = append(h.blocks[p], out.Blocks...)
			}
		}
	}
}

func (h *harness) say(p *Peer, msgs ...wire.Message) {
	for i := range msgs {
		h.Receive(h.at, p, &msgs[i])
	}
	h.flush()
}

// pass lets time go by, in the steps that the Core asks for.
func (h *harness) pass(d time.Duration) {
	until := h.at + d
	for {
		at, any := h.Deadline()
		if !any || at > until {
			h.at = until
			return
		}
		h.at = max(h.at, at)
		h.Wake(h.at)
		h.flush()
	}
}

// take returns the messages of one type that p was sent, and forgets all.
func (h *harness) take(p *Peer, t wire.Type) []wire.Message {
	var got []wire.Message
	for _, m := range h.sent[p] {
		if m.Type == t {
			got = append(got, m)
		}
	}
	h.sent[p] = nil
	return got
}

// give answers a request. It reports whether the block was wanted.
func (h *harness) give(p *Peer, m wire.Message) bool {
	wanted := h.Block(h.at, p, int(m.Index), int(m.Begin), int(m.Length))
	if wanted {
		h.Written(h.at, int(m.Index), int(m.Begin), false)
	}
	h.flush()
	return wanted
}

// dropped returns why p was dropped; empty if it was not.
func (h *harness) dropped(p *Peer) string {
	for _, a := range h.actions {
		if a.Kind == Drop && a.Peer == p {
			return a.Reason
		}
	}
	return ""
}

// ask is what the first action of a kind says; nil if there is none. It is
// forgotten.
func (h *harness) action(kind ActionKind) *Action {
	for i, a := range h.actions {
		if a.Kind == kind {
			h.actions = append(h.actions[:i:i], h.actions[i+1:]...)
			return &a
		}
	}
	return nil
}

// check fails if the Core's books do not agree.
func (h *harness) check() {
	h.t.Helper()
	c := h.Core
	if !c.layout.Known() {
		return
	}
	free, missing := 0, 0
	asked := make(map[key]int)
	for _, p := range c.peers {
		useful, fresh := 0, 0
		for i := range c.layout.Pieces {
			if p.has(i) && c.wants(i) {
				useful++
				if c.picker.listed(i) {
					fresh++
				}
			}
		}
		if useful != p.useful || fresh != p.fresh {
			h.t.Fatalf("a peer has %d pieces for us and %d fresh ones, counted %d and %d", useful, fresh, p.useful, p.fresh)
		}
		if p.interesting != (useful > 0) {
			h.t.Fatalf("interesting is %v with %d useful pieces", p.interesting, useful)
		}
		for _, a := range p.asked {
			asked[a.key]++
			b := c.picker.begun[int(a.piece)]
			if b == nil || b.blocks[a.block].state != asked1 || b.blocks[a.block].by[0] != p && b.blocks[a.block].by[1] != p {
				h.t.Fatalf("a peer is asked for a block that does not know of it: %+v", a.key)
			}
		}
	}
	least, above := math.MaxInt, 0
	for i := range c.layout.Pieces {
		avail, all := 0, 0
		for _, p := range c.peers {
			if p.has(i) {
				all++
			}
			if !p.seed && p.has(i) {
				avail++
			}
		}
		switch {
		case all < least:
			least, above = all, i
		case all > least:
			above++
		}
		if avail != int(c.picker.avail[i]) {
			h.t.Fatalf("piece %d is with %d, counted %d", i, avail, c.picker.avail[i])
		}
		if c.wants(i) {
			missing++
			if begun, listed := c.picker.begun[i] != nil, c.picker.listed(i); begun && listed || begun == listed != c.blind.has(i) {
				h.t.Fatalf("piece %d is neither begun nor to be begun, or both, or cannot be checked", i)
			}
		}
	}
	if want := float64(least) + float64(above)/float64(c.layout.Pieces); c.layout.Known() && math.Abs(c.Availability()-want) > 1e-9 {
		h.t.Fatalf("there are %v copies, counted %v", want, c.Availability())
	}
	if missing != c.missing {
		h.t.Fatalf("%d pieces are missing, counted %d", missing, c.missing)
	}
	for _, b := range c.picker.order {
		n, absent, unsafe := 0, 0, 0
		for i := range b.blocks {
			x := &b.blocks[i]
			by := 0
			for _, p := range x.by {
				if p != nil {
					by++
				}
			}
			if by != asked[key{int32(b.piece), int32(i)}] {
				h.t.Fatalf("block %d of piece %d is asked of %d peers, counted %d", i, b.piece, asked[key{int32(b.piece), int32(i)}], by)
			}
			if by > 1 && b.solo {
				h.t.Fatal("a piece for one alone is asked of two")
			}
			if x.state == asked1 != (by > 0) {
				h.t.Fatalf("a block in state %d is asked of %d", x.state, by)
			}
			switch x.state {
			case free0:
				n++
				absent++
				unsafe++
			case asked1:
				absent++
				unsafe++
			case came:
				unsafe++
			}
		}
		if n != b.free || absent != b.absent || unsafe != b.unsafe {
			h.t.Fatalf("piece %d: %d %d %d, counted %d %d %d", b.piece, n, absent, unsafe, b.free, b.absent, b.unsafe)
		}
		if c.wanted[b.piece] != Unwanted {
			free += n
		}
	}
	if free != c.picker.free || len(c.picker.order) != len(c.picker.begun) {
		h.t.Fatalf("%d blocks are free, counted %d", free, c.picker.free)
	}
}

const (
	free0  = free
	asked1 = asked
)
