// Package netguard keeps to itself to which untrusted addresses this node may
// connect, and whom it tells of an address. Trackers, web seeds, peer exchange and redirects all name addresses;
// without a check any of them could direct us to the router's admin page or to a
// service that trusts the local network.
//
// The check applies to the address of each connection after name resolution, so a
// name that resolves differently the second time gains nothing. Each redirect dials
// and is therefore checked again.
package netguard

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Policy says which addresses may be connected to. The zero Policy allows
// globally reachable IPv6 only.
type Policy struct {
	// AllowPrivate also allows loopback, link-local and private addresses.
	AllowPrivate bool
	// IPv4 also allows IPv4.
	IPv4 bool
	// NoIPv6 allows only IPv4, for callers that act once per address family.
	NoIPv6 bool
	// Site also allows the addresses of private IPv6 networks: unique local ones
	// (RFC 4193), and those of Yggdrasil.
	Site bool
	// Loopback also allows ::1.
	Loopback bool
	// Home also allows the unique local addresses of these networks.
	Home []netip.Prefix
}

// Among returns the policy for what hosts told that are themselves on the private network
// of this node: where all IPv6 addresses of this node, own, are private, it allows such,
// and where all are ::1, it allows that. Where there are global ones, too, it allows the
// unique local addresses of the same site, the /48 of one of local, the addresses of this
// host. A caller makes sure that the ones who told have such addresses: a stranger must
// never have us call into our own network.
func (p Policy) Among(own []netip.AddrPort, local []netip.Addr) Policy {
	for _, a := range local {
		if home, err := a.WithZone("").Prefix(siteBits); err == nil && a.Is6() && a.IsPrivate() && !slices.Contains(p.Home, home) {
			p.Home = append(slices.Clip(p.Home), home)
		}
	}
	q := p
	q.Site, q.Loopback = false, len(own) > 0
	for _, a := range own {
		switch ip := a.Addr().Unmap(); {
		case ip.Is4():
			q.Loopback = false
		case site(ip):
			q.Site, q.Loopback = true, false
		case !ip.IsLoopback():
			return p
		}
	}
	return q
}

// Neighbours reports whether a and b are both on a private network, or both this host.
func Neighbours(a, b netip.Addr) bool {
	return site(a) && site(b) || a == netip.IPv6Loopback() && b == a
}

// MayTell reports whether a peer at to may be told of the address about. Whoever is not on a
// private network can do nothing with an address of it, and learns how it is built: such an
// address is told only to those who have one of the same kind. A link-local one is told to
// nobody, as it means nothing without its zone.
func MayTell(about, to netip.Addr) bool {
	about, to = reached(about), reached(to)
	if !about.IsValid() || about.IsLinkLocalUnicast() {
		return false
	}
	for _, r := range refused {
		if r.prefix.Contains(about) {
			return r.private && r.prefix.Contains(to)
		}
	}
	return about.Is4() || global6.Contains(about)
}

// reached is the address that packets for addr get to.
func reached(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if v4, ok := embedded(addr); ok {
		return v4
	}
	return addr
}

// siteBits is the part of a unique local address that a site draws at random (RFC 4193).
const siteBits = 48

func site(a netip.Addr) bool { return a.Is6() && a.IsPrivate() || yggdrasil.Contains(a) }

type prefixRule struct {
	prefix netip.Prefix
	why    string
	// private addresses are allowed with AllowPrivate, others never.
	private bool
}

func rules(private bool, why string, prefixes ...string) []prefixRule {
	var out []prefixRule
	for _, p := range prefixes {
		out = append(out, prefixRule{netip.MustParsePrefix(p), why, private})
	}
	return out
}

// yggdrasil is what the Yggdrasil mesh uses of a range that nobody else does (RFC 4048).
var yggdrasil = netip.MustParsePrefix("200::/7")

