package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// kinds are the kinds of the addresses of this host.
type kinds map[netip.Addr]Kind

func newKinds() (kinds, error) {
	const flags = windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST | windows.GAA_FLAG_SKIP_DNS_SERVER | windows.GAA_FLAG_SKIP_FRIENDLY_NAME
	for size := uint32(16 << 10); ; { // grows to what the system wants
		b := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&b[0]))
		err := windows.GetAdaptersAddresses(windows.AF_INET6, flags, 0, first, &size)
		switch {
		case errors.Is(err, windows.ERROR_BUFFER_OVERFLOW) && size > uint32(len(b)):
			continue
		case errors.Is(err, windows.ERROR_NO_DATA):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("reading the kinds of the IPv6 addresses: %w", err)
		}
		all := kinds{}
		for adapter := first; adapter != nil; adapter = adapter.Next {
			for a := adapter.FirstUnicastAddress; a != nil; a = a.Next {
				if ip, ok := netip.AddrFromSlice(a.Address.IP()); ok {
					all[ip] = kindOf(a)
				}
			}
		}
		return all, nil
	}
}

func (kinds) close() {}

// of is the kind of an address; Unknown if the system did not tell.
func (k kinds) of(_ string, ip netip.Addr) Kind {
	if kind, ok := k[ip.WithZone("")]; ok {
		return kind
	}
	return Unknown
}

// kindOf checks what Windows says in the order of its weight. Only the suffix of a temporary
// address is told as random.
func kindOf(a *windows.IpAdapterUnicastAddress) Kind {
	switch {
	case a.DadState == windows.IpDadStateDeprecated || a.DadState == windows.IpDadStatePreferred && a.PreferredLifetime == 0:
		return Deprecated
	case a.DadState != windows.IpDadStatePreferred:
		return Tentative
	case a.PrefixOrigin == windows.IpPrefixOriginRouterAdvertisement && a.SuffixOrigin == windows.IpSuffixOriginRandom:
		return Temporary
	}
	return Stable
}
