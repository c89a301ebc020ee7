package engine

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"
)

const (
	resolveTime = 20 * time.Second
	maxResolves = 16 // at once
)

// resolver looks up host names among the peers that links name, for a few transfers
// at once. The loop owns it, but not what begin returns.
type resolver struct {
	find    func(ctx context.Context, host string) ([]netip.Addr, error)
	running int
}

func newResolver(ipv4 bool) *resolver {
	family := "ip6"
	if ipv4 {
		family = "ip"
	}
	return &resolver{find: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, family, host)
	}}
}

// begin returns what looks names up, or nil when too many are being looked up or
// there are none. It is followed by end.
func (r *resolver) begin(names []string) func(context.Context) ([]netip.AddrPort, error) {
	if len(names) == 0 || r.running >= maxResolves {
		return nil
	}
	r.running++
	return func(ctx context.Context) ([]netip.AddrPort, error) {
		ctx, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		return lookUp(ctx, names, r.find)
	}
}

func (r *resolver) end() { r.running-- }

// splitPeers separates addresses from names among the peers that a link names.
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

// lookUp finds the addresses of names with ports, and leaves out what is neither.
// The error is the last one.
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
