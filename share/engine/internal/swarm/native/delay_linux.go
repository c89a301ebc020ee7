package native

import (
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shoalnet/shoal/share/engine/internal/pace"
)

// tcpSample is what the system tells of a connection (TCP_INFO); false if that is
// nothing yet, or no more.
func tcpSample(c *net.TCPConn) (s pace.Sample, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return s, false
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
		return s, false
	}
	const none = 1<<32 - 1
	if info.Min_rtt == 0 || info.Min_rtt == none || info.Rtt == 0 {
		return s, false
	}
	least := time.Duration(info.Min_rtt) * time.Microsecond
	return pace.Sample{Trip: max(least, time.Duration(info.Rtt)*time.Microsecond), Least: least, Acked: info.Bytes_acked}, true
}
