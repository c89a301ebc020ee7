package core

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"slices"
	"time"
)

// Source tells from where an address is known.
type Source uint8

// The sources of addresses.
const (
	FromOutside Source = iota // a tracker, the DHT, a link
	FromPeer                  // PEX, or the peer itself
)

// book keeps the addresses of a swarm and decides whom to dial when.
type book struct {
	list    []*candidate
	byAddr  map[netip.AddrPort]*candidate
	dialing int
	self    []netip.Addr
}

type candidate struct {
	addr      netip.AddrPort
	source    Source
	fails     int
	due       time.Duration
	busy      bool // dialed or connected
	dialing   bool
	connected bool
	rank      uint32 // its canonical priority
}

// Bounds of the book.
const (
	maxBook   = 2048
	maxFails  = 6
	firstWait = 20 * time.Second
	longWait  = 20 * time.Minute
)

func (b *book) init() { b.byAddr = make(map[netip.AddrPort]*candidate) }

// AddPeers takes addresses of the swarm from outside.
func (c *Core) AddPeers(now time.Duration, addrs []netip.AddrPort) {
	c.enter(now)
	for _, a := range addrs {
		c.book.learn(c, a, FromOutside)
	}
	c.connect()
}

// SetSelf tells our own addresses, for the order in which peers are chosen
// (BEP 40).
func (c *Core) SetSelf(addrs []netip.Addr) {
	c.book.self = slices.Clone(addrs)
	for _, k := range c.book.list {
		k.rank = c.priority(k.addr)
	}
}

func (b *book) learn(c *Core, a netip.AddrPort, source Source) {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if !a.IsValid() || a.Port() == 0 || c.cfg.Private && source == FromPeer {
		return
	}
	if k := b.byAddr[a]; k != nil {
		if source == FromOutside && k.source != FromOutside {
			k.source = FromOutside
		}
		return
	}
	if len(b.list) >= maxBook && !b.evict(c) {
		return
	}
	k := &candidate{addr: a, source: source, rank: c.priority(a)}
	for _, p := range c.peers {
		if p.listen == a {
			k.busy, k.connected = true, true
		}
	}
	b.byAddr[a] = k
	b.list = append(b.list, k)
}

