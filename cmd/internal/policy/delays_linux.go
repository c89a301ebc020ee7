package policy

import (
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// delayMeter reads what the kernel knows of this process's TCP connections
// (TCP_INFO): the smoothed and the shortest round trip of each.
type delayMeter struct {
	acked map[netip.AddrPort]uint64 // by the address of the peer, at the last measurement
}

func newDelayMeter() *delayMeter { return &delayMeter{acked: map[netip.AddrPort]uint64{}} }

// read goes through all descriptors of the process: dialled connections count like
// accepted ones, whichever part owns them. A descriptor that is closed meanwhile is
// skipped.
func (m *delayMeter) read() []delay {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	acked := make(map[netip.AddrPort]uint64, len(m.acked))
	var out []delay
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		peer, ok := remoteOf(fd)
		if !ok || peer.Addr().IsLoopback() {
			continue
		}
		info, ok := tcpInfo(fd)
		if !ok || info.Min_rtt == 0 || info.Rtt < info.Min_rtt {
			continue
		}
		acked[peer] = info.Bytes_acked
		if was, known := m.acked[peer]; known && info.Bytes_acked > was {
			out = append(out, delay{
				queue: time.Duration(info.Rtt-info.Min_rtt) * time.Microsecond,
				sent:  int64(info.Bytes_acked - was),
			})
		}
	}
	m.acked = acked
	return out
}

// remoteOf is the other end of a TCP connection.
func remoteOf(fd int) (netip.AddrPort, bool) {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}, false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), true
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), true
	}
	return netip.AddrPort{}, false
}

func tcpInfo(fd int) (*unix.TCPInfo, bool) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return info, err == nil
}
