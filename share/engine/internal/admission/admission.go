// Package admission keeps to itself which connections to peers a node has room for:
// who is let in, which existing one gives way, who is kept out, and how often the
// node may dial whom. It has no sockets and no clock, so that any history of a node
// can be played through it.
//
// The rules:
//
//   - Own calls have a share of the connections. While they have not used it up,
//     room is made for the next one.
//   - While there is room everybody is let in. Once there is none, the least
//     useful accepted connection gives way to the newcomer: first one of a
//     network that holds more than its part, then one that is idle (choked both
//     ways, or silent), then one of a network that holds much more than the
//     newcomer's.
//   - So many handshakes are unfinished at a time. The next one takes the place
//     of the oldest one of the network that has most of them.
//   - A network is what one person can have: a /64, a /56 or a /48 in IPv6, an
//     address, a /24 or a /16 in IPv4.
//   - Who broke the protocol is kept out for a while: its /64, and what is wider
//     once several /64s in it did.
//   - So many calls go to one host or network in a time; a host that has answered
//     in our protocol may be called more often.
package admission

import (
	"errors"
	"net/netip"
	"time"
)

var (
	// ErrFull says that nobody gives way to a connection.
	ErrFull = errors.New("too many connections")
	// ErrBanned says that an address is kept out.
	ErrBanned = errors.New("the address is banned")
	// ErrCalled says that a host or its network was called too often.
	ErrCalled = errors.New("the host or its network was called too often without an answer")
)

const (
	// A connection shows what it is good for in this time, and is measured over
	// times as long.
	idleAge = time.Minute
	// Who wants to give or get something says so at once.
	chokedAge = 10 * time.Second
	// Who moves fewer bytes a second is silent: keep-alives and news of pieces
	// alone are of no use.
	idleRate = 1024
	// A handshake takes one or two round trips.
	shakeTime = 3 * time.Second
	// Of fewer connections there is nothing to divide.
	leastMax = 8
)

// Use is what a connection is good for.
type Use struct {
	Moved  int64 // bytes, both ways, since it began
	Choked bool  // neither side may ask for, or wants, anything
}

// Conn is one connection that the Policy knows of.
type Conn struct {
	addr     netip.Addr
	nets     [levels]*network // of an accepted one that is there
	incoming bool
	shaking  bool // accepted, and its handshake is not over
	calling  bool // a call that is not answered
	proved   bool
	born     time.Time
	number   uint64 // in the order they came
	use      func() Use

	// The rate in the last time of idleAge, and where the present one began.
	rate  float64
	since time.Time
	moved int64
}

// Policy knows all connections of a node. It is not safe for concurrent use.
type Policy struct {
	max     int // connections, calls under way included
	own     int // of them are for own calls where these want them
	mostIn  int // accepted ones at most
	mostOut int // own ones at most
	shakes  int // unfinished handshakes at most
	part    int // of a network, as crowds count, once there is no room

	conns   map[*Conn]struct{}
	number  uint64
	in, out int
	shaking int
	nets    map[netip.Prefix]*network // that have accepted connections

	bans  bans
	calls calls
}

// New makes a Policy for so many connections.
func New(most int) *Policy {
	most = max(most, leastMax)
	p := &Policy{
		max: most, own: most / 2, mostIn: most - most/4, mostOut: most - most/4, shakes: max(most/5, 4),
		conns: map[*Conn]struct{}{}, nets: map[netip.Prefix]*network{},
	}
	p.part = max(p.mostIn/4, 8*perHost)
	return p
}

// Len is how many connections there are, calls under way included.
func (p *Policy) Len() int { return p.in + p.out }

// Accept takes a connection in that a peer began. Where gone is not nil, it is
// known no more and has to be closed.
func (p *Policy) Accept(now time.Time, from netip.Addr, use func() Use) (c, gone *Conn, err error) {
	if p.Banned(now, from) {
		return nil, nil, ErrBanned
	}
	full, shaking := p.in >= p.mostIn || p.Len() >= p.max, p.shaking >= p.shakes
	c = &Conn{addr: plain(from), incoming: true, shaking: true, born: now, since: now, use: use}
	p.add(c) // it counts in the crowd that it comes from
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

// Call takes an own call, which begins now. Where gone is not nil, it is known no
// more and has to be closed.
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

// MayCall counts a call to an address that makes no connection of its own, and
// reports whether it may be made.
func (p *Policy) MayCall(now time.Time, to netip.Addr) bool {
	return !p.Banned(now, to) && p.calls.take(now, to)
}

// Answered notes that the call of c has become a connection.
func (p *Policy) Answered(now time.Time, c *Conn, use func() Use) {
	c.calling, c.born, c.since, c.use = false, now, now, use
}

// Proved notes that the other end of c speaks our protocol: it is a peer, and no
// host that somebody wants to have called.
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

// Leave forgets a connection that is closed; nil and one that is not known are
// nothing.
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

// Look measures every connection. It is called now and then, so that what is
// known of them is of the last minute.
func (p *Policy) Look(now time.Time) {
	for c := range p.conns {
		c.measure(now)
	}
}

// measure begins a new time of measuring where the last one is over.
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
