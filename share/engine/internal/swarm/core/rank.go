package core

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ranking is the canonical order of peers (BEP 40): the same seen from both ends,
// so that all agree whom to keep.
type ranking struct {
	self []netip.Addr // our addresses
	port uint16
}

// rank is the place of a peer in that order.
func (o *ranking) rank(a netip.AddrPort) uint32 {
	addr := a.Addr().Unmap()
	for _, self := range o.self {
		if self.Unmap().Is4() == addr.Is4() {
			return Priority(self, o.port, a)
		}
	}
	return Priority(netip.IPv6Unspecified(), o.port, a)
}

// Priority is the canonical priority of two peers (BEP 40).
func Priority(self netip.Addr, port uint16, peer netip.AddrPort) uint32 {
	a, b := self.Unmap().AsSlice(), peer.Addr().Unmap().AsSlice()
	if bytes.Equal(a, b) {
		var p [4]byte
		binary.BigEndian.PutUint16(p[:], min(port, peer.Port()))
		binary.BigEndian.PutUint16(p[2:], max(port, peer.Port()))
		return crc32.Checksum(p[:], castagnoli)
	}
	// What is compared: two bytes of IPv4, six of IPv6; one more if these are
	// equal, and so on. Of the rest every second bit counts.
	whole := 2
	if len(b) == 16 {
		whole = 6
	}
	for len(a) == len(b) && whole < len(b) && bytes.Equal(a[:whole], b[:whole]) {
		whole++
	}
	for _, x := range [][]byte{a, b} {
		for i := whole; i < len(x); i++ {
			x[i] &= 0x55
		}
	}
	if bytes.Compare(a, b) > 0 {
		a, b = b, a
	}
	return crc32.Checksum(append(a, b...), castagnoli)
}
