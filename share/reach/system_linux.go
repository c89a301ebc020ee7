package reach

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ListAddresses reads the IPv6 addresses of the interfaces that are up.
func ListAddresses() ([]Address, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("reading the network interfaces: %w", err)
	}
	up := make(map[int]string)
	for _, l := range links {
		if a := l.Attrs(); a.Flags&net.FlagUp != 0 {
			up[a.Index] = a.Name
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V6)
	if err != nil {
		return nil, fmt.Errorf("reading the IPv6 addresses: %w", err)
	}
	gateways, err := ListGateways()
	if err != nil {
		return nil, err
	}
	var all []Address
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		name, isUp := up[a.LinkIndex]
		if !ok || !isUp {
			continue
		}
		scope, ok := ScopeOf(ip)
		if !ok {
			continue
		}
		if scope == LinkLocal {
			ip = ip.WithZone(name)
		}
		router := routerOf(gateways, name)
		all = append(all, Address{
			IP: ip, Scope: scope, Kind: kindOf(a.Flags), Interface: name, Routed: router.IsValid(), Router: router,
			Preferred: lifetime(a.PreferedLft), Valid: lifetime(a.ValidLft),
		})
	}
	return all, nil
}

// routerOf is the router of an interface. Of several it is always the same one.
func routerOf(all []Gateway, name string) (router netip.Addr) {
	for _, g := range all {
		if g.Interface == name && (!router.IsValid() || g.Addr.Less(router)) {
			router = g.Addr
		}
	}
	return router
}

// kindOf checks the flags in the order of their weight.
func kindOf(flags int) Kind {
	switch {
	case flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && flags&unix.IFA_F_OPTIMISTIC == 0:
		return Tentative
	case flags&unix.IFA_F_DEPRECATED != 0:
		return Deprecated
	case flags&unix.IFA_F_TEMPORARY != 0:
		return Temporary
	}
	return Stable
}

// lifetime converts seconds; all bits set means infinite.
func lifetime(seconds int) time.Duration {
	if seconds < 0 || seconds >= math.MaxInt32 {
		return -1
	}
	return time.Duration(seconds) * time.Second
}

// signals reports address and link changes by netlink. If the kernel refuses the
// subscription, the Watcher only polls.
func signals(ctx context.Context) <-chan struct{} {
	addrs := make(chan netlink.AddrUpdate, 16)
	links := make(chan netlink.LinkUpdate, 16)
	ignore := func(error) {}
	if netlink.AddrSubscribeWithOptions(addrs, ctx.Done(), netlink.AddrSubscribeOptions{ErrorCallback: ignore}) != nil {
		return nil
	}
	if netlink.LinkSubscribeWithOptions(links, ctx.Done(), netlink.LinkSubscribeOptions{ErrorCallback: ignore}) != nil {
		links = nil
	}
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		for addrs != nil || links != nil {
			select {
			case _, ok := <-addrs:
				if !ok {
					addrs = nil
					continue
				}
			case _, ok := <-links:
				if !ok {
					links = nil
					continue
				}
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out
}
