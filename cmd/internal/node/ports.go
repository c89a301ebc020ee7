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

// has tells whether peers connect to a port, at some address.
func (p *ports) has(port uint16) bool {
	return slices.ContainsFunc(p.addresses(), func(a netip.AddrPort) bool { return a.Port() == port })
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

// openPorts binds the configured addresses, at the former port where any port will do.
// Without any, it binds [::] and the saved port, or any port if none is saved or the saved
// one is in use.
func openPorts(c *config.Config, s *state, former bound) (*ports, bound, error) {
	p, now := &ports{}, bound{}
	if len(c.Listen) > 0 {
		for _, text := range c.Listen {
			a, err := config.ParseEndpoint(text)
			if err == nil {
				for _, at := range former.at("listen "+text, a) {
					had := len(p.tcp)
					if err = p.bind(at, c.IPv4); err == nil {
						now["listen "+text] = p.addresses()[had]
						break
					}
				}
			}
			if err != nil {
				p.close()
				return nil, nil, share.Errorf(share.Failed, "listening at %s: %w", text, advised(err, a.Port()))
			}
		}
		return p, now, nil
	}
	p, err := openKept(c, s)
	return p, now, err
}

// openKept binds [::] and the saved port, or another one if that is in use.
func openKept(c *config.Config, s *state) (*ports, error) {
	p := &ports{}
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

// bindTries is how many ports that the system chooses for TCP may be in use for UDP, or
// blocked by browsers.
const bindTries = 40

// blocked are the ports at which no browser connects to a web server: the bad ports of the
// Fetch standard, and 0.
var blocked = [...]uint16{
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113,
	115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
	563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
	6668, 6669, 6679, 6697, 10080,
}

var errBlocked = errors.New("browsers connect to none of the ports that are free")

func (p *ports) bind(a netip.AddrPort, ipv4 bool) error {
	if !a.Addr().Is6() && !ipv4 {
		return errors.New("it is an IPv4 address, and --ipv4 is not set")
	}
	// What is in the way stays bound until a port is found: the system would choose it again.
	var refused []*ports
	defer func() {
		for _, r := range refused {
			r.close()
		}
	}()
	var err error
	for range bindTries {
		one := &ports{}
		err = one.bindOnce(a, ipv4)
		if err == nil && a.Port() == 0 && slices.Contains(blocked[:], one.port()) {
			err = errBlocked
		}
		if err == nil {
			p.tcp = append(p.tcp, one.tcp...)
			p.udp = append(p.udp, one.udp...)
			return nil
		}
		refused = append(refused, one)
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
