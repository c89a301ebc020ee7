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
	rest     packet // of what ReadFrom has read
}

// packet is datagrams that came together, each of size bytes, the last one perhaps
// shorter.
type packet struct {
	b    []byte
	of   *[joinedMax]byte // where b is, of joinedBuffers; nil for elsewhere
	size int
	from netip.AddrPort
	at   netip.Addr // where they came to
}

const (
	otherQueue = 256 // packets; more are dropped, as in a socket's buffer
	otherVias  = 4096
	// What is longer is kept in a buffer that is used again.
	otherSmall = 2 << 10
)

var joinedBuffers = sync.Pool{New: func() any { return new([joinedMax]byte) }}

func newPacket(b []byte, size int, from netip.AddrPort, at netip.Addr) packet {
	p := packet{size: size, from: from, at: at}
	if len(b) <= otherSmall {
		p.b = append(p.b, b...)
	} else {
		p.of = joinedBuffers.Get().(*[joinedMax]byte)
		p.b = p.of[:copy(p.of[:], b)]
	}
	return p
}

// free is called when nothing of p is needed any more.
func (p *packet) free() {
	if p.of != nil {
		joinedBuffers.Put(p.of)
	}
	*p = packet{}
}

func newOtherConn(n *Node) *otherConn {
	o := &otherConn{n: n, queue: make(chan packet, otherQueue), closed: make(chan struct{}), moved: make(chan struct{})}
	o.vias.Life, o.vias.Size = 5*time.Minute, otherVias
	return o
}

// Other is for uTP, the protocol that shares the node's sockets: it receives every
// datagram that does not begin like a DHT message. A datagram to a peer leaves from
// the address to which that peer last wrote. It works while Run runs.
func (n *Node) Other() net.PacketConn {
	n.other.mu.Lock()
	n.other.open = true
	n.other.mu.Unlock()
	for _, s := range n.sockets {
		s.join()
	}
	return n.other
}

func (o *otherConn) arrived(b []byte, size int, from netip.AddrPort, via core.Via) {
	o.mu.Lock()
	open := o.open && !o.shut
	if open {
		o.vias.Put(o.n.since(), from, via)
	}
	o.mu.Unlock()
	if !open {
		return
	}
	p := newPacket(b, size, from, via.Addr)
	select {
	case o.queue <- p:
	default:
		p.free()
	}
}

func (o *otherConn) ReadFrom(b []byte) (int, net.Addr, error) {
	o.mu.Lock()
	p := o.rest
	o.rest = packet{}
	o.mu.Unlock()
	if len(p.b) == 0 {
		var err error
		if p, err = o.next(); err != nil {
			return 0, nil, err
		}
	}
	end := min(p.size, len(p.b))
	n := copy(b, p.b[:end])
	from := net.UDPAddrFromAddrPort(p.from)
	if p.b = p.b[end:]; len(p.b) == 0 {
		p.free()
	}
	o.mu.Lock()
	o.rest = p
	o.mu.Unlock()
	return n, from, nil
}

// ReadSegments reads datagrams of size bytes, the last one perhaps shorter, that
// came from one address to the address at of this host.
func (o *otherConn) ReadSegments(b []byte) (n, size int, from netip.AddrPort, at netip.Addr, err error) {
	p, err := o.next()
	if err != nil {
		return 0, 0, from, at, err
	}
	defer p.free()
	return copy(b, p.b), p.size, p.from, p.at, nil
}

// next waits for a packet.
func (o *otherConn) next() (packet, error) {
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
			return p, nil
		case <-o.closed:
			return packet{}, net.ErrClosed
		case <-expired:
			return packet{}, os.ErrDeadlineExceeded
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
	via, err := o.via(to)
	if err != nil {
		return 0, err
	}
	if err := o.n.sockets[via.Socket].send(b, to, via.Addr); err != nil {
		return 0, err
	}
	return len(b), nil
}

// via is how datagrams leave for an address.
func (o *otherConn) via(to netip.AddrPort) (core.Via, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return core.Via{}, net.ErrClosed
	}
	via, known := o.vias.Get(o.n.since(), to)
	if !known {
		via.Socket = o.n.socketFor(to.Addr())
	}
	return via, nil
}

// WriteSegments sends datagrams of size bytes, the last one perhaps shorter, from the
// address from of this host unless that is invalid. Where fragment is false they
// should not be fragmented on their way.
func (o *otherConn) WriteSegments(b []byte, size int, to netip.AddrPort, from netip.Addr, fragment bool) error {
	via, err := o.via(to)
	if err != nil {
		return err
	}
	if !from.IsValid() {
		from = via.Addr
	}
	return o.n.sockets[via.Socket].sendSegments(b, size, to, from, fragment)
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
