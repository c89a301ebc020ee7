package utp

import (
	"net"
	"net/netip"
)

// SegmentConn is a net.PacketConn that reads or writes several datagrams of one
// peer at once. A Socket uses these methods if its net.PacketConn has them.
type SegmentConn interface {
	net.PacketConn
	// ReadSegments reads n bytes of datagrams into b. Each is size bytes long, the
	// last one perhaps shorter. They came from one address to the address at of
	// this host, which is invalid if that is not known.
	ReadSegments(b []byte) (n, size int, from netip.AddrPort, at netip.Addr, err error)
	// WriteSegments sends b as datagrams of size bytes, the last one perhaps
	// shorter, at most 64 of them; from the address from of this host unless that is
	// invalid. If fragment is false they should not be fragmented on the path.
	WriteSegments(b []byte, size int, to netip.AddrPort, from netip.Addr, fragment bool) error
}

const (
	// A UDP packet of several segments is at most so long, and has at most so many.
	maxBurst    = 63 << 10
	maxSegments = 64
)

// single is any net.PacketConn as a SegmentConn.
type single struct{ net.PacketConn }

func (s single) ReadSegments(b []byte) (n, size int, from netip.AddrPort, at netip.Addr, err error) {
	n, a, err := s.ReadFrom(b)
	if u, ok := a.(*net.UDPAddr); ok {
		from = u.AddrPort()
	}
	return n, n, from, at, err
}

func (s single) WriteSegments(b []byte, size int, to netip.AddrPort, _ netip.Addr, _ bool) error {
	addr := net.UDPAddrFromAddrPort(to)
	for len(b) > 0 {
		n := min(size, len(b))
		if _, err := s.WriteTo(b[:n], addr); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// burst is datagrams that wait to be sent together.
type burst struct {
	b        []byte
	size     int // of each but the last
	n        int
	fragment bool
	short    bool // the last one is shorter: none can follow
}

// takes reports whether a datagram can be sent with the others.
func (u *burst) takes(size int, fragment bool) bool {
	return u.n == 0 || !u.short && size <= u.size && fragment == u.fragment && u.n < maxSegments && len(u.b)+size <= maxBurst
}

// add takes a datagram of so many bytes, which were put behind the others.
func (u *burst) add(size int, fragment bool) {
	if u.n == 0 {
		u.size, u.fragment = size, fragment
	}
	u.short = size < u.size
	u.b = u.b[:len(u.b)+size]
	u.n++
}

func (u *burst) reset() { *u = burst{b: u.b[:0]} }
