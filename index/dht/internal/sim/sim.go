// Package sim keeps to itself how an internet of DHT nodes runs in one process:
// thousands of core.Core over a virtual clock and network. The same seed gives the
// same run, datagram for datagram.
//
// Hosts are placed at random on a plane, their distance being most of the delay
// between them. Datagrams are lost at random. Hosts may stand behind a firewall
// that lets in only answers, may leave without a word, and may lie.
package sim

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// Config describes the network.
type Config struct {
	Seed uint64
	Loss float64 // of all datagrams, 0 to 1
}

// What a delay consists of: the way to the line and back, the distance on a
// plane of side 1, and chance.
const (
	delayLine   = 4 * time.Millisecond
	delayAcross = 90 * time.Millisecond
	delayChance = 4 * time.Millisecond
	// stateLife is how long a firewall lets answers in.
	stateLife = 60 * time.Second
)

// Net is a simulated internet.
type Net struct {
	cfg    Config
	now    time.Duration
	rand   *rand.Rand
	queue  queue
	nodes  []*Node
	byAddr map[netip.AddrPort]*Node
	liars  []*Node
	used   map[netip.Prefix]bool // /64s in use

	Sent, Lost, Blocked uint64 // datagrams
}

// Node is a host with a node on it.
type Node struct {
	*core.Core
	Net  *Net
	Addr netip.AddrPort
	// Out and In count its datagrams, Spent the processor time it took on the
	// machine that simulates it, while timed.
	Out, In uint64
	Spent   time.Duration
	timed   bool

	knows  []*Node
	dead   bool
	x, y   float64
	opened map[netip.Addr]time.Duration // nil without a firewall
	lie    Lie
	wake   time.Duration // when to wake it; 0 for never
}

// Kind is what sort of host to add.
type Kind struct {
	Firewalled bool
	Lie        Lie
	ReadOnly   bool
	Strict     bool
	Addr       netip.AddrPort // random if zero
	// Peers and Items bound what others may store here; 0 for the defaults.
	Peers, Items int
	// ID and Saved are what the host kept when it was last up; a fitting ID if
	// zero.
	ID    nodeid.ID
	Saved []table.Contact
}

// New makes an empty internet.
func New(cfg Config) *Net {
	return &Net{
		cfg: cfg, now: time.Second,
		rand:   rand.New(rand.NewPCG(cfg.Seed, 0x5348)),
		byAddr: make(map[netip.AddrPort]*Node),
		used:   make(map[netip.Prefix]bool),
	}
}

// Any is a random host that is up.
func (n *Net) Any() *Node { return n.nodes[n.rand.IntN(len(n.nodes))] }

// Honest is a random host that is up, does not lie, and can be reached.
func (n *Net) Honest() *Node {
	for {
		if h := n.Any(); h.lie == Honest && h.opened == nil {
			return h
		}
	}
}

// anywhere is a random address of 2001:db8::/32.
func (n *Net) anywhere() netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x20010db8<<32|uint64(n.rand.Uint32()))
	binary.BigEndian.PutUint64(ip[8:], n.rand.Uint64())
	return netip.AddrPortFrom(netip.AddrFrom16(ip), uint16(1024+n.rand.IntN(60000)))
}

// address is one in a /64 that no host is in.
func (n *Net) address() netip.AddrPort {
	for {
		a := n.anywhere()
		if p, _ := a.Addr().Prefix(64); !n.used[p] {
			n.used[p] = true
			return a
		}
	}
}

// Add puts a host on the net that knows the given others, and starts it.
func (n *Net) Add(kind Kind, knows ...*Node) *Node {
	h := &Node{Net: n, Addr: kind.Addr, x: n.rand.Float64(), y: n.rand.Float64(), lie: kind.Lie}
	if !h.Addr.IsValid() {
		h.Addr = n.address()
	}
	if kind.Firewalled {
		h.opened = make(map[netip.Addr]time.Duration)
	}
	var seed [32]byte
	for i := 0; i < len(seed); i += 8 {
		binary.BigEndian.PutUint64(seed[i:], n.rand.Uint64())
	}
	if kind.ID == (nodeid.ID{}) {
		kind.ID = nodeid.Derive(h.Addr.Addr(), n.rand)
	}
	h.Core = core.New(core.Config{
		Seed: seed, ID: kind.ID,
		Send: h.send, WantContacts: h.feed,
		ReadOnly: kind.ReadOnly, Strict: kind.Strict,
		Peers: kind.Peers, Items: kind.Items,
	})
	for _, c := range kind.Saved {
		h.AddNode(n.now, c)
	}
	h.knows = knows
	n.nodes = append(n.nodes, h)
	n.byAddr[h.Addr] = h
	if h.lie != Honest {
		n.liars = append(n.liars, h)
	}
	h.Do(h.Start)
	return h
}

