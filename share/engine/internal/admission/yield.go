package admission

import (
	"net/netip"
	"time"
)

// levels is the number of networks of one address: its /48, /56 and /64, or what
// corresponds to them in IPv4.
const levels = 3

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func networksOf(a netip.Addr) (n [levels]netip.Prefix) {
	a = plain(a)
	bits := [levels]int{48, 56, 64}
	if a.Is4() {
		bits = [levels]int{16, 24, 32}
	}
	for i, b := range bits {
		n[i], _ = a.Prefix(b) // an invalid address gives the zero Prefix, which is a network as well
	}
	return n
}

// network counts the connections accepted from one network.
type network struct {
	of       netip.Prefix
	accepted int
	shaking  int // of them
}

// perHost is the weight of one connection in a /64; in a /56 it is half of that, in a
// /48 a quarter. A household has a /64 or a /56, and some people can easily get a /48.
const perHost = 4

// crowd weighs how many accepted connections the networks of c have.
func (c *Conn) crowd() int {
	return max(c.nets[0].accepted, 2*c.nets[1].accepted, perHost*c.nets[2].accepted)
}

// queue is crowd for unfinished handshakes.
func (c *Conn) queue() int {
	return max(c.nets[0].shaking, 2*c.nets[1].shaking, perHost*c.nets[2].shaking)
}

// slowest is the unfinished handshake that is closed for that of c: the oldest from the
// network that has most.
func (p *Policy) slowest(c *Conn) *Conn {
	var worst *Conn
	most := 0
	for o := range p.conns {
		if !o.shaking || o == c {
			continue
		}
		if n := o.queue(); worst == nil || n > most || n == most && o.number < worst.number {
			worst, most = o, n
		}
	}
	return worst
}

// rank is how little a connection is worth.
type rank struct {
	over   bool // its network has more than its share
	idle   bool
	choked bool
	crowd  int
	rate   float64
	number uint64
}

// before tells whether a is closed before b.
func (a rank) before(b rank) bool {
	switch {
	case a.over != b.over:
		return a.over
	case a.idle != b.idle:
		return a.idle
	case a.idle && a.choked != b.choked:
		return a.choked
	case a.crowd != b.crowd:
		return a.crowd > b.crowd
	case !a.idle && a.rate != b.rate:
		return a.rate < b.rate
	}
	return a.number < b.number
}

func (p *Policy) rank(now time.Time, c *Conn) rank {
	u := c.measure(now)
	r := rank{choked: u.Choked, rate: c.rate, number: c.number}
	if c.incoming {
		r.crowd = c.crowd()
		r.over = r.crowd > p.part
	}
	// The rate of the current period counts if it is higher: a connection that has just
	// become useful is useful.
	if t := now.Sub(c.since).Seconds(); t > 0 {
		r.rate = max(r.rate, float64(u.Moved-c.moved)/max(t, idleAge.Seconds()))
	}
	age := now.Sub(c.born)
	if c.shaking {
		r.idle, r.choked = age >= shakeTime, true
	} else {
		r.idle = age >= chokedAge && u.Choked || age >= idleAge && r.rate < idleRate
	}
	return r
}

// worst is the first to be closed among the connections that may accepts.
func (p *Policy) worst(now time.Time, may func(*Conn) bool) (*Conn, rank) {
	var worst *Conn
	var of rank
	for c := range p.conns {
		if !may(c) {
			continue
		}
		if r := p.rank(now, c); worst == nil || r.before(of) {
			worst, of = c, r
		}
	}
	return worst, of
}

// least is the accepted connection that is closed for c. For one that we dial, when c is
// nil, there is always one.
func (p *Policy) least(now time.Time, c *Conn) *Conn {
	gone, r := p.worst(now, func(o *Conn) bool { return o.incoming && o != c })
	if gone == nil || c == nil || r.idle {
		return gone
	}
	// None is idle. The network of c must have fewer connections than the other, by more
	// than what one household makes.
	if r.crowd > c.crowd()+perHost {
		return gone
	}
	return nil
}

func (p *Policy) idleAccepted(now time.Time) *Conn {
	if c, r := p.worst(now, func(c *Conn) bool { return c.incoming }); c != nil && (r.idle || r.over) {
		return c
	}
	return nil
}

func (p *Policy) idleOwn(now time.Time) *Conn {
	if c, r := p.worst(now, func(c *Conn) bool { return !c.incoming && !c.calling }); c != nil && r.idle {
		return c
	}
	return nil
}
