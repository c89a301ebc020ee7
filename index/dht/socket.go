package dht

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv6"
)

// datagramMax is more than any datagram we take; one that fills it was longer.
// Several that came together take at most joinedMax.
const (
	datagramMax = 4096
	joinedMax   = 64 << 10
)

// readBuffer lets a burst wait while the core is busy.
const readBuffer = 1 << 20

// socket is a UDP socket that reports at which of our addresses a datagram arrived,
// and sends from a chosen one.
type socket struct {
	conn  *net.UDPConn
	local netip.Addr // unspecified if bound to all
	port  uint16
	info  bool // the system gives and takes packet info
	oob   []byte
}

func newSocket(c *net.UDPConn) *socket {
	s := &socket{conn: c}
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		ap := a.AddrPort()
		s.local, s.port = ap.Addr().WithZone(""), ap.Port()
	}
	// Not every system has it. Without, the system chooses the address.
	s.info = ipv6.NewPacketConn(c).SetControlMessage(ipv6.FlagDst, true) == nil
	s.oob = make([]byte, 128)
	c.SetReadBuffer(readBuffer) // what the system allows of it
	return s
}

// bound reports whether the socket sends from addr when asked to.
func (s *socket) bound(addr netip.Addr) bool {
	return s.local.IsUnspecified() || s.local == addr
}

// receive reads n bytes of datagrams from one address, each of size bytes, the last
// one perhaps shorter; local is the zero Addr if the system does not report it. One
// goroutine may receive at a time.
func (s *socket) receive(b []byte) (n, size int, from netip.AddrPort, local netip.Addr, err error) {
	n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(b, s.oob)
	if err != nil {
		return 0, 0, from, local, err
	}
	if size = joined(s.oob[:oobn]); size == 0 {
		size = n
	}
	local = s.local
	if s.local.IsUnspecified() {
		local = netip.Addr{}
		if s.info {
			var cm ipv6.ControlMessage
			if cm.Parse(s.oob[:oobn]) == nil {
				if a, ok := netip.AddrFromSlice(cm.Dst); ok {
					local = a
				}
			}
		}
	}
	return n, size, from, local, nil
}

// send sends one datagram, from the address via if that is valid and the system
// can be told.
func (s *socket) send(b []byte, to netip.AddrPort, via netip.Addr) error {
	if s.info && via.IsValid() && s.local.IsUnspecified() && via.Is6() {
		cm := ipv6.ControlMessage{Src: via.AsSlice()}
		_, _, err := s.conn.WriteMsgUDPAddrPort(b, cm.Marshal(), to)
		return err
	}
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}