// feed gives a host that knows no node the others it was added with, or different ones
// if these are gone, as a bootstrap host would.
func (h *Node) feed() {
	for i, o := range h.knows {
		if o.dead {
			h.knows[i] = h.Net.Any()
		}
		h.Net.queue.push(event{at: h.Net.now, to: h, from: h.knows[i].Addr})
	}
}

// Kill removes a host from the net without notice.
func (n *Net) Kill(h *Node) {
	h.dead = true
	delete(n.byAddr, h.Addr)
	n.nodes = without(n.nodes, h)
	n.liars = without(n.liars, h)
}

func without(list []*Node, h *Node) []*Node {
	for i := range list {
		if list[i] == h {
			list[i] = list[len(list)-1]
			return list[:len(list)-1]
		}
	}
	return list
}

// Do calls f as an event on the host.
func (h *Node) Do(f func(now time.Duration)) {
	f(h.Net.now)
	h.arm()
}

// arm sets the host's timer to its deadline.
func (h *Node) arm() {
	at, any := h.Deadline()
	if !any || h.wake != 0 && h.wake <= at {
		return
	}
	h.wake = max(at, h.Net.now)
	h.Net.queue.push(event{at: h.wake, to: h})
}

// send is the way of a datagram out of the host.
func (h *Node) send(b []byte, to netip.AddrPort, _ core.Via) bool {
	n := h.Net
	n.Sent++
	h.Out++
	if h.opened != nil {
		h.opened[to.Addr()] = n.now
	}
	if n.cfg.Loss > 0 && n.rand.Float64() < n.cfg.Loss {
		n.Lost++
		return true
	}
	dst := n.byAddr[to]
	if dst == nil {
		return true
	}
	n.queue.push(event{at: n.now + n.delay(h, dst), to: dst, from: h.Addr, data: n.queue.copy(b)})
	return true
}

func (n *Net) delay(a, b *Node) time.Duration {
	far := math.Hypot(a.x-b.x, a.y-b.y)
	return delayLine + time.Duration(far*float64(delayAcross)) + time.Duration(n.rand.Int64N(int64(delayChance)))
}

// Run lets time pass.
func (n *Net) Run(d time.Duration) {
	until := n.now + d
	n.RunUntil(d, func() bool { return false })
	n.now = until
}

// RunUntil lets time pass until ok returns true, for at most d. It returns the last
// result of ok, which is called after every event.
func (n *Net) RunUntil(d time.Duration, ok func() bool) bool {
	until := n.now + d
	for !ok() {
		at, any := n.queue.next()
		if !any || at > until {
			n.now = until
			return false
		}
		e := n.queue.pop()
		n.now = max(n.now, e.at)
		n.happen(&e)
	}
	return true
}

func (n *Net) happen(e *event) {
	h := e.to
	if h.timed {
		defer func(begin time.Time) { h.Spent += time.Since(begin) }(time.Now())
	}
	switch {
	case e.from.IsValid() && e.data == nil:
		h.Do(func(now time.Duration) { h.AddContact(now, e.from) })
		return
	case e.data == nil:
		if !h.dead && h.wake == e.at {
			h.wake = 0
			h.Wake(n.now)
			h.arm()
		}
		return
	}
	if !h.dead && h.admits(e.from) {
		h.In++
		if h.lie == Honest || !h.lied(e.data, e.from) {
			h.Receive(n.now, e.data, e.from, core.Via{Addr: h.Addr.Addr()})
		}
		h.arm()
	}
	n.queue.free(e.data)
}

// admits reports whether the host's firewall lets a datagram in.
func (h *Node) admits(from netip.AddrPort) bool {
	if h.opened == nil {
		return true
	}
	at, open := h.opened[from.Addr()]
	if !open || h.Net.now-at > stateLife {
		h.Net.Blocked++
		return false
	}
	return true
}

// Join adds a host that knows an honest host, such as a trusted bootstrap host, and
// two others.
func (n *Net) Join(kind Kind) *Node {
	if len(n.nodes) == 0 {
		return n.Add(kind)
	}
	return n.Add(kind, n.Honest(), n.Any(), n.Any())
}

// Grow adds hosts, a few at a time, until there are size, and lets them settle.
func (n *Net) Grow(size int, kind func(i int) Kind) {
	for i := len(n.nodes); i < size; i++ {
		n.Join(kind(i))
		n.Run(30 * time.Millisecond)
	}
	n.Run(30 * time.Second)
}
