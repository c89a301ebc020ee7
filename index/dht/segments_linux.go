package dht

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// join has the system hand over datagrams of one sender together, if it can.
func (s *socket) join() {
	if raw, err := s.conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) })
	}
}

// joined is the size of each of the datagrams that came together; 0 for one alone.
func joined(oob []byte) int {
	for len(oob) >= unix.CmsgLen(0) {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data))
		}
		oob = rest
	}
	return 0
}

// sendSegments sends datagrams of size bytes, the last one perhaps shorter, with one
// call if the system can.
func (s *socket) sendSegments(b []byte, size int, to netip.AddrPort, via netip.Addr, fragment bool) error {
	var oob []byte
	if s.info && via.Is6() && !via.Is4In6() && s.local.IsUnspecified() {
		oob = (&ipv6.ControlMessage{Src: via.AsSlice()}).Marshal()
	}
	if !fragment && !to.Addr().Is4In6() {
		oob = appendControl(oob, unix.SOL_IPV6, unix.IPV6_DONTFRAG, binary.NativeEndian.AppendUint32(nil, 1))
	}
	if len(b) > size && !fragment {
		both := appendControl(oob[:len(oob):len(oob)], unix.SOL_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, uint16(size)))
		_, _, err := s.conn.WriteMsgUDPAddrPort(b, both, to)
		// The interface, the route or the system may not be able to.
		if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EMSGSIZE) {
			return err
		}
	}
	for len(b) > 0 {
		n := min(size, len(b))
		if _, _, err := s.conn.WriteMsgUDPAddrPort(b[:n], oob, to); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
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
