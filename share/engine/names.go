package engine

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// splitPeers tells the addresses among the peers that a link names from the names.
func splitPeers(peers []string) (known []netip.AddrPort, names []string) {
	for _, p := range peers {
		if ap, err := netip.ParseAddrPort(p); err == nil {
			known = append(known, ap)
		} else {
			names = append(names, p)
		}
	}
	return known, names
}

// lookUp finds the addresses of names with their ports. The error is the last one;
// what is no name with a port is left out.
func lookUp(ctx context.Context, names []string, find func(context.Context, string) ([]netip.Addr, error)) (addrs []netip.AddrPort, failed error) {
	for _, name := range names {
		host, port, err := net.SplitHostPort(name)
		if err != nil {
			continue
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			continue
		}
		ips, err := find(ctx, host)
		if err != nil {
			failed = err
		}
		for _, ip := range ips {
			addrs = append(addrs, netip.AddrPortFrom(ip, uint16(n)))
		}
	}
	return addrs, failed
}
