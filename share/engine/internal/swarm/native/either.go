package native

import (
	"context"
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
	// A call over uTP is given up sooner than one over TCP: many peers have none, and
	// those are silent.
	utpTimeout = 5 * time.Second
	// What waits to be sent on a connection, beside what is on its way.
	utpSendBuffer = 128 << 10
)

func openUTP(pc net.PacketConn) *utp.Socket {
	return utp.New(pc, utp.Config{SendBuffer: utpSendBuffer})
}

// either is the two ways to a peer, TCP and uTP.
type either struct {
	utp    *utp.Socket                 // nil where there is none
	better generations[netip.AddrPort] // who answered over uTP and not over TCP
}

// way makes a connection.
type way func(context.Context) (net.Conn, error)

// call connects over TCP and, where that takes long or fails, over uTP; or the other
// way round where TCP failed before.
func (e *either) call(ctx context.Context, to netip.AddrPort, tcp way) (net.Conn, error) {
	if e.utp == nil || !to.Addr().Is6() || to.Addr().Is4In6() {
		return tcp(ctx)
	}
	datagrams := func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, utpTimeout)
		defer cancel()
		c, err := e.utp.Dial(ctx, to)
		if err != nil {
			return nil, err // and no *utp.Conn that is nil
		}
		return c, nil
	}
	first, second := tcp, way(datagrams)
	if e.better.has(to) {
		first, second = datagrams, tcp
	}
	nc, err := race(ctx, first, second)
	switch {
	case err != nil:
	case overUTP(nc):
		e.better.note(to)
	default:
		e.better.forget(to)
	}
	return nc, err
}

// overUTP tells whether a connection is one of uTP.
func overUTP(nc net.Conn) bool {
	_, ok := nc.(*utp.Conn)
	return ok
}

// race goes the first way and, when it has failed or takes long, the second one,
// too. The connection that is made first is it; the other one is given up.
func race(ctx context.Context, first, second way) (net.Conn, error) {
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
	slow := time.NewTimer(secondAfter)
	defer slow.Stop()
	var failed error
	for both := false; ; {
		select {
		case r := <-results:
			running--
			switch {
			case r.err == nil:
				return r.conn, nil
			case failed != nil:
				return nil, fmt.Errorf("%w; the other way: %w", failed, r.err)
			}
			failed = r.err
		case <-slow.C:
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
