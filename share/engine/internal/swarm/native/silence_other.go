//go:build !linux

package native

import (
	"net"
	"time"
)

// boundSilence leaves it to the system.
func boundSilence(net.Conn, time.Duration) {}
