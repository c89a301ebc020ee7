// Package admission keeps to itself which connections to peers a node has room for:
// who is let in, which existing one gives way, who is kept out, and how often the
// node may dial whom. It has no sockets and no clock, so that any history of a node
// can be played through it.
//
// The rules:
//
//   - A share of the connections is for those that we dial. Until it is used up, an
//     accepted connection is closed for the next one.
//   - Peers are accepted while there is room. When there is none, the least useful
//     accepted connection is closed for the new one: first one from a network that has
//     more than its share, then an idle one (choked both ways, or silent), then one from
//     a network that has many more than that of the new one.
//   - The number of unfinished handshakes is limited. The next one replaces the oldest
//     one from the network that has most of them.
//   - A network is what one person can have: a /64, a /56 or a /48 in IPv6, an address,
//     a /24 or a /16 in IPv4.
//   - A peer that broke the protocol is banned for a while with its /64, and a wider
//     network when several /64s in it did.
//   - A host or network is dialled only so often. The limit is higher for a host that has
//     answered in our protocol.
package admission

import (
	"errors"
	"net/netip"
	"time"
)

var (
	// ErrFull tells that no connection can be closed for a new one.
	ErrFull = errors.New("too many connections")
	// ErrBanned tells that an address is banned.
	ErrBanned = errors.New("the address is banned")
	// ErrCalled tells that a host or its network was dialled too often.
	ErrCalled = errors.New("the host or its network was dialled too often without an answer")
)

const (
	// The use of a connection is measured over periods of this length.
	idleAge = time.Minute
	// A peer that wants to upload or download unchokes or asks within this time.
	chokedAge = 10 * time.Second
	// A connection with fewer bytes a second is silent: keep-alives and HAVE messages
	// alone are of no use.
	idleRate = 1024
	// A handshake takes one or two round trips.
	shakeTime = 3 * time.Second
	// The rules need at least this many connections.
	leastMax = 8
)

// Use is how useful a connection is.
type Use struct {
	Moved  int64 // bytes, both ways, since it began
	Choked bool  // neither side wants and may request anything
}

// Conn is one connection of a Policy.
type Conn struct {
	addr     netip.Addr
	nets     [levels]*network // of an accepted one, while it is counted
	incoming bool
	shaking  bool // accepted, and its handshake is not over
	calling  bool // dialled, and not connected yet
	proved   bool
	born     time.Time
	number   uint64 // in the order they came
	use      func() Use

	// The rate in the last period, and when and at which count this one began.
	rate  float64
	since time.Time
	moved int64
}

// Policy decides on all connections of a node. It is not safe for concurrent use.
type Policy struct {
	max     int // connections, those being dialled included
	own     int // of them are for those we dial, if needed
	mostIn  int // most accepted ones
	mostOut int // most dialled ones
	shakes  int // most unfinished handshakes
	part    int // most that a network may have when there is no room, see crowd

	conns   map[*Conn]struct{}
	number  uint64
	in, out int
	shaking int
	nets    map[netip.Prefix]*network // that have accepted connections

	bans  bans
	calls calls
}

// New makes a Policy for most connections.
func New(most int) *Policy {
	most = max(most, leastMax)
	p := &Policy{
		max: most, own: most / 2, mostIn: most - most/4, mostOut: most - most/4, shakes: max(most/5, 4),
		conns: map[*Conn]struct{}{}, nets: map[netip.Prefix]*network{},
	}
	p.part = max(p.mostIn/4, 8*perHost)
	return p
}

// Len is the number of connections, those being dialled included.
func (p *Policy) Len() int { return p.in + p.out }

