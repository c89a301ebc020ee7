package node

import (
	"net/netip"
	"slices"

	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/share/reach/nat"
)

// addresses are where this node can be reached: what it listens at, on the addresses of
// its host.
type addresses struct {
	ports *ports
	host  *reach.Watcher
	ipv4  *nat.Mapper // nil where IPv4 is off
}

// own returns the addresses of this node, best first: those that it was told to listen
// at, else those of the host.
func (a *addresses) own() []netip.AddrPort {
	var out []netip.AddrPort
	for _, l := range a.ports.addresses() {
		switch {
		case l.Addr().Unmap().Is4() && !l.Addr().Unmap().IsLoopback() && a.ipv4 != nil:
			out = append(out, a.ipv4.Addresses()...)
		case !l.Addr().IsUnspecified():
			out = append(out, l)
		case l.Addr().Is6():
			for _, h := range a.host.Published() {
				out = append(out, netip.AddrPortFrom(h.IP.WithZone(""), l.Port()))
			}
		}
	}
	return slices.Compact(out)
}

// ownIPs is own without ports.
func (a *addresses) ownIPs() []netip.Addr {
	var out []netip.Addr
	for _, o := range a.own() {
		out = append(out, o.Addr())
	}
	return out
}

// ofHost returns every address of the host.
func (a *addresses) ofHost() (out []netip.Addr) {
	for _, h := range a.host.Addresses() {
		out = append(out, h.IP)
	}
	return out
}

// endpoints returns the addresses of this host that the node listens at, published or
// not. udp is the port of the DHT, 0 where it is off.
func (a *addresses) endpoints(udp uint16) (out []reach.Endpoint) {
	all, published := a.host.Addresses(), a.own()
	for _, l := range a.ports.addresses() {
		if !l.Addr().Is6() || l.Addr().Is4In6() {
			continue
		}
		for _, h := range all {
			if !l.Addr().IsUnspecified() && l.Addr() != h.IP {
				continue
			}
			at := netip.AddrPortFrom(h.IP.WithZone(""), l.Port())
			out = append(out, reach.Endpoint{Address: h, Port: l.Port(), Published: slices.Contains(published, at), UDP: udp})
		}
	}
	return out
}

// ipv4Second puts the IPv4 addresses after the first of IPv6: links carry only a few.
func ipv4Second(all []netip.AddrPort) []netip.AddrPort {
	var first, four, rest []netip.AddrPort
	for _, a := range all {
		switch {
		case a.Addr().Unmap().Is4():
			four = append(four, a)
		case first == nil:
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	return slices.Concat(first, four, rest)
}

// forLinks leaves out loopback addresses, which would lead the reader of a link to their
// own host, unless the node listens at no other address.
func forLinks(listen, own []netip.AddrPort) []netip.AddrPort {
	loopback := func(a netip.AddrPort) bool { return a.Addr().Unmap().IsLoopback() }
	for _, l := range listen {
		if !loopback(l) {
			return slices.DeleteFunc(own, loopback)
		}
	}
	return own
}
