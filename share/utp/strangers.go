package utp

import (
	"container/list"
	"net/netip"
	"time"
)

const (
	// So many SYNs are answered a second, and so many at once. An answer is as long
	// as a SYN: it is no use to those who forge where they are.
	synsASecond = 100
	synsAtOnce  = 200
	// So many connections wait for their peer to show that it receives our answers,
	// and so many of one /48 (/24 in IPv4).
	maxStrangers      = 1024
	maxStrangersOfNet = 64
	// So many resets a second are sent for what belongs to no connection.
	resetsASecond = 20
	resetsAtOnce  = 50
)

// strangers are the connections whose peer may not be where it says: whoever forges
// addresses makes as many as he likes. They are few; the oldest gives way.
type strangers struct {
	order  *list.List // of *Conn
	at     map[*Conn]*list.Element
	nets   map[netip.Prefix]int
	syns   bucket
	resets bucket
}

func newStrangers() strangers {
	return strangers{
		order: list.New(), at: make(map[*Conn]*list.Element), nets: make(map[netip.Prefix]int),
		syns: bucket{left: synsAtOnce}, resets: bucket{left: resetsAtOnce},
	}
}

func netOf(a netip.Addr) netip.Prefix {
	a, bits := a.Unmap().WithZone(""), 48
	if a.Is4() {
		bits = 24
	}
	p, _ := a.Prefix(bits)
	return p
}

// enter takes in a stranger, and returns the one that gives way; nil is none. It
// reports false if there is no room.
func (s *strangers) enter(now time.Duration, c *Conn) (oldest *Conn, ok bool) {
	n := netOf(c.peer.Addr())
	if s.nets[n] >= maxStrangersOfNet || !s.syns.take(now, synsASecond, synsAtOnce) {
		return nil, false
	}
	if s.order.Len() >= maxStrangers {
		oldest = s.order.Front().Value.(*Conn)
		s.leave(oldest)
	}
	s.at[c] = s.order.PushBack(c)
	s.nets[n]++
	return oldest, true
}

// leave takes out one that is no stranger any more.
func (s *strangers) leave(c *Conn) {
	e := s.at[c]
	if e == nil {
		return
	}
	s.order.Remove(e)
	delete(s.at, c)
	n := netOf(c.peer.Addr())
	if s.nets[n]--; s.nets[n] == 0 {
		delete(s.nets, n)
	}
}

func (s *strangers) refuses(now time.Duration) bool {
	return s.resets.take(now, resetsASecond, resetsAtOnce)
}

// bucket fills with what may be spent.
type bucket struct {
	left float64
	at   time.Duration
}

func (b *bucket) take(now time.Duration, rate, most float64) bool {
	b.left = min(most, b.left+max(0, now-b.at).Seconds()*rate)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
