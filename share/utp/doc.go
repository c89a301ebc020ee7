// Package utp keeps to itself how many connections share one UDP socket: uTP
// (BEP 29), a reliable stream of bytes over datagrams that gives way to other traffic.
// Its congestion control, LEDBAT++ (RFC 6817, draft-irtf-iccrg-ledbat-plus-plus),
// keeps its queueing delay near 40 ms and gives way to TCP.
//
//	pc, err := net.ListenPacket("udp6", "[::]:6881")
//	s := utp.New(pc, utp.Config{})
//	defer s.Close()
//	c, err := s.DialContext(ctx, "udp6", "[2001:db8::1]:6881")
//
// A Socket is a net.Listener and dials, too; a Conn is a net.Conn with deadlines
// and half-close. Connections have no goroutines of their own: a Socket has one
// that receives and one for all timers.
//
// The state that strangers can cause in a Socket is bounded: SYNs are answered at a
// limited rate, each with no more bytes than it has; a connection is accepted once
// its peer has shown that it receives our answers; and received data that cannot be
// read yet is limited over all connections. Datagrams from another address than the
// peer's, or with numbers that are not in use, are ignored.
//
// Some peers drop a connection silently. If a peer owes an answer and is silent, the
// Socket asks again and dials it a second time to see whether it is there. A peer that
// accepts the second connection but is silent on the first has forgotten it, which then
// ends with ErrTimeout after about four seconds. A peer that does not accept has ten.
//
// On Linux a *net.UDPConn is read and written with segmentation offload: one system
// call moves up to 64 datagrams. A caller that also uses the socket for something
// else can offer the same by SegmentConn.
package utp
