//go:build !linux

package native

import (
	"net"

	"github.com/shoalnet/shoal/share/engine/internal/pace"
)

// tcpSample is what the system tells of a connection, which is nothing here.
func tcpSample(*net.TCPConn) (pace.Sample, bool) { return pace.Sample{}, false }
