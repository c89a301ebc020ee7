//go:build !linux

package native

import "net"

func boundUnsent(net.Conn, int) {}
