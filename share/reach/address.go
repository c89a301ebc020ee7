package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Scope is the scope of an address (RFC 4291, RFC 4193).
type Scope string

// The scopes, widest first.
const (
	Global    Scope = "global"
	ULA       Scope = "ula"
	LinkLocal Scope = "link-local"
	Loopback  Scope = "loopback"
)

// Kind says how long an address is expected to last.
type Kind string

// The kinds. An address is deprecated if it still receives but should not start
// connections (RFC 4862), temporary if the host generated it for privacy and will
// replace it (RFC 8981), tentative during duplicate detection, and unknown if the
// system does not report its kind.
const (
	Stable     Kind = "stable"
	Temporary  Kind = "temporary"
	Deprecated Kind = "deprecated"
	Tentative  Kind = "tentative"
	Unknown    Kind = "unknown"
)

// Address is one IPv6 address of this host.
type Address struct {
	IP        netip.Addr // with its zone when link-local
	Scope     Scope
	Kind      Kind
	Interface string
	// Routed says that the default route uses Interface, or that the system does
	// not report routes.
	Routed bool
	// Router is the default router of Interface; the zero Addr if there is none or the
	// system does not report it.
	Router netip.Addr
	// Preferred and Valid are the remaining lifetimes when the address was read;
	// negative means infinite or unknown.
	Preferred, Valid time.Duration
}

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	yggdrasil     = netip.MustParsePrefix("200::/7") // a mesh that uses a range of nobody else
)

// ScopeOf classifies ip; ok is false for addresses that no IPv6 host has: IPv4 in
// any form, multicast, unspecified, and unassigned ranges.
func ScopeOf(ip netip.Addr) (s Scope, ok bool) {
	switch {
	case !ip.Is6() || ip.Is4In6() || ip.IsMulticast() || ip.IsUnspecified():
		return "", false
	case ip.IsLoopback():
		return Loopback, true
	case ip.IsLinkLocalUnicast():
		return LinkLocal, true
	case ip.IsPrivate(), yggdrasil.Contains(ip):
		return ULA, true
	case globalUnicast.Contains(ip):
		return Global, true
	}
	return "", false
}

// Policy restricts the addresses that are published. The zero Policy allows every
// interface and prefix.
type Policy struct {
	Interface string       // only this one, by name
	Prefix    netip.Prefix // only addresses within
}

// Allows reports whether an address of an interface may be published.
func (p Policy) Allows(ip netip.Addr, iface string) bool {
	return p.allows(Address{IP: ip, Interface: iface})
}

func (p Policy) allows(a Address) bool {
	return (p.Interface == "" || p.Interface == a.Interface) &&
		(!p.Prefix.IsValid() || p.Prefix.Contains(a.IP.WithZone("")))
}

// rank orders the kinds by how well an address suits incoming connections.
var rank = map[Kind]int{Stable: 0, Unknown: 1, Temporary: 2}

// Published selects the addresses for links and announces, best first: stable
// global ones; temporary ones only if the host has no others; local (ULA) ones only
// if there is no global one; loopback only if there is nothing else. It never
// selects link-local, deprecated or tentative addresses.
func (p Policy) Published(all []Address) []Address {
	for _, scope := range []Scope{Global, ULA, Loopback} {
		var fit []Address
		best := Temporary
		for _, a := range all {
			if _, usable := rank[a.Kind]; !usable || a.Scope != scope || !p.allows(a) {
				continue
			}
			fit = append(fit, a)
			if rank[a.Kind] < rank[best] {
				best = a.Kind
			}
		}
		fit = slices.DeleteFunc(fit, func(a Address) bool { return a.Kind == Temporary && best != Temporary })
		if len(fit) == 0 {
			continue
		}
		slices.SortFunc(fit, func(a, b Address) int {
			// An address of another interface may have no route to the Internet.
			return cmp.Or(routes(a)-routes(b), cmp.Compare(rank[a.Kind], rank[b.Kind]), a.IP.Compare(b.IP))
		})
		return fit
	}
	return nil
}

func routes(a Address) int {
	if a.Routed {
		return 0
	}
	return 1
}

// Dialling selects the source address of new connections, or returns the zero Addr
// for the system's choice (RFC 6724), which prefers temporary addresses if the user
// has enabled them.
func (p Policy) Dialling(all []Address) netip.Addr {
	if p == (Policy{}) {
		return netip.Addr{}
	}
	for _, want := range []Kind{Temporary, Stable, Unknown} {
		for _, a := range all {
			if a.Scope == Global && a.Kind == want && p.allows(a) {
				return a.IP
			}
		}
	}
	return netip.Addr{}
}