// Accept adds a connection that a peer has dialled. If gone is not nil, it was removed
// and has to be closed.
func (p *Policy) Accept(now time.Time, from netip.Addr, use func() Use) (c, gone *Conn, err error) {
	if p.Banned(now, from) {
		return nil, nil, ErrBanned
	}
	full, shaking := p.in >= p.mostIn || p.Len() >= p.max, p.shaking >= p.shakes
	c = &Conn{addr: plain(from), incoming: true, shaking: true, born: now, since: now, use: use}
	p.add(c) // it counts in its own network
	switch {
	case shaking:
		gone = p.slowest(c)
	case full:
		if gone = p.least(now, c); gone == nil {
			p.Leave(c)
			return nil, nil, ErrFull
		}
	}
	p.Leave(gone)
	return c, gone, nil
}

// Call adds a connection that is being dialled from now on. If gone is not nil, it was
// removed and has to be closed.
func (p *Policy) Call(now time.Time, to netip.Addr) (c, gone *Conn, err error) {
	if p.Banned(now, to) {
		return nil, nil, ErrBanned
	}
	full := p.Len() >= p.max
	switch {
	case p.out >= p.mostOut:
		gone = p.idleOwn(now)
	case full && p.out < p.own:
		gone = p.least(now, nil)
	case full:
		if gone = p.idleOwn(now); gone == nil && p.in > p.max-p.mostOut {
			gone = p.idleAccepted(now)
		}
	}
	if gone == nil && (full || p.out >= p.mostOut) {
		return nil, nil, ErrFull
	}
	if !p.calls.take(now, to) {
		return nil, nil, ErrCalled
	}
	p.Leave(gone)
	c = &Conn{addr: plain(to), calling: true, born: now, since: now}
	p.add(c)
	return c, gone, nil
}

// MayCall counts dialling an address without a connection of its own, and reports
// whether it is allowed.
func (p *Policy) MayCall(now time.Time, to netip.Addr) bool {
	return !p.Banned(now, to) && p.calls.take(now, to)
}

// Answered notes that c, which was being dialled, is connected.
func (p *Policy) Answered(now time.Time, c *Conn, use func() Use) {
	c.calling, c.born, c.since, c.use = false, now, now, use
}

// Proved notes that the other end of c speaks our protocol: it is a peer, and not some
// host that a stranger wants us to dial.
func (p *Policy) Proved(now time.Time, c *Conn) {
	if c.shaking {
		c.shaking = false
		if _, ok := p.conns[c]; ok {
			p.shaking--
			for _, n := range c.nets {
				n.shaking--
			}
		}
	}
	if !c.proved {
		c.proved = true
		p.calls.prove(now, c.addr, !c.incoming)
	}
}

// Leave removes a connection that is closed. It ignores nil, and one that was removed
// before.
func (p *Policy) Leave(c *Conn) {
	if _, ok := p.conns[c]; !ok {
		return
	}
	delete(p.conns, c)
	if !c.incoming {
		p.out--
		return
	}
	p.in--
	if c.shaking {
		p.shaking--
	}
	for _, n := range c.nets {
		n.accepted--
		if c.shaking {
			n.shaking--
		}
		if n.accepted == 0 {
			delete(p.nets, n.of)
		}
	}
}

func (p *Policy) add(c *Conn) {
	p.number++
	c.number = p.number
	p.conns[c] = struct{}{}
	if !c.incoming {
		p.out++
		return
	}
	p.in++
	p.shaking++
	for i, of := range networksOf(c.addr) {
		n := p.nets[of]
		if n == nil {
			n = &network{of: of}
			p.nets[of] = n
		}
		n.accepted++
		n.shaking++
		c.nets[i] = n
	}
}

// Look measures every connection. Call it every few seconds, so that the rates are those
// of the last minute.
func (p *Policy) Look(now time.Time) {
	for c := range p.conns {
		c.measure(now)
	}
}

// measure begins a new period when the last one is over.
func (c *Conn) measure(now time.Time) Use {
	if c.use == nil {
		return Use{}
	}
	u := c.use()
	took := now.Sub(c.since)
	if took < 0 {
		c.since = now // the clock was set back
	}
	if took >= idleAge {
		c.rate = float64(u.Moved-c.moved) / took.Seconds()
		c.since, c.moved = now, u.Moved
	}
	return u
}
