package edge

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Supported says that this system hands out the answers of routers.
const Supported = true

// socket asks routers.
type socket struct {
	conn *net.UDPConn
	out  *ipv6.PacketConn
	done chan struct{}
}

// mark begins each datagram, so that a capture tells what it is.
const mark = "shoal: hop?"

const size = len(mark) + 2

// open opens a socket that tells of each answer, one after the other, until close.
func open(answered func(seq uint16)) (*socket, error) {
	conn, err := net.ListenUDP("udp6", nil)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1) })
		err = errors.Join(err, cerr)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s := &socket{conn: conn, out: ipv6.NewPacketConn(conn), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		var buf, control [512]byte
		_ = raw.Read(func(fd uintptr) bool { // until close
			for takes(int(fd), buf[:], control[:], answered) {
			}
			return false
		})
	}()
	return s, nil
}

// takes takes an error, or what somebody sent. It reports false when there is neither.
func takes(fd int, buf, control []byte, answered func(seq uint16)) bool {
	n, c, _, _, err := unix.Recvmsg(fd, buf, control, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		_, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		return err == nil || err != unix.EAGAIN && err != unix.EBADF
	}
	all, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil || n < size || string(buf[:len(mark)]) != mark {
		return true
	}
	for _, m := range all {
		if exceeded(m) {
			answered(binary.BigEndian.Uint16(buf[len(mark):]))
		}
	}
	return true
}

// exceeded tells whether a control message is of a hop limit that was used up.
func exceeded(m unix.SocketControlMessage) bool {
	// struct sock_extended_err: errno, origin, type, code.
	const origin, kind, code, least = 4, 5, 6, 16
	const timeExceeded, hopLimit = 3, 0
	return m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR && len(m.Data) >= least &&
		m.Data[origin] == unix.SO_EE_ORIGIN_ICMP6 && m.Data[kind] == timeExceeded && m.Data[code] == hopLimit
}

// send asks the router at p.hop on the way to an address. What cannot be sent is like
// what is not answered.
func (s *socket) send(p probe, to netip.AddrPort) {
	b := binary.BigEndian.AppendUint16([]byte(mark), p.seq)
	how := &ipv6.ControlMessage{HopLimit: p.hop}
	for range 2 { // the error of an earlier one is reported in place of sending
		if _, err := s.out.WriteTo(b, how, net.UDPAddrFromAddrPort(to)); err == nil {
			return
		}
	}
}

// close closes the socket. When it returns, answered is called no more.
func (s *socket) close() {
	s.conn.Close()
	<-s.done
}
