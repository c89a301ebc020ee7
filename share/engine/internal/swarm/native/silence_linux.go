package native

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long a peer may leave unacknowledged, or unread, what it was
// sent. The system's own patience is a quarter of an hour, in which nobody else is
// asked for the blocks that were asked of a peer whose address is gone. Who reads
// slowly, since his user wants it so, must not be taken for one.
const silence = time.Minute

func boundSilence(nc net.Conn) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence/time.Millisecond))
		})
	}
}
