package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Scope tells how far an address carries (RFC 4291, RFC 4193).
type Scope string

// The scopes, widest first.
const (
	Global    Scope = "global"
	ULA       Scope = "ula"
	LinkLocal Scope = "link-local"
	Loopback  Scope = "loopback"
)

// Kind tells how long an address is meant to stay.
type Kind string

// The kinds. An address is deprecated when it still receives but should start
// nothing new (RFC 4862), temporary when the host made it for privacy and will
// replace it (RFC 8981), tentative while duplicates are looked for, and unknown
// where the system does not tell.
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
	// Routed tells that the way out goes by Interface, or that the system does
	// not say.
	Routed bool
	// Preferred and Valid are what was left of the lifetimes when the address
	// was read; negative means for ever or not known.
	Preferred, Valid time.Duration
}

var globalUnicast = netip.MustParsePrefix("2000::/3")

// ScopeOf classifies ip; ok is false for addresses that are nobody's: IPv4 in
// any dress, multicast, unspecified, and ranges not yet given out.
func ScopeOf(ip netip.Addr) (s Scope, ok bool) {
	switch {
	case !ip.Is6() || ip.Is4In6() || ip.IsMulticast() || ip.IsUnspecified():
		return "", false
	case ip.IsLoopback():
		return Loopback, true
	case ip.IsLinkLocalUnicast():
		return LinkLocal, true
	case ip.IsPrivate():
		return ULA, true
	case globalUnicast.Contains(ip):
		return Global, true
	}
	return "", false
}

// Policy narrows which addresses are told to others. The zero Policy allows
// every interface and prefix.
type Policy struct {
	Interface string       // only this one, by name
	Prefix    netip.Prefix // only addresses within
}

func (p Policy) allows(a Address) bool {
	return (p.Interface == "" || p.Interface == a.Interface) &&
		(!p.Prefix.IsValid() || p.Prefix.Contains(a.IP.WithZone("")))
}

// rank orders the kinds by how good an address is for being called at.
var rank = map[Kind]int{Stable: 0, Unknown: 1, Temporary: 2}

// Published picks the addresses that links carry and announcements use, best
// first: the global ones that stay; temporary ones only where a host has no
// other; local (ULA) ones only where there is no global one, and loopback
// only where there is nothing else. Never link-local ones, and never those
// that are going or not yet sure.
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
			// What another interface has may have no way out at all.
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

// Dialling picks the address that new connections leave from, or the zero Addr
// for the system's own choice (RFC 6724), which prefers temporary addresses
// where the user enabled them.
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
