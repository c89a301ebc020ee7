//go:build !linux

package reach

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// ListAddresses reads the IPv6 addresses of the interfaces that are up.
func ListAddresses() ([]Address, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("reading the network interfaces: %w", err)
	}
	kinds, err := newKinds()
	if err != nil {
		return nil, err
	}
	defer kinds.close()
	var all []Address
	for _, i := range ifaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("reading the addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			ip := p.Addr().WithZone("")
			scope, ok := ScopeOf(ip)
			if !ok {
				continue
			}
			if scope == LinkLocal {
				ip = ip.WithZone(i.Name)
			}
			all = append(all, Address{IP: ip, Scope: scope, Kind: kinds.of(i.Name, ip), Interface: i.Name, Routed: true, Preferred: -1, Valid: -1})
		}
	}
	return all, nil
}

// signals is not supported here: the Watcher only polls.
func signals(context.Context) <-chan struct{} { return nil }
