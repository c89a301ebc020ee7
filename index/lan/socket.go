package lan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/ipv6"
)

// socket sends to and receives from the multicast group.
type socket interface {
	// join starts to receive on an interface. It may be called again.
	join(net.Interface) error
	leave(net.Interface) error
	// send is called by one goroutine, receive by another.
	send(net.Interface, []byte) error
	// receive returns datagrams that were sent to the group.
	receive([]byte) (n int, from netip.AddrPort, err error)
	Close() error
}

type groupSocket struct {
	conn net.PacketConn
	pc   *ipv6.PacketConn
	// If the system reports the destination of a datagram, only those to the
	// group are accepted: anyone on the Internet can send to the port.
	tells bool
}

func openSocket() (socket, error) {
	// For a multicast address this binds the wildcard address and shares the port
	// with other programs of this host.
	conn, err := net.ListenPacket("udp6", groupText)
	if err != nil {
		return nil, fmt.Errorf("opening the multicast port: %w", err)
	}
	s := &groupSocket{conn: conn, pc: ipv6.NewPacketConn(conn)}
	s.tells = s.pc.SetControlMessage(ipv6.FlagDst, true) == nil
	// Stay on the link. Loopback reaches other programs on this host.
	if err := s.pc.SetMulticastHopLimit(1); err != nil {
		conn.Close()
		return nil, fmt.Errorf("setting the hop limit of multicast: %w", err)
	}
	if err := s.pc.SetMulticastLoopback(true); err != nil {
		conn.Close()
		return nil, fmt.Errorf("setting the loopback of multicast: %w", err)
	}
	return s, nil
}

func groupAddr() *net.UDPAddr { return net.UDPAddrFromAddrPort(group) }

func (s *groupSocket) join(ifi net.Interface) error  { return s.pc.JoinGroup(&ifi, groupAddr()) }
func (s *groupSocket) leave(ifi net.Interface) error { return s.pc.LeaveGroup(&ifi, groupAddr()) }

func (s *groupSocket) send(ifi net.Interface, b []byte) error {
	if err := s.pc.SetMulticastInterface(&ifi); err != nil {
		return fmt.Errorf("choosing interface %s: %w", ifi.Name, err)
	}
	if _, err := s.pc.WriteTo(b, nil, groupAddr()); err != nil {
		return fmt.Errorf("announcing on %s: %w", ifi.Name, err)
	}
	return nil
}

func (s *groupSocket) receive(b []byte) (int, netip.AddrPort, error) {
	for {
		n, cm, from, err := s.pc.ReadFrom(b)
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		if s.tells && (cm == nil || !cm.Dst.Equal(groupAddr().IP)) {
			continue
		}
		ua, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		ap := ua.AddrPort()
		if !s.tells && !onLink(ap.Addr()) {
			continue
		}
		return n, ap, nil
	}
}

func (s *groupSocket) Close() error { return s.conn.Close() }

// onLink reports whether addr is in a network of this host.
func onLink(addr netip.Addr) bool {
	if addr.IsLinkLocalUnicast() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Contains(addr) {
			return true
		}
	}
	return false
}

// maxInterfaces bounds the copies of an announce on hosts with hundreds of
// virtual networks.
const maxInterfaces = 32

// network is an interface and its IPv6 addresses; comparing two shows a change.
type network struct {
	net.Interface
	addrs string
}

// usableInterfaces returns the interfaces that are up, support multicast and have
// an IPv6 address.
func usableInterfaces() ([]network, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	var out []network
	for _, ifi := range all {
		const not = net.FlagLoopback | net.FlagPointToPoint
		const must = net.FlagUp | net.FlagMulticast
		if ifi.Flags&not != 0 || ifi.Flags&must != must || len(out) >= maxInterfaces {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // gone meanwhile
		}
		var own []string
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && !p.Addr().Is4In6() {
				own = append(own, p.String())
			}
		}
		if len(own) > 0 {
			slices.Sort(own)
			out = append(out, network{ifi, strings.Join(own, " ")})
		}
	}
	return out, nil
}
