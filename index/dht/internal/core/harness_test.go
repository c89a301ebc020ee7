package core

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

// harness is a world around one node: it keeps what the node sends, and lets
// others answer.
type harness struct {
	*Core
	t       testing.TB
	at      time.Duration
	out     []packet
	answer  map[netip.AddrPort]func(m *krpc.Message) []byte // nil for silence
	arrives []packet
	strange []netip.AddrPort // told to Unsolicited
	hungry  int
}

type packet struct {
	b    []byte
	addr netip.AddrPort
	via  Via
	when time.Duration
}

var local = netip.MustParseAddr("2001:db8:ffff::1")

func newHarness(t testing.TB, change func(*Config)) *harness {
	h := &harness{t: t, at: time.Hour, answer: make(map[netip.AddrPort]func(*krpc.Message) []byte)}
	cfg := Config{
		Seed: [32]byte{1},
		Send: func(b []byte, to netip.AddrPort, via Via) bool {
			h.out = append(h.out, packet{append([]byte(nil), b...), to, via, h.at})
			return true
		},
		Unsolicited:  func(from netip.AddrPort, _ netip.Addr) { h.strange = append(h.strange, from) },
		WantContacts: func() { h.hungry++ },
	}
	if change != nil {
		change(&cfg)
	}
	h.Core = New(cfg)
	h.Start(h.at)
	h.flush()
	return h
}

// stranger is the ith address on the net, each in a network of its own.
func stranger(i int) netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x20010db8<<32|uint64(i)<<16)
	ip[15] = 1
	return netip.AddrPortFrom(netip.AddrFrom16(ip), 6881)
}

// flush has the answers to what was sent arrive 20 ms later.
func (h *harness) flush() {
	for _, p := range h.out {
		var m krpc.Message
		if f := h.answer[p.addr]; f != nil && p.when == h.at && krpc.Decode(p.b, &m) == nil && m.Kind == krpc.KindQuery {
			if b := f(&m); b != nil {
				h.arrives = append(h.arrives, packet{b: b, addr: p.addr, when: h.at + 20*time.Millisecond})
			}
		}
	}
}

// take returns what was sent since, and forgets it.
func (h *harness) take() []packet {
	out := h.out
	h.out = nil
	return out
}

// run lets time pass.
func (h *harness) run(d time.Duration) {
	until := h.at + d
	for {
		next, _ := h.Deadline()
		arrival := -1
		for i, p := range h.arrives {
			if arrival < 0 || p.when < h.arrives[arrival].when {
				arrival = i
			}
		}
		timer := true
		if arrival >= 0 && h.arrives[arrival].when <= next {
			next, timer = h.arrives[arrival].when, false
		}
		if next > until {
			break
		}
		h.at = max(h.at, next)
		before := len(h.out)
		if timer {
			h.Wake(h.at)
		} else {
			p := h.arrives[arrival]
			h.arrives = append(h.arrives[:arrival], h.arrives[arrival+1:]...)
			h.Receive(h.at, p.b, p.addr, Via{Addr: local})
		}
		h.flushFrom(before)
	}
	h.at = until
}

func (h *harness) flushFrom(n int) {
	all := h.out
	h.out = all[min(n, len(all)):]
	h.flush()
	h.out = all
}

// send has a datagram arrive now.
func (h *harness) send(from netip.AddrPort, b []byte) {
	before := len(h.out)
	h.Receive(h.at, b, from, Via{Socket: 0, Addr: local})
	h.flushFrom(before)
}

// ask has a query arrive, and returns what was sent to its sender at once.
func (h *harness) ask(from netip.AddrPort, q krpc.Query) []packet {
	before := len(h.out)
	h.send(from, krpc.AppendQuery(nil, &q))
	var to []packet
	for _, p := range h.out[before:] {
		if p.addr == from {
			to = append(to, p)
		}
	}
	return to
}

// reply finds the reply among packets; nil if there is none.
func reply(t testing.TB, ps []packet) *krpc.Message {
	t.Helper()
	for _, p := range ps {
		var m krpc.Message
		if err := krpc.Decode(p.b, &m); err != nil {
			t.Fatalf("it sent %q: %v", p.b, err)
		}
		if m.Kind != krpc.KindQuery {
			return &m
		}
	}
	return nil
}

// node is a well-behaved node at addr, called id, that names others.
func (h *harness) node(addr netip.AddrPort, id nodeid.ID, names ...krpc.Node) {
	h.answer[addr] = func(m *krpc.Message) []byte {
		return krpc.AppendReply(nil, &krpc.Reply{
			TID: m.TID, ID: id, To: netip.AddrPortFrom(local, 6881),
			HasNodes: true, Nodes: names, Token: []byte("token"),
		})
	}
}

// know puts n nodes that answer into the table.
func (h *harness) know(n int) []krpc.Node {
	var nodes []krpc.Node
	for i := range n {
		a := stranger(1000 + i)
		id := nodeid.Derive(a.Addr(), h.rand)
		h.node(a, id)
		nodes = append(nodes, krpc.Node{ID: id, Addr: a})
		h.AddContact(h.at, a)
		h.flushFrom(len(h.out) - 1)
		h.run(100 * time.Millisecond)
	}
	h.run(10 * time.Second)
	h.take()
	return nodes
}

// prove makes the harness's peer at addr one that has shown it gets what we
// send, by answering a ping.
func (h *harness) prove(addr netip.AddrPort) {
	h.remotes.friend(h.at, addr).proven = h.at
}

func aQuery(method krpc.Method) krpc.Query {
	return krpc.Query{Method: method, ID: nodeid.ID{0xaa}, Target: nodeid.ID{0xbb}, TID: [4]byte{'a', 'b', 'c', 'd'}}
}

// vote has the node at from say that it sees us at addr, as answers do.
func (h *harness) vote(from netip.AddrPort, addr netip.Addr) {
	if h.identity.vote(from, addr) {
		h.upkeep.lookUpSelf()
	}
}
