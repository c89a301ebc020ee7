package utp

import (
	"container/list"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	headerSize = 20
	typeState  = 2
	typeReset  = 3
	typeSyn    = 4
	typeLast   = typeSyn

	// So many SYNs are answered a second, of all sources and of one /48 (or /24 in
	// IPv4), and so many more at once.
	synsASecond  = 50
	synsAtOnce   = 100
	synsOfOne    = 4
	synsOfOneMax = 16

	// A source that has shown nothing is remembered for as long as a handshake
	// takes, one that has for as long as the connection may be silent.
	greetTime  = 10 * time.Second
	provenTime = 3 * time.Minute
	maxSources = 4096
	maxResets  = 64 << 10 // bytes
	maxNets    = 4096
)

// frugal stands below the uTP of a socket and sees to it that sources that have
// not shown that they are where they say get little: one packet of the size of
// their SYN for some of the SYNs, and nothing else, since those who forge their
// source have it sent to somebody else. A source has shown it when it knows the
// sequence number that our answer had, or when it was called from here.
type frugal struct {
	net.PacketConn
	now func() time.Time

	mu     sync.Mutex
	all    bucket
	nets   map[netip.Prefix]*bucket
	of     map[netip.AddrPort]*list.Element // of a *source
	recent list.List                        // the last seen at the back
}

type source struct {
	at     netip.AddrPort
	seen   time.Time
	proven bool
	// What it may still be sent: of one that is not proven in all, of one that is
	// in resets, three of which the library sends for a packet that fits nothing.
	left int
	// Of one that is not proven: what our answer said.
	answered bool
	seq      uint16
	conn     uint16
}

// bucket fills with what may be spent.
type bucket struct {
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time, rate, most float64) bool {
	if b.at.IsZero() {
		b.left = most
	} else if d := now.Sub(b.at); d > 0 {
		b.left = min(most, b.left+d.Seconds()*rate)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func newFrugal(pc net.PacketConn) *frugal {
	return &frugal{PacketConn: pc, now: time.Now, nets: map[netip.Prefix]*bucket{}, of: map[netip.AddrPort]*list.Element{}}
}

// ReadFrom leaves out what is to get no answer.
func (f *frugal) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := f.PacketConn.ReadFrom(b)
		if err != nil || f.lets(b[:n], from) {
			return n, from, err
		}
	}
}

// WriteTo drops what a source is not to get, as a network might.
func (f *frugal) WriteTo(b []byte, to net.Addr) (int, error) {
	if !f.may(b, to) {
		return len(b), nil
	}
	return f.PacketConn.WriteTo(b, to)
}

func isUTP(b []byte) bool { return len(b) >= headerSize && b[0]&15 == 1 && b[0]>>4 <= typeLast }

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	if u, ok := a.(*net.UDPAddr); ok {
		ap = u.AddrPort()
	} else if p, err := netip.ParseAddrPort(a.String()); err == nil {
		ap = p
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (f *frugal) lets(b []byte, from net.Addr) bool {
	if !isUTP(b) {
		return true // uTP does not answer it
	}
	at := addrPort(from)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	s := f.find(now, at)
	if s != nil && s.proven {
		s.left = min(s.left+len(b), maxResets)
		f.saw(now, s)
		return true
	}
	if b[0]>>4 != typeSyn {
		if s == nil || !s.answered {
			return false
		}
		// The connection ID is one higher than that of the SYN, and what is
		// acknowledged is our answer or, as many do it, what came before.
		ack := binary.BigEndian.Uint16(b[18:])
		if binary.BigEndian.Uint16(b[2:]) != s.conn+1 || ack != s.seq && ack != s.seq-1 {
			return false
		}
		s.proven = true
		f.saw(now, s)
		return true
	}
	if !f.affords(now, at.Addr()) {
		return false
	}
	if s == nil {
		s = f.add(at)
	}
	s.left, s.answered = len(b), false
	f.saw(now, s)
	return true
}

// affords counts a SYN, or reports false where there are too many.
func (f *frugal) affords(now time.Time, a netip.Addr) bool {
	bits := 48
	if a.Is4() {
		bits = 24
	}
	n, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return false
	}
	b := f.nets[n]
	if b == nil {
		if len(f.nets) >= maxNets {
			clear(f.nets) // the limit of all is there still
		}
		b = &bucket{}
		f.nets[n] = b
	}
	// The limit of all is asked last: a network over its own takes nothing of it.
	return b.take(now, synsOfOne, synsOfOneMax) && f.all.take(now, synsASecond, synsAtOnce)
}

func (f *frugal) may(b []byte, to net.Addr) bool {
	if !isUTP(b) {
		return true
	}
	at := addrPort(to)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	s := f.find(now, at)
	if b[0]>>4 == typeSyn { // we call
		if s == nil {
			s = f.add(at)
		}
		s.proven = true
		f.saw(now, s)
		return true
	}
	switch {
	case s == nil:
		return false
	case s.proven && b[0]>>4 != typeReset:
		return true
	case s.proven:
		if len(b) > s.left {
			return false
		}
		s.left -= len(b)
		return true
	case b[0]>>4 != typeState || len(b) > s.left:
		return false
	}
	s.left -= len(b)
	s.answered = true
	s.conn, s.seq = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[16:])
	return true
}

// find gives the source at an address, and forgets those that are over.
func (f *frugal) find(now time.Time, at netip.AddrPort) *source {
	e := f.of[at]
	if e == nil {
		return nil
	}
	s := e.Value.(*source)
	life := greetTime
	if s.proven {
		life = provenTime
	}
	if now.Sub(s.seen) >= life {
		f.drop(e)
		return nil
	}
	return s
}

// add remembers a source, in the place of the one that was silent longest where
// there are too many.
func (f *frugal) add(at netip.AddrPort) *source {
	if f.recent.Len() >= maxSources {
		f.drop(f.recent.Front())
	}
	s := &source{at: at}
	f.of[at] = f.recent.PushBack(s)
	return s
}

func (f *frugal) saw(now time.Time, s *source) {
	s.seen = now
	f.recent.MoveToBack(f.of[s.at])
}

func (f *frugal) drop(e *list.Element) {
	delete(f.of, e.Value.(*source).at)
	f.recent.Remove(e)
}
