//go:build !linux

package punch

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

var errSystem = errors.New("this system does not let a port be called from that is listened at")

func dial(context.Context, *net.TCPListener, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return nil, errSystem
}
