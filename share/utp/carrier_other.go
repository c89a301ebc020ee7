//go:build !linux

package utp

import "net"

// carry is how datagrams of pc are moved.
func carry(pc net.PacketConn) SegmentConn {
	if s, ok := pc.(SegmentConn); ok {
		return s
	}
	return single{pc}
}
