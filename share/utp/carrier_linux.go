package utp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketBuffer is what a socket is to hold while we do something else. The system
// grants as much of it as it likes.
const socketBuffer = 4 << 20

// carry is how datagrams of pc are moved.
func carry(pc net.PacketConn) SegmentConn {
	switch pc := pc.(type) {
	case SegmentConn:
		return pc
	case *net.UDPConn:
		return newUDP(pc)
	}
	return single{pc}
}

// udp is a UDP socket with segmentation offload, as far as the system has it.
type udp struct {
	*net.UDPConn
	six       bool // an IPv6 socket: has the options of one
	wild      bool // bound to all addresses
	segmented atomic.Bool
	oob       []byte // of the one that reads
}

func newUDP(c *net.UDPConn) *udp {
	u := &udp{UDPConn: c, oob: make([]byte, 256)}
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		u.six, u.wild = a.IP.To4() == nil, a.IP.IsUnspecified()
	}
	_ = c.SetReadBuffer(socketBuffer)
	_ = c.SetWriteBuffer(socketBuffer)
	raw, err := c.SyscallConn()
	if err != nil {
		return u
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1)
		_, err := unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
		u.segmented.Store(err == nil)
		if u.six && u.wild {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	return u
}

func (u *udp) ReadSegments(b []byte) (n, size int, from netip.AddrPort, at netip.Addr, err error) {
	n, oobn, _, from, err := u.ReadMsgUDPAddrPort(b, u.oob)
	size = n
	for oob := u.oob[:oobn]; err == nil && len(oob) >= unix.CmsgLen(0); {
		h, data, rest, bad := unix.ParseOneSocketControlMessage(oob)
		if bad != nil {
			break
		}
		switch {
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			size = int(binary.NativeEndian.Uint32(data))
		case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			at = netip.AddrFrom16([16]byte(data)).Unmap()
		}
		oob = rest
	}
	return n, max(1, size), from, at, err
}

func (u *udp) WriteSegments(b []byte, size int, to netip.AddrPort, from netip.Addr, fragment bool) error {
	if len(b) <= size || fragment || !u.segmented.Load() {
		return u.each(b, size, to, from, fragment)
	}
	oob := u.control(from, to, fragment)
	oob = appendControl(oob, unix.SOL_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, uint16(size)))
	_, _, err := u.WriteMsgUDPAddrPort(b, oob, to)
	switch {
	case errors.Is(err, syscall.EIO):
		u.segmented.Store(false) // this interface cannot
		return u.each(b, size, to, from, fragment)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EMSGSIZE):
		return u.each(b, size, to, from, fragment) // longer than this route takes
	}
	return err
}

func (u *udp) each(b []byte, size int, to netip.AddrPort, from netip.Addr, fragment bool) (err error) {
	oob := u.control(from, to, fragment)
	for len(b) > 0 {
		n := min(size, len(b))
		if _, _, e := u.WriteMsgUDPAddrPort(b[:n], oob, to); e != nil {
			err = e
		}
		b = b[n:]
	}
	return err
}

// control is the control messages of a datagram.
func (u *udp) control(from netip.Addr, to netip.AddrPort, fragment bool) (oob []byte) {
	if !u.six || to.Addr().Is4In6() {
		return nil
	}
	if u.wild && from.Is6() {
		info := make([]byte, 20) // struct in6_pktinfo
		copy(info, from.AsSlice())
		oob = appendControl(oob, unix.SOL_IPV6, unix.IPV6_PKTINFO, info)
	}
	if !fragment {
		oob = appendControl(oob, unix.SOL_IPV6, unix.IPV6_DONTFRAG, binary.NativeEndian.AppendUint32(nil, 1))
	}
	return oob
}

func appendControl(oob []byte, level, kind int32, data []byte) []byte {
	at := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(len(data)))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[at]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(oob[at+unix.CmsgLen(0):], data)
	return oob
}
