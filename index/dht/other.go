package dht

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/index/dht/internal/recent"
)

// otherConn is the sockets of a node as seen by the other protocol on the same
// port: it gets the datagrams that are no bencoded dictionaries.
type otherConn struct {
	n      *Node
	queue  chan packet
	closed chan struct{}

	mu       sync.Mutex
	open     bool // it is in use
	shut     bool
	deadline time.Time
	moved    chan struct{} // closed when the deadline moves
	vias     recent.Map[netip.AddrPort, core.Via]
}

type packet struct {
	b    []byte
	from netip.AddrPort
}

const (
	otherQueue = 256 // datagrams; more are dropped, as in a socket's buffer
	otherVias  = 4096
)

func newOtherConn(n *Node) *otherConn {
	o := &otherConn{n: n, queue: make(chan packet, otherQueue), closed: make(chan struct{}), moved: make(chan struct{})}
	o.vias.Life, o.vias.Size = 5*time.Minute, otherVias
	return o
}

// Other is for uTP, the protocol that shares the node's sockets: it receives every
// datagram that does not begin like a DHT message. A datagram to an address leaves
// from the address to which that address last wrote. It works while Run does.
func (n *Node) Other() net.PacketConn {
	n.other.mu.Lock()
	n.other.open = true
	n.other.mu.Unlock()
	return n.other
}

func (o *otherConn) arrived(b []byte, from netip.AddrPort, via core.Via) {
	o.mu.Lock()
	open := o.open && !o.shut
	if open {
		o.vias.Put(o.n.since(), from, via)
	}
	o.mu.Unlock()
	if !open {
		return
	}
	select {
	case o.queue <- packet{append([]byte(nil), b...), from}:
	default:
	}
}

func (o *otherConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		o.mu.Lock()
		deadline, moved := o.deadline, o.moved
		o.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			expired = time.After(time.Until(deadline))
		}
		select {
		case p := <-o.queue:
			return copy(b, p.b), net.UDPAddrFromAddrPort(p.from), nil
		case <-o.closed:
			return 0, nil, net.ErrClosed
		case <-expired:
			return 0, nil, os.ErrDeadlineExceeded
		case <-moved:
		}
	}
}

func (o *otherConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, &net.AddrError{Err: "not a UDP address", Addr: addr.String()}
	}
	to := u.AddrPort()
	o.mu.Lock()
	via, known := o.vias.Get(o.n.since(), to)
	shut := o.shut
	o.mu.Unlock()
	if shut {
		return 0, net.ErrClosed
	}
	if !known {
		via.Socket = o.n.socketFor(to.Addr())
	}
	if err := o.n.sockets[via.Socket].send(b, to, via.Addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends reading and writing here; the sockets stay open.
func (o *otherConn) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shut {
		o.shut = true
		close(o.closed)
	}
	return nil
}

func (o *otherConn) LocalAddr() net.Addr { return o.n.sockets[0].conn.LocalAddr() }

func (o *otherConn) SetDeadline(t time.Time) error { return o.SetReadDeadline(t) }

func (o *otherConn) SetReadDeadline(t time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deadline = t
	close(o.moved)
	o.moved = make(chan struct{})
	return nil
}

// SetWriteDeadline does nothing: writing does not wait.
func (o *otherConn) SetWriteDeadline(time.Time) error { return nil }