// From the IANA special-purpose address registries (RFC 6890). The documentation
// prefixes of IPv6 are not listed on purpose: they are not routed, and test networks
// use them as global addresses.
var refused = concat(
	rules(true, "loopback", "127.0.0.0/8", "::1/128"),
	rules(true, "link-local", "169.254.0.0/16", "fe80::/10"),
	rules(true, "private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10", yggdrasil.String()),
	rules(true, "a translation prefix for local use", "64:ff9b:1::/48"),
	rules(true, "reserved for tests", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"),
	rules(false, "unspecified", "0.0.0.0/8", "::/128"),
	rules(false, "multicast or reserved", "224.0.0.0/3", "ff00::/8", "192.0.0.0/24", "192.88.99.0/24"),
	rules(false, "a discard prefix", "100::/64"),
)

var (
	global6   = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
	teredo    = netip.MustParsePrefix("2001::/32")
)

func concat(lists ...[]prefixRule) []prefixRule {
	var out []prefixRule
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Check returns an error of kind share.Refused if connecting to addr is not allowed.
func (p Policy) Check(addr netip.Addr) error {
	why := p.reason(addr)
	if why == "" {
		return nil
	}
	return share.Errorf(share.Refused, "address %s is not allowed: %s", addr, why)
}

func (p Policy) reason(addr netip.Addr) string {
	if !addr.IsValid() {
		return "not an address"
	}
	// An IPv4-mapped IPv6 address reaches the IPv4 address.
	plain := addr.Unmap().WithZone("")
	if plain.Is4() && !p.IPv4 {
		return "IPv4 is off"
	}
	if !plain.Is4() && p.NoIPv6 {
		return "IPv6 is off"
	}
	within := func(home netip.Prefix) bool { return home.Contains(plain) }
	if p.Site && site(plain) || slices.ContainsFunc(p.Home, within) || p.Loopback && plain == netip.IPv6Loopback() {
		return ""
	}
	for _, r := range refused {
		if r.prefix.Contains(plain) && (!r.private || !p.AllowPrivate) {
			return r.why
		}
	}
	if plain.Is4() {
		return ""
	}
	if v4, ok := embedded(plain); ok {
		// A translator forwards the packet to the embedded address, so that one is
		// checked, even if IPv4 is off.
		if why := (Policy{AllowPrivate: p.AllowPrivate, IPv4: true}).reason(v4); why != "" {
			return "it leads to " + v4.String() + ", " + why
		}
		return ""
	}
	if global6.Contains(plain) || p.AllowPrivate && isPrivate(plain) {
		return ""
	}
	return "not globally reachable"
}

func isPrivate(addr netip.Addr) bool {
	for _, r := range refused {
		if r.private && r.prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 address to which a translator or tunnel forwards packets
// for addr: NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(addr):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	return netip.Addr{}, false
}

// CheckPeer is Check for an address with a port, and also refuses port 0.
func (p Policy) CheckPeer(ap netip.AddrPort) error {
	if ap.Port() == 0 {
		return share.Errorf(share.Refused, "address %s is not allowed: port 0", ap)
	}
	return p.Check(ap.Addr())
}

// Control is for net.Dialer.ControlContext: it checks the connection just before it
// is made, when the address is final.
func (p Policy) Control(_ context.Context, network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return share.Errorf(share.Refused, "checking the address %s %s: %w", network, address, err)
	}
	return p.Check(ap.Addr())
}

// Dialer returns a dialer that connects only to allowed addresses.
func (p Policy) Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, ControlContext: p.Control}
}

// Network restricts "tcp" or "udp" to the allowed address family, so that names are
// not resolved to addresses that would be refused anyway.
func (p Policy) Network(network string) string {
	if network != "tcp" && network != "udp" {
		return network
	}
	switch {
	case !p.IPv4:
		return network + "6"
	case p.NoIPv6:
		return network + "4"
	}
	return network
}

// DialContext is the dial function of Dialer(10 s), narrowed by Network.
func (p Policy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := p.Dialer(dialTimeout).DialContext(ctx, p.Network(network), address)
	if err != nil {
		return nil, share.Wrapf("connecting to %s: %w", address, err)
	}
	return c, nil
}

const dialTimeout = 10 * time.Second
