package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

// ports are the sockets for peers: for each address, TCP and UDP on the same port.
type ports struct {
	tcp []net.Listener
	udp []*net.UDPConn
}

func (p *ports) close() {
	for _, l := range p.tcp {
		l.Close()
	}
	for _, c := range p.udp {
		c.Close()
	}
	p.tcp, p.udp = nil, nil
}

// addresses are the addresses that the ports listen at.
func (p *ports) addresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range p.tcp {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			out = append(out, a.AddrPort())
		}
	}
	return out
}

// ipv4 is the address that they listen at over IPv4; the zero AddrPort for none.
func (p *ports) ipv4() netip.AddrPort {
	for _, a := range p.addresses() {
		if a.Addr().Unmap().Is4() {
			return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		}
	}
	return netip.AddrPort{}
}

// loopback reports whether only this host can reach the ports.
func (p *ports) loopback() bool {
	for _, a := range p.addresses() {
		if !a.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// local reports whether only this host can reach the ports, or could if they were open.
// listen is what was configured.
func (p *ports) local(listen []string) bool {
	if len(p.tcp) > 0 {
		return p.loopback()
	}
	return len(listen) > 0 && !slices.ContainsFunc(listen, func(text string) bool {
		a, err := config.ParseEndpoint(text)
		return err != nil || !a.Addr().IsLoopback()
	})
}

// port is the one that is announced to peers.
func (p *ports) port() uint16 {
	if a := p.addresses(); len(a) > 0 {
		return a[0].Port()
	}
	return 0
}

// udpPort is the port of the DHT.
func (p *ports) udpPort() uint16 {
	a, err := netip.ParseAddrPort(p.udp[0].LocalAddr().String())
	if err != nil {
		return 0
	}
	return a.Port()
}

// openPorts binds the configured addresses. Without any, it binds [::] and the saved port,
// or any port if none is saved or the saved one is in use.
func openPorts(c *config.Config, s *state) (*ports, error) {
	p := &ports{}
	if len(c.Listen) > 0 {
		for _, text := range c.Listen {
			a, err := config.ParseEndpoint(text)
			if err == nil {
				err = p.bind(a, c.IPv4)
			}
			if err != nil {
				p.close()
				return nil, share.Errorf(share.Failed, "listening at %s: %w", text, err)
			}
		}
		return p, nil
	}
	var kept uint16
	if _, err := s.Load("port", &kept); err != nil {
		return nil, err
	}
	err := p.bind(netip.AddrPortFrom(netip.IPv6Unspecified(), kept), c.IPv4)
	if err != nil && kept != 0 {
		err = p.bind(netip.AddrPortFrom(netip.IPv6Unspecified(), 0), c.IPv4)
		if err == nil {
			return p, nil // the saved one stays saved: it will be free again
		}
	}
	if err != nil {
		return nil, share.Errorf(share.Failed, "listening for peers: %w", err)
	}
	if kept == 0 {
		if err := s.Save("port", p.port()); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// bindTries is how many ports that the system chooses for TCP may be in use for UDP.
const bindTries = 20

func (p *ports) bind(a netip.AddrPort, ipv4 bool) error {
	if !a.Addr().Is6() && !ipv4 {
		return errors.New("it is an IPv4 address, and --ipv4 is not set")
	}
	var err error
	for range bindTries {
		one := &ports{}
		if err = one.bindOnce(a, ipv4); err == nil {
			p.tcp = append(p.tcp, one.tcp...)
			p.udp = append(p.udp, one.udp...)
			return nil
		}
		one.close()
		if a.Port() != 0 {
			break
		}
	}
	return err
}

func (p *ports) bindOnce(a netip.AddrPort, ipv4 bool) error {
	suffix := "6"
	if a.Addr().Unmap().Is4() {
		suffix = "4"
	}
	l, err := net.ListenTCP("tcp"+suffix, net.TCPAddrFromAddrPort(a))
	if err != nil {
		return err
	}
	p.tcp = append(p.tcp, l)
	port := p.port()
	if suffix == "6" { // the DHT is IPv6
		c, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.Addr(), port)))
		if err != nil {
			return err
		}
		p.udp = append(p.udp, c)
	}
	if ipv4 && a.Addr() == netip.IPv6Unspecified() {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4zero, Port: int(port)})
		if err != nil {
			return fmt.Errorf("over IPv4: %w", err)
		}
		p.tcp = append(p.tcp, l)
	}
	return nil
}

// take adds sockets that systemd opened.
func (p *ports) take(tcp []net.Listener, udp []*net.UDPConn) {
	p.tcp = append(p.tcp, tcp...)
	p.udp = append(p.udp, udp...)
}

// text formats addresses.
func text(addrs []netip.AddrPort) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String())
	}
	return slices.Compact(out)
}
