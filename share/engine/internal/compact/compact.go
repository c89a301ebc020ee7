// Package compact keeps to itself the compact form of lists of addresses (BEP 7 and
// BEP 11): address and port of each, big-endian, end to end.
package compact

import (
	"encoding/binary"
	"net/netip"
)

// Bytes that one address with its port takes.
const (
	Len6 = 18
	Len4 = 6
)

// Peers6 reads IPv6 addresses; a partial one at the end is left out.
func Peers6(b []byte) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(b)/Len6)
	for ; len(b) >= Len6; b = b[Len6:] {
		out = append(out, netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])), binary.BigEndian.Uint16(b[16:])))
	}
	return out
}

// Peers4 reads IPv4 addresses; a partial one at the end is left out.
func Peers4(b []byte) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(b)/Len4)
	for ; len(b) >= Len4; b = b[Len4:] {
		out = append(out, netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), binary.BigEndian.Uint16(b[4:])))
	}
	return out
}

// Append adds ap to b in the form of its family.
func Append(b []byte, ap netip.AddrPort) []byte {
	return binary.BigEndian.AppendUint16(append(b, ap.Addr().AsSlice()...), ap.Port())
}
