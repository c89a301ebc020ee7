package library

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
	"github.com/shoalnet/shoal/share/engine/internal/admission"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// fakeConn comes from an address of our choice.
type fakeConn struct {
	net.Conn
	from   netip.AddrPort
	closed bool
	says   string
}

func (c *fakeConn) Read(b []byte) (int, error) {
	n := copy(b, c.says)
	c.says = c.says[n:]
	return n, nil
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

// What gives way is closed and counted no more, and can be closed again. The
// rules by which it does are tested in package admission.
func TestWhatGivesWayIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, now := testGate(20)
		var all []*conn
		for i := range 15 {
			c, err := g.admit(&fakeConn{from: from(i, 1)})
			if err != nil {
				t.Fatal(err)
			}
			g.shook(c)
			if c.wanted.Store(true); i != 7 {
				c.moved.Add(1 << 30)
			}
			all = append(all, c)
		}
		*now = now.Add(2 * time.Minute)
		g.look()
		if _, err := g.admit(&fakeConn{from: from(99, 1)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, c := range all {
			if closed := c.Conn.(*fakeConn).closed; closed != (i == 7) {
				t.Errorf("connection %d closed: %v", i, closed)
			}
		}
		if _, err := g.admit(&fakeConn{from: from(98, 1)}); !errors.Is(err, admission.ErrFull) {
			t.Errorf("one that is of use was closed for another: %v", err)
		}
		if g.open() != 15 {
			t.Errorf("%d connections", g.open())
		}
		if err := all[7].SetDeadline(time.Now()); err != nil {
			t.Errorf("a deadline on a closed connection: %v", err)
		}
		_ = all[7].Close()
		_ = all[8].Close()
		_ = all[8].Close()
		if g.open() != 14 || len(g.conns) != 14 {
			t.Errorf("%d connections after one was closed twice", g.open())
		}
	})
}

// Whoever holds all connections, this node can call: 500 idle ones from a /62.
func TestOwnCallsWhileStrangersHoldAll(t *testing.T) {
	g, now := testGate(500)
	for i := range 500 {
		if c, err := g.admit(&fakeConn{from: from(i%4, i)}); err == nil {
			g.shook(c)
		}
	}
	*now = now.Add(2 * time.Minute)
	d := &dialer{g, "tcp6", func(context.Context, string) (net.Conn, error) { return &fakeConn{from: from(1, 1)}, nil }}
	for i := range 200 {
		to := netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::1]:1000", 1+i))
		if _, err := d.Dial(t.Context(), to.String()); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

// Where nobody answers in our protocol, calls become few, whoever names the
// addresses; a call that failed leaves nothing behind.
func TestCallsThatNobodyAnswersAreFew(t *testing.T) {
	g, _ := testGate(500)
	called := 0
	d := &dialer{g, "tcp6", func(context.Context, string) (net.Conn, error) { called++; return nil, syscall.ECONNREFUSED }}
	for i := range 1000 {
		_, _ = d.Dial(t.Context(), from(1, i).String())
	}
	if called > 24 || g.open() != 0 {
		t.Errorf("%d calls to one network, %d open", called, g.open())
	}
	// Of a swarm the greetings come back.
	d.dial = func(context.Context, string) (net.Conn, error) {
		return &fakeConn{from: from(1, 1), says: greeting}, nil
	}
	for i := range 1000 {
		nc, err := d.Dial(t.Context(), from(2, i).String())
		if err != nil {
			t.Fatalf("peer %d: %v", i, err)
		}
		for range 3 { // in parts
			_, _ = nc.Read(make([]byte, 9))
		}
		nc.Close()
	}
	// Who answers something else is no peer.
	d.dial = func(context.Context, string) (net.Conn, error) {
		return &fakeConn{from: from(1, 1), says: "SSH-2.0-OpenSSH_10.0\r\n"}, nil
	}
	answered := 0
	for i := range 1000 {
		if nc, err := d.Dial(t.Context(), from(3, i).String()); err == nil {
			answered++
			_, _ = nc.Read(make([]byte, 100))
			nc.Close()
		}
	}
	if answered > 24 {
		t.Errorf("%d calls to hosts that are no peers", answered)
	}
}

func TestStrikes(t *testing.T) {
	g, now := testGate(20)
	bad := from(1, 1)
	for range 3 {
		if c, err := g.admit(&fakeConn{from: bad}); err != nil {
			t.Errorf("banned too soon: %v", err)
		} else {
			c.Close()
		}
		g.strike(bad.Addr())
	}
	if _, err := g.admit(&fakeConn{from: from(1, 2)}); !errors.Is(err, admission.ErrBanned) {
		t.Errorf("its network is not banned: %v", err)
	}
	if _, err := g.reserve(bad); !errors.Is(err, admission.ErrBanned) || g.mayCall(bad.Addr()) {
		t.Errorf("dialled although banned: %v", err)
	}
	if _, err := g.admit(&fakeConn{from: from(2, 1)}); err != nil {
		t.Errorf("another network: %v", err)
	}
	*now = now.Add(time.Hour)
	if _, err := g.admit(&fakeConn{from: bad}); err != nil {
		t.Errorf("banned for ever: %v", err)
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
			g, _ := testGate(20)
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
	g, _ := testGate(20)
	if a := (&peerAddr{from(1, 1), g}); a.AddrPort().IsValid() || a.String() != from(1, 1).String() {
		t.Error("an address without a connection is told to others")
	}
}
