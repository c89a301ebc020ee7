package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// fakeConn comes from an address of our choice.
type fakeConn struct {
	net.Conn
	from   netip.AddrPort
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }

func (c *fakeConn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	return nil
}

func (c *fakeConn) SetDeadline(time.Time) error {
	if c.closed {
		return net.ErrClosed
	}
	return nil
}

func (c *fakeConn) Write(b []byte) (int, error) { return len(b), nil }

func testGate(max int) (*gate, *time.Time) {
	now := time.Unix(1e9, 0)
	return newGate(slog.New(slog.DiscardHandler), netguard.Policy{}, max, func() time.Time { return now }), &now
}

func from(network, host int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%x::%x]:1000", network, host))
}

func TestOneNetworkDoesNotFillTheNode(t *testing.T) {
	g, _ := testGate(400)
	in := 0
	for host := range 300 {
		c, err := g.admit(&fakeConn{from: from(1, host)})
		if err != nil {
			continue
		}
		in++
		g.shook(c)
	}
	if in != 100 {
		t.Errorf("%d of 400 connections from one network", in)
	}
	in = 0
	for host := range 300 {
		if _, err := g.admit(&fakeConn{from: from(2, host)}); err == nil {
			in++
		}
	}
	if in != maxShakingPerNet {
		t.Errorf("%d unfinished handshakes from one network", in)
	}
}

func TestIdleConnectionMakesRoom(t *testing.T) {
	g, now := testGate(20)
	var all []*fakeConn
	for i := range 20 {
		nc := &fakeConn{from: from(i, 1)}
		c, err := g.admit(nc)
		if err != nil {
			t.Fatal(err)
		}
		g.shook(c)
		if i != 7 {
			c.moved.Add(1 << 30)
		}
		all = append(all, nc)
	}
	if _, err := g.admit(&fakeConn{from: from(99, 1)}); !errors.Is(err, errFull) {
		t.Errorf("before anybody could show what it is good for: %v", err)
	}
	*now = now.Add(2 * idleAge)
	c, err := g.admit(&fakeConn{from: from(99, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if g.open() != 20 {
		t.Errorf("%d connections", g.open())
	}
	if _, err := g.admit(&fakeConn{from: from(98, 1)}); !errors.Is(err, errFull) {
		t.Errorf("one that is of use was closed for another: %v", err)
	}
	_ = all
	if err := errors.Join(c.Close()); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	if g.open() != 19 {
		t.Errorf("%d connections after one was closed twice", g.open())
	}
	if err := c.SetDeadline(time.Now()); err != nil {
		t.Errorf("a deadline on a closed connection: %v", err)
	}
}

func TestStrikes(t *testing.T) {
	g, now := testGate(20)
	bad := from(1, 1)
	for range strikes - 1 {
		g.strike(bad.Addr())
	}
	if c, err := g.admit(&fakeConn{from: bad}); err != nil {
		t.Errorf("banned too soon: %v", err)
	} else {
		c.Close()
	}
	g.strike(bad.Addr())
	if _, err := g.admit(&fakeConn{from: bad}); err == nil {
		t.Error("not banned")
	}
	if g.reserve(bad) == nil {
		t.Error("dialled although banned")
	}
	if _, err := g.admit(&fakeConn{from: from(1, 2)}); err != nil {
		t.Errorf("another address of the network: %v", err)
	}
	*now = now.Add(banTime + time.Second)
	if _, err := g.admit(&fakeConn{from: bad}); err != nil {
		t.Errorf("banned for ever: %v", err)
	}
	for i := range maxBans + 100 {
		g.strike(netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(g.bans) > maxBans {
		t.Errorf("%d bans are remembered", len(g.bans))
	}
	for range 10 {
		g.strike(netip.IPv6Loopback())
	}
	if g.reserve(netip.MustParseAddrPort("[::1]:1")) != nil {
		t.Error("the own machine is banned")
	}
}

// failing is a listener out of file descriptors.
type failing struct {
	net.Listener
	errs  []error
	calls int
}

func (f *failing) Addr() net.Addr { return &net.TCPAddr{} }

func (f *failing) Accept() (net.Conn, error) {
	f.calls++
	if len(f.errs) == 0 {
		return nil, net.ErrClosed
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	if err == nil {
		return &fakeConn{from: from(1, 1)}, nil
	}
	return nil, err
}

// Running out of descriptors is waited for, and a closed listener fails only
// after the client library was closed: until then it would ask without end.
func TestAcceptWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := testGate(20)
		f := &failing{errs: []error{syscall.EMFILE, syscall.EMFILE, syscall.EMFILE, nil}}
		l := &listener{f, g}
		began := time.Now()
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 7*acceptPause {
			t.Errorf("three failures were waited for %s", took)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("it failed too soon: %v", err)
		default:
		}
		if f.calls != 5 {
			t.Errorf("%d calls of Accept", f.calls)
		}
		close(g.closed)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestOverhear(t *testing.T) {
	g, _ := testGate(20)
	id := share.ID{1, 2, 3}
	shake := append([]byte(greeting+"12345678"), id[:]...)
	for name, c := range map[string]struct {
		say       []byte
		encrypted bool
		id        *share.ID
	}{
		"plain":     {shake, false, &id},
		"encrypted": {[]byte("\x13BitTorrent protokoll, or so"), true, nil},
		"short":     {[]byte("\x13Bit"), false, nil},
	} {
		for size := 1; size < 60; size += 7 { // however it comes in parts
			d := &dialer{g, "tcp6", func(context.Context, string) (net.Conn, error) { return &fakeConn{from: from(1, 1)}, nil }}
			nc, err := d.Dial(t.Context(), from(1, 1).String())
			if err != nil {
				t.Fatal(err)
			}
			conn := nc.(*conn)
			for rest := c.say; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				_, _ = conn.Write(rest[:min(size, len(rest))])
			}
			heard := conn.id.Load()
			if conn.encrypted.Load() != c.encrypted || (heard == nil) != (c.id == nil) || heard != nil && *heard != *c.id {
				t.Errorf("%s in parts of %d: encrypted %v, for %v", name, size, conn.encrypted.Load(), heard)
			}
			if c.id != nil && (g.connOf(from(1, 1), id) != conn || !g.dialledFor(id)[from(1, 1)]) {
				t.Errorf("%s: the connection is not found", name)
			}
			if !g.hasDialled(from(1, 1)) {
				t.Error("the address is not known as dialled")
			}
			_ = nc.Close()
		}
	}
	if a := (&peerAddr{from(1, 1), g}); a.AddrPort().IsValid() || a.String() != from(1, 1).String() {
		t.Error("an address without a connection is told to others")
	}
}
