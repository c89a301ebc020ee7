package native

import (
	"net"

	"golang.org/x/sys/unix"
)

// boundUnsent bounds what the system keeps of what was written and has not left; 0
// leaves that to the system.
func boundUnsent(nc net.Conn, bytes int) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
		})
	}
}
