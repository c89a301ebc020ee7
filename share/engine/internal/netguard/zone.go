package netguard

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// A zone may be a name or a number, so one link-local peer would have two addresses. In
// the swarm it has one, with the interface index embedded as BSD kernels store it:
// fe80::1%3 becomes fe80:3::1, which is unique on this host. It is converted back for
// dialling.

// EmbedZone embeds the zone of a link-local address in the address. Other addresses
// are returned unchanged, without a zone.
func EmbedZone(ap netip.AddrPort) (netip.AddrPort, error) {
	addr := ap.Addr()
	zone := addr.Zone()
	addr = addr.WithZone("")
	if zone == "" || !addr.IsLinkLocalUnicast() {
		return netip.AddrPortFrom(addr, ap.Port()), nil
	}
	index, err := strconv.Atoi(zone)
	if err != nil {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("finding the interface of %s: %w", ap, err)
		}
		index = ifi.Index
	}
	if index <= 0 || index > 0xffff {
		return netip.AddrPort{}, fmt.Errorf("the interface of %s has the number %d", ap, index)
	}
	b := addr.As16()
	binary.BigEndian.PutUint16(b[2:], uint16(index))
	return netip.AddrPortFrom(netip.AddrFrom16(b), ap.Port()), nil
}

// RestoreZone reverses EmbedZone. The zone is the index of the interface, as text.
// Other addresses are returned unchanged.
func RestoreZone(ap netip.AddrPort) netip.AddrPort {
	addr := ap.Addr()
	if addr.Zone() != "" || !addr.Is6() || !addr.IsLinkLocalUnicast() {
		return ap
	}
	b := addr.As16()
	index := binary.BigEndian.Uint16(b[2:])
	if index == 0 {
		return ap
	}
	b[2], b[3] = 0, 0
	return netip.AddrPortFrom(netip.AddrFrom16(b).WithZone(strconv.Itoa(int(index))), ap.Port())
}
