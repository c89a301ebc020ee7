package admission

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Addresses to dial come from strangers, who may name any host. These are the limits for
// a host, and for each network around it, until a host there has answered in our
// protocol. Dialling over TCP and over uTP counts as two.
var callLimits = [...]struct {
	bits4, bits6 int
	burst        float64
	every        time.Duration // one more is allowed
}{
	{32, 128, 8, 10 * time.Second},
	{28, 64, 24, 2 * time.Second},
	{24, 48, 96, 500 * time.Millisecond},
	{16, 32, 400, 100 * time.Millisecond},
}

const (
	// The limit of all transfers together for a host that has proved to be a peer. Those
	// of the networks around it do not apply then.
	peerBurst = 64
	peerEvery = 500 * time.Millisecond
	peerLife  = time.Hour

	maxCallees = 8192 // hosts and networks remembered
	maxPeers   = 4096 // hosts that have proved to be peers
)

// calls counts how often hosts and networks were dialled.
type calls struct {
	buckets map[netip.Prefix]*bucket
	peers   map[netip.Addr]*peer
}

// bucket is how often a host or network may be dialled now. It fills with time.
type bucket struct {
	left, burst float64
	every       time.Duration
	at          time.Time
}

// fill adds what was earned until now, and returns the result.
func (b *bucket) fill(now time.Time) float64 {
	if d := now.Sub(b.at); d > 0 {
		b.left = min(b.burst, b.left+float64(d)/float64(b.every))
	}
	b.at = now // also when the clock was set back
	return b.left
}

type peer struct {
	bucket
	seen time.Time
}

// take counts dialling to, or reports false if there was too much of it. Loopback
// addresses, which many peers may share, have no limit.
func (c *calls) take(now time.Time, to netip.Addr) bool {
	to = plain(to)
	if to.IsLoopback() {
		return true
	}
	if p := c.known(now, to); p != nil {
		if p.fill(now) < 1 {
			return false
		}
		p.left--
		return true
	}
	c.makeRoom(now)
	var all [len(callLimits)]*bucket
	for i := range callLimits {
		b := c.bucket(now, to, i)
		if b == nil || b.fill(now) < 1 {
			return false
		}
		all[i] = b
	}
	for _, b := range all {
		b.left--
	}
	return true
}

// Knows tells whether a host has proved to be a peer lately. Loopback addresses, which
// many peers may share, count as known.
func (p *Policy) Knows(now time.Time, a netip.Addr) bool {
	a = plain(a)
	return a.IsLoopback() || p.calls.known(now, a) != nil
}

// known is a host that has proved to be a peer lately; nil if it has not.
func (c *calls) known(now time.Time, a netip.Addr) *peer {
	if p := c.peers[a]; p != nil && now.Sub(p.seen) < peerLife {
		return p
	}
	return nil
}

// bucket finds or makes the bucket of one of the limits for to.
func (c *calls) bucket(now time.Time, to netip.Addr, limit int) *bucket {
	l := callLimits[limit]
	bits := l.bits6
	if to.Is4() {
		bits = l.bits4
	}
	n, err := to.Prefix(bits)
	if err != nil {
		return nil
	}
	if b := c.buckets[n]; b != nil {
		return b
	}
	if c.buckets == nil {
		c.buckets = map[netip.Prefix]*bucket{}
	}
	b := &bucket{left: l.burst, burst: l.burst, every: l.every, at: now}
	c.buckets[n] = b
	return b
}

// makeRoom keeps the number of buckets within maxCallees: it removes those that are full
// again, which are as good as none, or else the fullest.
func (c *calls) makeRoom(now time.Time) {
	if len(c.buckets)+len(callLimits) <= maxCallees {
		return
	}
	type part struct {
		of   netip.Prefix
		full float64
	}
	var rest []part
	for n, b := range c.buckets {
		if f := b.fill(now) / b.burst; f < 1 {
			rest = append(rest, part{n, f})
		} else {
			delete(c.buckets, n)
		}
	}
	if len(c.buckets) < maxCallees*7/8 {
		return
	}
	slices.SortFunc(rest, func(a, b part) int { return cmp.Compare(b.full, a.full) })
	for _, p := range rest[:maxCallees/8] {
		delete(c.buckets, p.of)
	}
}

// prove notes that a host is a peer. What dialling it has cost is given back.
func (c *calls) prove(now time.Time, a netip.Addr, called bool) {
	if a.IsLoopback() {
		return
	}
	p := c.peers[a]
	if p == nil {
		if c.peers == nil {
			c.peers = map[netip.Addr]*peer{}
		}
		if len(c.peers) >= maxPeers {
			c.forgetPeer()
		}
		p = &peer{bucket: bucket{left: peerBurst, burst: peerBurst, every: peerEvery, at: now}}
		c.peers[a] = p
	}
	p.seen = now
	if !called {
		return
	}
	p.left = min(p.burst, p.fill(now)+1)
	c.makeRoom(now)
	for i := range callLimits {
		if b := c.bucket(now, a, i); b != nil {
			b.left = min(b.burst, b.fill(now)+1)
		}
	}
}

func (c *calls) forgetPeer() {
	var oldest netip.Addr
	for a, p := range c.peers {
		if o := c.peers[oldest]; o == nil || p.seen.Before(o.seen) {
			oldest = a
		}
	}
	delete(c.peers, oldest)
}
