package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share/utp"
)

const (
	// The second way to a peer is tried when the first was not answered for so
	// long (as RFC 8305 has it).
	secondAfter = 250 * time.Millisecond
	// Where both sides call at once, both are to keep the same connection. They keep
	// that of TCP if it comes, also if the first SYN of one side was lost.
	tcpGrace = 1500 * time.Millisecond
	// A call over uTP is given up sooner than one over TCP: many peers have none, and
	// those are silent.
	utpTimeout = 5 * time.Second
	// What waits to be sent on a connection, beside what is on its way.
	utpSendBuffer = 128 << 10
)

func openUTP(pc net.PacketConn) *utp.Socket {
	return utp.New(pc, utp.Config{SendBuffer: utpSendBuffer})
}

var errNoUTP = errors.New("there is no uTP here")

// either is the two ways to a peer, TCP and uTP.
type either struct {
	utp    *utp.Socket                 // nil where there is none
	yields bool                        // uTP is to be preferred: nothing else would leave the line to others
	better generations[netip.AddrPort] // who answered over uTP and not over TCP
}

// way makes a connection.
type way func(context.Context) (net.Conn, error)

// call connects over TCP and, where that takes long or fails, over uTP; or the other
// way round where TCP failed before, or uploads over it would be in the way of others.
func (e *either) call(ctx context.Context, to netip.AddrPort, tcp way) (net.Conn, error) {
	if e.utp == nil || !to.Addr().Is6() || to.Addr().Is4In6() {
		return tcp(ctx)
	}
	first, second := tcp, e.datagrams(to)
	if e.prefers(to) {
		first, second = second, first
	}
	nc, err := race{head: secondAfter}.run(ctx, first, second)
	switch {
	case err != nil:
	case overUTP(nc):
		e.better.note(to)
	default:
		e.better.forget(to)
	}
	return nc, err
}

// datagrams is the way over uTP.
func (e *either) datagrams(to netip.AddrPort) way {
	return func(ctx context.Context) (net.Conn, error) {
		if e.utp == nil {
			return nil, errNoUTP
		}
		ctx, cancel := context.WithTimeout(ctx, utpTimeout)
		defer cancel()
		c, err := e.utp.Dial(ctx, to)
		if err != nil {
			return nil, err // and no *utp.Conn that is nil
		}
		return c, nil
	}
}

// cross calls a peer that calls us at the same moment.
func (e *either) cross(ctx context.Context, to netip.AddrPort, tcp way) (net.Conn, error) {
	return race{grace: tcpGrace}.run(ctx, tcp, e.datagrams(to))
}

// prefers tells whether uTP is the first way to a peer.
func (e *either) prefers(to netip.AddrPort) bool {
	a := to.Addr()
	return e.better.has(to) || e.yields && !a.IsLoopback() && !a.IsLinkLocalUnicast()
}

// overUTP tells whether a connection is one of uTP.
func overUTP(nc net.Conn) bool {
	_, ok := nc.(*utp.Conn)
	return ok
}

// race goes two ways to a peer. The connection that is made first is it, and the
// other one is given up.
type race struct {
	head  time.Duration // the second way begins so much later, unless the first has failed
	grace time.Duration // so long the first way has still when the second is through
}

func (r race) run(ctx context.Context, first, second way) (net.Conn, error) {
	type result struct {
		conn  net.Conn
		err   error
		first bool
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result, 2)
	running := 0
	begin := func(w way, first bool) {
		running++
		go func() {
			conn, err := w(ctx)
			results <- result{conn, err, first}
		}()
	}
	defer func() {
		cancel()
		for range running {
			if r := <-results; r.conn != nil {
				r.conn.Close()
			}
		}
	}()
	begin(first, true)
	slow := time.NewTimer(r.head)
	defer slow.Stop()
	var kept net.Conn // of the second way, while the first has a chance
	var late <-chan time.Time
	var failed error
	for both := false; ; {
		select {
		case x := <-results:
			running--
			switch {
			case x.err == nil && !x.first && running > 0 && r.grace > 0:
				kept, late = x.conn, time.After(r.grace)
			case x.err == nil:
				if kept != nil {
					kept.Close()
				}
				return x.conn, nil
			case kept != nil:
				return kept, nil
			case failed != nil:
				return nil, fmt.Errorf("%w; the other way: %w", failed, x.err)
			default:
				failed = x.err
			}
		case <-slow.C:
		case <-late:
			return kept, nil
		}
		if !both {
			both = true
			begin(second, false)
		}
	}
}

// localAddr is the address of this host that a connection has, where it is known.
func localAddr(nc net.Conn) (netip.Addr, bool) {
	var a netip.Addr
	switch at := nc.LocalAddr().(type) {
	case *net.TCPAddr:
		a = at.AddrPort().Addr()
	case *net.UDPAddr:
		a = at.AddrPort().Addr()
	}
	return a.Unmap().WithZone(""), a.IsValid() && !a.IsUnspecified()
}
