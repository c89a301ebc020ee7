// Package utp keeps to itself how many connections share one UDP socket: uTP
// (BEP 29), a reliable stream of bytes over datagrams that leaves the line to
// others. Its congestion control, LEDBAT++ (RFC 6817,
// draft-irtf-iccrg-ledbat-plus-plus), keeps the queue that it makes near 40 ms and
// gives way to TCP.
//
//	pc, err := net.ListenPacket("udp6", "[::]:6881")
//	s := utp.New(pc, utp.Config{})
//	defer s.Close()
//	c, err := s.DialContext(ctx, "udp6", "[2001:db8::1]:6881")
//
// A Socket is a net.Listener and dials, too; a Conn is a net.Conn with deadlines
// and half-close. A connection has no goroutine of its own: a Socket has one that
// receives and one for all timers.
//
// What strangers can have a Socket keep is bounded: SYNs are answered at a limited
// rate, each with no more bytes than it has; a connection is accepted once its peer
// has shown that it receives our answers; and received data that cannot be read yet
// is limited over all connections. Datagrams from another address than the peer's,
// and those that do not fit the numbers in use, are ignored.
//
// Some peers give a connection up without a word. One that owes something and is silent
// is asked for it, and called again to find out whether it is there: one that takes the
// call and does not answer has forgotten the connection, which then ends with ErrTimeout
// after four seconds or so. One that takes no call has ten.
//
// On Linux a *net.UDPConn is read and written with segmentation offload: one system
// call moves up to 64 datagrams. Whoever has the socket for something else, too, can
// offer the same by SegmentConn.
package utp
