//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Host is a machine: a network namespace that shares this machine's disks.
type Host struct {
	Name string
	// Addr is the current address, of global scope behind a router and unique
	// local on a LAN without one.
	Addr netip.Addr

	lab     *Lab
	space   *space
	device  string // the interface that Addr is on
	station int    // what hosts add to a prefix to get their address
	devices int
	procs   []*Proc
}

// Attach connects the host to a link by one more interface: eth0, eth1 and so
// on. The first decides Addr and, behind a router, the default route.
func (h *Host) Attach(k *Link) {
	h.lab.t.Helper()
	device := fmt.Sprintf("eth%d", h.devices)
	port := fmt.Sprintf("port%d", k.ports)
	h.devices++
	k.ports++
	k.space.wire(port, h.space, device)
	k.space.ip(fmt.Sprintf("link set %s master %s", port, k.bridge))
	station := 0x10 + k.ports
	if h.device == "" {
		h.device, h.station = device, station
		k.hosts = append(k.hosts, h)
		h.number(k.prefix)
		if !k.prefix.Addr().IsPrivate() {
			h.space.ip("route add default via fe80::1 dev " + device)
		}
		return
	}
	h.space.ip(fmt.Sprintf("addr add %s/64 dev %s nodad", in(k.prefix, station), device))
}

// number gives the host an address of prefix.
func (h *Host) number(prefix netip.Prefix) {
	h.lab.t.Helper()
	h.Addr = in(prefix, h.station)
	h.space.ip(fmt.Sprintf("addr add %s/64 dev %s nodad", h.Addr, h.device))
}

// IP runs iproute2 commands on the host, one a line, without the leading "ip".
func (h *Host) IP(lines ...string) {
	h.lab.t.Helper()
	h.space.ip(lines...)
}

// OnlyIPv4 takes IPv6 from the host and gives it an IPv4 address with a prefix, and a
// default route if router is valid.
func (h *Host) OnlyIPv4(address netip.Prefix, router netip.Addr) {
	h.lab.t.Helper()
	h.space.sysctl("ipv6/conf/all/disable_ipv6", "1")
	h.Addr = address.Addr()
	script := fmt.Sprintf("addr add %s dev %s\n", address, h.device)
	if router.IsValid() {
		script += fmt.Sprintf("route add default via %s dev %s\n", router, h.device)
	}
	if _, err := h.space.pipe(script, "ip", "-4", "-batch", "-"); err != nil {
		h.lab.t.Fatal(err)
	}
}

// Addresses are all addresses of the host except loopback.
func (h *Host) Addresses() []netip.Addr {
	h.lab.t.Helper()
	var found []netip.Addr
	err := h.space.in(func() error {
		all, err := net.InterfaceAddrs()
		for _, a := range all {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil {
				return err
			}
			if !prefix.Addr().IsLoopback() || prefix.Addr().Is4() {
				found = append(found, prefix.Addr())
			}
		}
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: listing addresses: %v", h.Name, err)
	}
	return found
}

// Dial connects from the host, by "tcp6" or "udp6" to a literal address.
func (h *Host) Dial(ctx context.Context, network, to string) (conn net.Conn, err error) {
	err = h.space.in(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, to)
		return err
	})
	return conn, err
}

// DialFrom is Dial over TCP from one of the addresses of the host.
func (h *Host) DialFrom(ctx context.Context, from netip.Addr, to string) (conn net.Conn, err error) {
	err = h.space.in(func() (err error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
		conn, err = d.DialContext(ctx, "tcp6", to)
		return err
	})
	return conn, err
}

// Dial6 is Dial for an http.Transport: it never takes IPv4.
func (h *Host) Dial6(ctx context.Context, _, to string) (net.Conn, error) {
	return h.Dial(ctx, "tcp6", to)
}

// Listen listens on the host until the test ends.
func (h *Host) Listen(port int) net.Listener {
	h.lab.t.Helper()
	var l net.Listener
	err := h.space.in(func() (err error) {
		l, err = net.Listen("tcp6", fmt.Sprintf("[::]:%d", port))
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: %v", h.Name, err)
	}
	h.lab.t.Cleanup(func() { l.Close() })
	return l
}

// ListenPacket opens a UDP port on the host until the test ends.
func (h *Host) ListenPacket(port int) *net.UDPConn {
	h.lab.t.Helper()
	var c *net.UDPConn
	err := h.space.in(func() (err error) {
		c, err = net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6unspecified, Port: port})
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: %v", h.Name, err)
	}
	h.lab.t.Cleanup(func() { c.Close() })
	return c
}

// Serve answers HTTP on the host until the test ends, and returns the URL of
// the root, without a slash at the end.
func (h *Host) Serve(handler http.Handler) string {
	h.lab.t.Helper()
	l := h.Listen(0)
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	h.lab.t.Cleanup(func() {
		server.Close()
		<-done
	})
	return "http://" + netip.AddrPortFrom(h.Addr, Port(l.Addr())).String()
}

// Port is the port of a TCP or UDP address.
func Port(a net.Addr) uint16 {
	s := a.String()
	return netip.MustParseAddrPort("[::]" + s[strings.LastIndexByte(s, ':'):]).Port()
}

// end kills what still runs on the host.
func (h *Host) end() {
	for _, p := range h.procs {
		p.Kill()
	}
}
