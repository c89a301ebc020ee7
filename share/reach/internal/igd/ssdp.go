// Package igd keeps to itself how a router is asked by UPnP for pinholes in its
// IPv6 firewall, and for ports of its IPv4 address: it finds the router by SSDP on the
// link, reads its description, and calls the service WANIPv6FirewallControl:1 of an
// Internet Gateway Device:2, or WANIPConnection and WANPPPConnection.
//
// Any host on the link can claim to be a router, so its answers are not trusted:
// answers from beyond the link are ignored, only the address that answered is
// contacted, no redirect is followed, and the size of its answers is bounded.
package igd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

const (
	// Service is the service to find for pinholes.
	Service = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
	// Gateway is the device to find for ports of an IPv4 address.
	Gateway = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"

	group      = "ff02::c"
	group4     = "239.255.255.250"
	searchPort = 1900
	searchTime = 3 * time.Second
	maxReplies = 16
	maxReply   = 2048
)

// Device is a router as it describes itself by SSDP.
type Device struct {
	Addr     netip.AddrPort // to contact; with a zone if link-local
	Location *url.URL
}

var errReply = errors.New("not an answer to a search")

// inquiry is whom a search looks for.
type inquiry struct {
	target string
	group  string
	zone   string
	near   func(netip.Addr) bool // who may answer, and be named
}

// parse reads an answer of from.
func (q *inquiry) parse(b []byte, from netip.Addr) (Device, error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return Device{}, fmt.Errorf("%w: %w", errReply, err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("St") != q.target {
		return Device{}, errReply
	}
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || u.Scheme != "http" || u.User != nil {
		return Device{}, fmt.Errorf("%w: no location", errReply)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(stripZone(u.Hostname()), port))
	if err != nil || at.Port() == 0 {
		return Device{}, fmt.Errorf("%w: the location is not an address", errReply)
	}
	if !q.near(from) || !q.near(at.Addr()) {
		return Device{}, fmt.Errorf("%w: %s names %s, which is not on the link", errReply, from, at)
	}
	if at.Addr().IsLinkLocalUnicast() {
		at = netip.AddrPortFrom(at.Addr().WithZone(q.zone), at.Port())
	}
	return Device{at, u}, nil
}

func stripZone(host string) string {
	host, _, _ = strings.Cut(host, "%")
	return host
}

// onLink reports whether a is a neighbour of local.
func onLink(a, local netip.Addr) bool {
	link, err := local.WithZone("").Prefix(64)
	return a.Is6() && !a.Is4In6() && (a.IsLinkLocalUnicast() || err == nil && link.Contains(a.WithZone("")))
}

// Search looks for routers on the link of an interface, from one of its
// addresses.
func Search(ctx context.Context, local netip.Addr, iface string) ([]Device, error) {
	conn, err := net.ListenPacket("udp6", netip.AddrPortFrom(local.WithZone(""), 0).String())
	if err != nil {
		return nil, share.Wrapf("opening a port for SSDP: %w", err)
	}
	defer conn.Close()
	to := &net.UDPAddr{IP: net.ParseIP(group), Port: searchPort, Zone: iface}
	return pinholes(local, iface).search(ctx, conn, to)
}

func pinholes(local netip.Addr, iface string) *inquiry {
	return &inquiry{
		target: Service, group: "[" + strings.ToUpper(group) + "]", zone: iface,
		near: func(a netip.Addr) bool { return onLink(a, local) },
	}
}

// Search4 looks for the router at an IPv4 address, from an address of this host. If it is
// not known who the router is, any neighbour may claim to be one.
func Search4(ctx context.Context, local, router netip.Addr) ([]Device, error) {
	conn, err := net.ListenPacket("udp4", netip.AddrPortFrom(local, 0).String())
	if err != nil {
		return nil, share.Wrapf("opening a port for SSDP: %w", err)
	}
	defer conn.Close()
	return ports(router).search(ctx, conn, &net.UDPAddr{IP: net.ParseIP(group4), Port: searchPort})
}

func ports(router netip.Addr) *inquiry {
	return &inquiry{target: Gateway, group: group4, near: func(a netip.Addr) bool {
		return a == router || !router.IsValid() && a.Is4() && a.IsPrivate()
	}}
}

func (q *inquiry) request() []byte {
	return []byte("M-SEARCH * HTTP/1.1\r\nHOST: " + q.group + ":1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: " + q.target + "\r\n\r\n")
}

// search sends the query, once more after a second, and collects the answers. It
// ends soon after the first one.
func (q *inquiry) search(ctx context.Context, conn net.PacketConn, to net.Addr) ([]Device, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if _, err := conn.WriteTo(q.request(), to); err != nil {
		return nil, share.Wrapf("looking for a router: %w", err)
	}
	again := time.AfterFunc(time.Second, func() { _, _ = conn.WriteTo(q.request(), to) })
	defer again.Stop()
	var found []Device
	buf := make([]byte, maxReply)
	for range maxReplies {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			break
		}
		u, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		d, err := q.parse(buf[:n], u.AddrPort().Addr().Unmap())
		if err != nil {
			continue
		}
		known := false
		for _, f := range found {
			known = known || f.Addr == d.Addr
		}
		if !known {
			found = append(found, d)
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if ctx.Err() != nil {
				break
			}
		}
	}
	if len(found) == 0 {
		return nil, share.Wrapf("no router on this network answers")
	}
	return found, nil
}