// evict makes room by forgetting the address that failed most, first those
// that peers told.
func (b *book) evict(c *Core) bool {
	worst := -1
	for i, k := range b.list {
		if k.busy || k.fails == 0 && k.source == FromOutside {
			continue
		}
		if worst < 0 || k.fails > b.list[worst].fails {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	b.cut(worst)
	return true
}

func (b *book) cut(i int) {
	delete(b.byAddr, b.list[i].addr)
	last := len(b.list) - 1
	b.list[i] = b.list[last]
	b.list[last] = nil
	b.list = b.list[:last]
}

func (b *book) forget(a netip.AddrPort) {
	if k := b.byAddr[a]; k != nil {
		b.cut(slices.Index(b.list, k))
	}
}

// soonest is when somebody may be dialed next; false for never.
func (c *Core) soonest() (at time.Duration, any bool) {
	for _, k := range c.book.list {
		if !k.busy && (!any || k.due < at) && !c.poison.bans(k.addr.Addr()) {
			at, any = k.due, true
		}
	}
	return max(at, c.nextSlow), any
}

// connect dials whom there is room for.
func (c *Core) connect() {
	// A quarter of the room is for those who come: else a swarm whose members
	// are all full has no place for a newcomer.
	most := max(1, c.cfg.MaxPeers*3/4)
	for len(c.peers)+c.book.dialing < most && c.book.dialing < c.cfg.MaxDialing {
		var best *candidate
		for _, k := range c.book.list {
			if k.busy || k.due > c.now || best != nil && k.fails > best.fails || c.poison.bans(k.addr.Addr()) {
				continue
			}
			if best == nil || k.fails < best.fails || k.fails == best.fails && k.rank > best.rank {
				best = k
			}
		}
		if best == nil {
			return
		}
		best.busy, best.dialing = true, true
		c.book.dialing++
		c.act(Action{Kind: Dial, Addr: best.addr})
	}
}

// dialed takes that a connection stands.
func (b *book) dialed(c *Core, a netip.AddrPort, outgoing bool) {
	if !outgoing {
		return
	}
	b.learn(c, a, FromPeer)
	if k := b.byAddr[a]; k != nil {
		if k.dialing {
			k.dialing = false
			b.dialing--
		}
		k.busy, k.connected, k.fails = false, false, 0
		k.due = c.now + firstWait
	}
}

// DialFailed takes that no connection came of a Dial.
func (c *Core) DialFailed(now time.Duration, a netip.AddrPort) {
	c.enter(now)
	k := c.book.byAddr[a]
	if k == nil || !k.dialing {
		return
	}
	k.busy, k.dialing = false, false
	c.book.dialing--
	c.book.failed(c, k)
}

func (b *book) failed(c *Core, k *candidate) {
	if k.fails++; k.fails >= maxFails && k.source == FromPeer {
		b.forget(k.addr)
		return
	}
	k.due = c.now + min(longWait, firstWait<<min(k.fails-1, 10))
}

// ended takes that a connection is over.
func (b *book) ended(c *Core, p *Peer) {
	k := b.byAddr[p.listen]
	if k == nil {
		return
	}
	k.busy, k.connected = false, false
	if c.now-p.since < firstWait && p.Downloaded+p.Uploaded == 0 {
		b.failed(c, k) // as good as none
	} else {
		k.due = max(k.due, c.now+firstWait)
	}
}

// idle takes that there is no use in a connection for the time being.
func (b *book) idle(c *Core, p *Peer) {
	if k := b.byAddr[p.listen]; k != nil {
		k.due = c.now + longWait
	}
}

// engaged marks the address of a peer as connected.
func (b *book) engaged(a netip.AddrPort) {
	if k := b.byAddr[a]; k != nil {
		k.busy, k.connected = true, true
	}
}

// settled is how long a new connection has to become of use.
const settled = 30 * time.Second

// makeRoom ends the connection that is of least use, if it is of less use than
// a new one to addr: it does nothing for either side, and it comes later in the
// canonical order (BEP 40).
func (c *Core) makeRoom(addr netip.AddrPort) bool {
	var worst *Peer
	rank := c.priority(addr)
	for _, p := range c.peers {
		if c.now-p.since < settled || p.interesting && !p.chokesUs || p.interested && !p.choked {
			continue
		}
		if r := c.priority(p.Addr); r < rank {
			worst, rank = p, r
		}
	}
	if worst == nil {
		return false
	}
	c.drop(worst, "another peer comes first, and there are enough")
	return true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// priority is the place of a peer in the canonical order (BEP 40): the same
// seen from both ends, so that all agree whom to keep.
func (c *Core) priority(a netip.AddrPort) uint32 {
	addr := a.Addr().Unmap()
	for _, self := range c.book.self {
		if self.Unmap().Is4() == addr.Is4() {
			return Priority(self, c.cfg.Port, a)
		}
	}
	return Priority(netip.IPv6Unspecified(), c.cfg.Port, a)
}

// Priority is the canonical priority of two peers (BEP 40).
func Priority(self netip.Addr, port uint16, peer netip.AddrPort) uint32 {
	a, b := self.Unmap().AsSlice(), peer.Addr().Unmap().AsSlice()
	if bytes.Equal(a, b) {
		var p [4]byte
		binary.BigEndian.PutUint16(p[:], min(port, peer.Port()))
		binary.BigEndian.PutUint16(p[2:], max(port, peer.Port()))
		return crc32.Checksum(p[:], castagnoli)
	}
	// What is compared: two bytes of IPv4, six of IPv6; one more if these are
	// equal, and so on. Of the rest every second bit counts.
	whole := 2
	if len(b) == 16 {
		whole = 6
	}
	for len(a) == len(b) && whole < len(b) && bytes.Equal(a[:whole], b[:whole]) {
		whole++
	}
	for _, x := range [][]byte{a, b} {
		for i := whole; i < len(x); i++ {
			x[i] &= 0x55
		}
	}
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	return crc32.Checksum(append(a, b...), castagnoli)
}
