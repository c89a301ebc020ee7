package native

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// boundSilence bounds how long the other end may leave unacknowledged, or unread, what
// it was sent; 0 leaves that to the system.
func boundSilence(nc net.Conn, d time.Duration) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
		})
	}
}
