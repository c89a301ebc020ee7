//go:build !linux

package punch

import (
	"context"
	"net"
	"net/netip"
)

func dial(context.Context, *net.TCPListener, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return nil, ErrPort
}
