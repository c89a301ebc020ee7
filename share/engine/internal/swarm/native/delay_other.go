//go:build !linux

package native

import (
	"net"

	"github.com/shoalnet/shoal/share/engine/internal/pace"
)

// tellsDelays says that the system does not tell the round trips of TCP connections.
const tellsDelays = false

func tcpSample(*net.TCPConn) (pace.Sample, bool) { return pace.Sample{}, false }
