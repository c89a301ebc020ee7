package reach

import (
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/shoalnet/shoal/share"
)

// ListGateways reads the routers of the default routes of IPv6.
func ListGateways() ([]Gateway, error) { return listGateways(netlink.FAMILY_V6) }

// ListGateways4 reads the routers of the default routes of IPv4.
func ListGateways4() ([]Gateway, error) { return listGateways(netlink.FAMILY_V4) }

func listGateways(family int) ([]Gateway, error) {
	routes, err := netlink.RouteList(nil, family)
	if err != nil {
		return nil, share.Wrapf("reading the routes: %w", err)
	}
	var out []Gateway
	add := func(ip []byte, index int) {
		a, ok := netip.AddrFromSlice(ip)
		link, err := netlink.LinkByIndex(index)
		if !ok || err != nil {
			return
		}
		name := link.Attrs().Name
		if a.IsLinkLocalUnicast() {
			a = a.WithZone(name)
		}
		out = append(out, Gateway{a.Unmap(), name})
	}
	for _, r := range routes {
		if r.Dst != nil && (len(r.Dst.IP) == 0 || !r.Dst.IP.IsUnspecified()) {
			continue
		}
		if r.Dst != nil {
			if ones, _ := r.Dst.Mask.Size(); ones != 0 {
				continue
			}
		}
		if r.Gw != nil {
			add(r.Gw, r.LinkIndex)
		}
		for _, hop := range r.MultiPath {
			if hop.Gw != nil {
				add(hop.Gw, hop.LinkIndex)
			}
		}
	}
	return out, nil
}
