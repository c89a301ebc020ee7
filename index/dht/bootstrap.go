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

// bootstrap gives the core the addresses of the bootstrap hosts when it wants
// contacts. The core decides when and how often.
func (n *Node) bootstrap(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wantContacts:
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
		n.log.Warn("the port of a bootstrap host is not a number", "host", host)
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
