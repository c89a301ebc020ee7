package dht

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	resolveWait = 10 * time.Second
	resolvers   = 4
	// hostAddresses bounds how many addresses of one host are asked.
	hostAddresses = 4
)

// feed gives the core contacts when it is hungry. When it is, and how often, is
// the core's affair.
func (n *Node) feed(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.hungry:
		}
		var g errgroup.Group
		g.SetLimit(resolvers)
		for _, host := range n.cfg.Bootstrap {
			g.Go(func() error {
				for _, addr := range n.resolve(ctx, host) {
					n.AddNode(addr)
				}
				return nil
			})
		}
		g.Wait()
	}
}

func (n *Node) resolve(ctx context.Context, host string) []netip.AddrPort {
	name, service, err := net.SplitHostPort(host)
	if err != nil {
		return nil // New has checked it
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		n.log.Warn("a bootstrap host's port is no number", "host", host)
		return nil
	}
	addrs := make([]netip.Addr, 1)
	if addrs[0], err = netip.ParseAddr(name); err != nil {
		ctx, cancel := context.WithTimeout(ctx, resolveWait)
		defer cancel()
		if addrs, err = n.cfg.Resolve(ctx, name); err != nil {
			n.log.Debug("bootstrap host not found", "host", host, "error", err)
			return nil
		}
	}
	var out []netip.AddrPort
	for _, a := range addrs {
		if a.Is6() && !a.Is4In6() && len(out) < hostAddresses {
			out = append(out, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	return out
}
