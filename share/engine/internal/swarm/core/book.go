package core

import (
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
	*clock
	*roster
	bans    *bans
	ranking *ranking
	private bool
	most    int // peers
	atOnce  int // dials

	list    []*candidate
	byAddr  map[netip.AddrPort]*candidate
	dialing int
}

type candidate struct {
	addr      netip.AddrPort
	source    Source
	fails     int
	due       time.Duration
	busy      bool // dialed or connected
	bored     bool // there was no use in a connection
	dialing   bool
	connected bool
	rank      uint32 // its canonical priority
}

// Bounds of the book.
const (
	maxBook   = 2048
	maxFails  = 6
	firstWait = 20 * time.Second
	laterWait = 2 * time.Second
	brokeWait = 5 * time.Second // from one connection that broke to the next
	longWait  = 20 * time.Minute
)

func newBook(c *clock, r *roster, o *bans, k *ranking, cfg *Config) *book {
	return &book{
		clock: c, roster: r, bans: o, ranking: k, private: cfg.Private, most: cfg.MaxPeers, atOnce: cfg.MaxDialing,
		byAddr: make(map[netip.AddrPort]*candidate),
	}
}

// moved takes that our addresses are others.
func (b *book) moved() {
	for _, k := range b.list {
		k.rank = b.ranking.rank(k.addr)
	}
}

// learn takes an address.
func (b *book) learn(a netip.AddrPort, source Source) {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	if !a.IsValid() || a.Port() == 0 || b.private && source == FromPeer {
		return
	}
	if k := b.byAddr[a]; k != nil {
		if source == FromOutside {
			k.source = FromOutside
			if !k.busy && !k.bored {
				k.due = min(k.due, b.now) // whoever told us says when to try again
			}
		}
		return
	}
	if len(b.list) >= maxBook && !b.evict() {
		return
	}
	k := &candidate{addr: a, source: source, rank: b.ranking.rank(a)}
	b.meet(k)
	b.byAddr[a] = k
	b.list = append(b.list, k)
}

// meet notes whether an address is that of a peer.
func (b *book) meet(k *candidate) {
	for _, p := range b.peers {
		if p.listen == k.addr {
			k.busy, k.connected = true, true
		}
	}
}

// evict makes room by forgetting the address that failed most, first those
// that peers told.
func (b *book) evict() bool {
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

// soonest is when somebody may be dialed next, after a time; false for never.
func (b *book) soonest(after time.Duration) (at time.Duration, any bool) {
	for _, k := range b.list {
		if !k.busy && (!any || k.due < at) && !b.bans.bans(k.addr.Addr()) {
			at, any = k.due, true
		}
	}
	return max(at, after), any
}

// reach is how many peers there are at most because of us. A quarter of the room is
// for those who come: else a swarm whose members are all full has no place for a
// newcomer.
func (b *book) reach() int { return max(1, b.most*3/4) }

// waits tells whether somebody may be dialed and there is no room.
func (b *book) waits() bool {
	if len(b.peers)+b.dialing < b.reach() {
		return false
	}
	at, any := b.soonest(0)
	return any && at <= b.now
}

// call chooses whom to dial, as far as there is room.
func (b *book) call() (addrs []netip.AddrPort) {
	for len(b.peers)+b.dialing < b.reach() && b.dialing < b.atOnce {
		var best *candidate
		for _, k := range b.list {
			if k.busy || k.due > b.now || best != nil && k.fails > best.fails || b.bans.bans(k.addr.Addr()) {
				continue
			}
			if best == nil || k.fails < best.fails || k.fails == best.fails && k.rank > best.rank {
				best = k
			}
		}
		if best == nil {
			return addrs
		}
		best.busy, best.dialing = true, true
		b.dialing++
		addrs = append(addrs, best.addr)
	}
	return addrs
}

// dialed takes that a connection stands.
func (b *book) dialed(a netip.AddrPort) {
	b.learn(a, FromPeer)
	if k := b.byAddr[a]; k != nil {
		if k.dialing {
			k.dialing = false
			b.dialing--
		}
		k.busy, k.connected = false, false
		b.meet(k)
		k.bored, k.fails = false, 0
		k.due = b.now + firstWait
	}
}

// unreached takes that no connection came of a dial.
func (b *book) unreached(a netip.AddrPort) {
	k := b.byAddr[a]
	if k == nil || !k.dialing {
		return
	}
	k.dialing = false
	b.dialing--
	if k.connected {
		return // it called us meanwhile
	}
	k.busy = false
	b.failed(k)
}

// later takes that a dial was put off: that says nothing about the address.
func (b *book) later(a netip.AddrPort) {
	if k := b.byAddr[a]; k != nil && k.dialing {
		k.busy, k.dialing = false, false
		b.dialing--
		k.due = b.now + laterWait
	}
}

// failed takes that no connection of use came of an address.
func (b *book) failed(k *candidate) {
	if k.fails++; k.fails >= maxFails && k.source == FromPeer {
		b.forget(k.addr)
		return
	}
	k.due = b.now + min(longWait, firstWait<<min(k.fails-1, 10))
}

// ended takes that a connection is over.
func (b *book) ended(p *Peer) {
	k := b.byAddr[p.listen]
	if k == nil {
		return
	}
	k.busy, k.connected = false, false
	if b.now-p.since < firstWait && p.Downloaded+p.Uploaded == 0 {
		b.failed(k) // as good as none
	} else {
		k.due = max(k.due, b.now+firstWait)
	}
}

// broke has the address of a peer dialed soon, whose connection broke: libtorrent ends
// one over uTP without a word after some losses, and would go on with another.
func (b *book) broke(p *Peer) {
	if k := b.byAddr[p.listen]; k != nil && !k.busy && !k.bored {
		k.due = max(b.now, p.since+brokeWait)
	}
}

// again has an address dialed at once.
func (b *book) again(a netip.AddrPort) {
	if k := b.byAddr[a]; k != nil && !k.busy {
		k.due, k.bored, k.fails = b.now, false, 0
	}
}

// idle takes that there is no use in a connection for the time being.
func (b *book) idle(p *Peer) {
	if k := b.byAddr[p.listen]; k != nil {
		k.due, k.bored = b.now+longWait, true
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

// expendable is the connection that is of least use, if it is of less use than a
// new one to addr: it does nothing for either side, and it comes later in the
// canonical order. nil if there is none.
func (b *book) expendable(addr netip.AddrPort) *Peer {
	var worst *Peer
	rank := b.ranking.rank(addr)
	for _, p := range b.peers {
		if p.Web || b.now-p.since < settled || p.interesting && !p.chokesUs || p.interested && !p.choked {
			continue
		}
		if r := b.ranking.rank(p.Addr); r < rank {
			worst, rank = p, r
		}
	}
	return worst
}
