package native

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

	"github.com/shoalnet/shoal/share/engine/internal/admission"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
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

func testRegistry(most int) (*registry, *time.Time) {
	now := time.Unix(1e9, 0)
	return newRegistry(slog.New(slog.DiscardHandler), netguard.Policy{}, most, true, func() time.Time { return now }), &now
}

func from(network, host int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%x::%x]:1000", network, host))
}

// What gives way is closed and counted no more, and can be closed again. The
// rules by which it does are tested in package admission.
func TestAConnectionThatGivesWayIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, now := testRegistry(20)
		var all []*tracked
		for i := range 15 {
			c, err := r.admit(&fakeConn{from: from(i, 1)})
			if err != nil {
				t.Fatal(err)
			}
			r.proved(c)
			if c.idle.Store(false); i != 7 {
				c.got.Add(1 << 30)
			}
			all = append(all, c)
		}
		*now = now.Add(2 * time.Minute)
		r.look()
		if _, err := r.admit(&fakeConn{from: from(99, 1)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, c := range all {
			if closed := c.Conn.(*fakeConn).closed; closed != (i == 7) {
				t.Errorf("connection %d closed: %v", i, closed)
			}
		}
		if _, err := r.admit(&fakeConn{from: from(98, 1)}); !errors.Is(err, admission.ErrFull) {
			t.Errorf("one that is of use was closed for another: %v", err)
		}
		if r.open() != 15 || r.refused.Load() != 1 {
			t.Errorf("%d connections, %d refused", r.open(), r.refused.Load())
		}
		_ = all[7].Close()
		_ = all[8].Close()
		_ = all[8].Close()
		if r.open() != 14 || len(r.conns) != 14 {
			t.Errorf("%d connections after one was closed twice", r.open())
		}
	})
}

// Whoever holds all connections, this node can call: 500 idle ones from a /62.
func TestCallsWhileStrangersHoldAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, now := testRegistry(500)
		for i := range 500 {
			if c, err := r.admit(&fakeConn{from: from(i%4, i)}); err == nil {
				r.proved(c)
			}
		}
		*now = now.Add(2 * time.Minute)
		for i := range 200 {
			to := netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::1]:1000", 1+i))
			answer := func(context.Context, netip.AddrPort) (net.Conn, error) { return &fakeConn{from: to}, nil }
			if _, err := r.call(t.Context(), to, answer); err != nil {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	})
}

// Calls wait for their turn no longer than half of the time they have. Those whose
// turn does not come by then say so.
func TestTurnsLeaveTimeForTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := testRegistry(500)
		const patience = 2 * time.Second
		made, later := make(chan time.Duration, 300), make(chan error, 300)
		for i := range 300 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				end, _ := ctx.Deadline()
				to := netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::1]:1000", 1+i))
				_, err := r.call(ctx, to, func(context.Context, netip.AddrPort) (net.Conn, error) {
					made <- time.Until(end)
					return nil, syscall.ECONNREFUSED
				})
				if !errors.Is(err, syscall.ECONNREFUSED) {
					later <- err
				}
			}()
		}
		time.Sleep(patience)
		synctest.Wait()
		close(made)
		close(later)
		if n := len(made); n < dialsASecond || n >= 300 {
			t.Errorf("%d calls were made", n)
		}
		for left := range made {
			if left < patience/2 {
				t.Errorf("a call had %v left", left)
			}
		}
		for err := range later {
			if !errors.Is(err, face.ErrNotNow) {
				t.Errorf("a call that was not made says: %v", err)
			}
		}
	})
}

// Where nobody answers in our protocol, calls become few, whoever names the
// addresses; a call that failed leaves nothing behind.
func TestUnansweredCallsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := testRegistry(500)
		called := 0
		refuse := func(context.Context, netip.AddrPort) (net.Conn, error) { called++; return nil, syscall.ECONNREFUSED }
		for i := range 1000 {
			_, _ = r.call(t.Context(), from(1, i), refuse)
		}
		if _, err := r.call(t.Context(), from(1, 1000), refuse); !errors.Is(err, face.ErrNotNow) {
			t.Errorf("it is not said that there is no room now: %v", err)
		}
		if called > 24 || r.open() != 0 {
			t.Errorf("%d calls to one network, %d open", called, r.open())
		}
		answer := func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			return &fakeConn{from: to, says: opening.Greeting}, nil
		}
		for i := range 1000 {
			nc, err := r.call(t.Context(), from(2, i), answer)
			if err != nil {
				t.Fatalf("peer %d: %v", i, err)
			}
			for range 3 { // its greeting comes in parts
				_, _ = nc.Read(make([]byte, 9))
			}
			nc.Close()
		}
		// Who answers something else is no peer.
		answered := 0
		answer = func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			return &fakeConn{from: to, says: "SSH-2.0-OpenSSH_10.0\r\n"}, nil
		}
		for i := range 1000 {
			if nc, err := r.call(t.Context(), from(3, i), answer); err == nil {
				answered++
				_, _ = nc.Read(make([]byte, 100))
				nc.Close()
			}
		}
		if answered > 24 {
			t.Errorf("%d calls to hosts that are no peers", answered)
		}
	})
}

func TestWhoBreaksTheProtocolIsKeptOut(t *testing.T) {
	r, now := testRegistry(20)
	bad := from(1, 1)
	for range 3 {
		if c, err := r.admit(&fakeConn{from: bad}); err != nil {
			t.Errorf("banned too soon: %v", err)
		} else {
			c.Close()
		}
		r.strike(bad.Addr())
	}
	if _, err := r.admit(&fakeConn{from: from(1, 2)}); !errors.Is(err, admission.ErrBanned) {
		t.Errorf("its network is not banned: %v", err)
	}
	called := false
	_, err := r.call(t.Context(), bad, func(context.Context, netip.AddrPort) (net.Conn, error) { called = true; return nil, net.ErrClosed })
	if !errors.Is(err, admission.ErrBanned) || called || r.mayCall(bad.Addr()) {
		t.Errorf("dialled although banned: %v", err)
	}
	if _, err := r.admit(&fakeConn{from: from(2, 1)}); err != nil {
		t.Errorf("another network: %v", err)
	}
	*now = now.Add(time.Hour)
	if _, err := r.admit(&fakeConn{from: bad}); err != nil {
		t.Errorf("banned for ever: %v", err)
	}
}

func TestWhoSentWrongDataIsKeptOutForGood(t *testing.T) {
	r, now := testRegistry(20)
	r.ban(from(1, 1).Addr())
	*now = now.Add(24 * time.Hour)
	if _, err := r.admit(&fakeConn{from: from(1, 1)}); !errors.Is(err, admission.ErrBanned) || r.convicts() != 1 {
		t.Errorf("let in: %v", err)
	}
	if _, err := r.reserve(from(1, 1).Addr()); !errors.Is(err, admission.ErrBanned) {
		t.Errorf("called: %v", err)
	}
	if _, err := r.admit(&fakeConn{from: from(1, 2)}); err != nil {
		t.Errorf("another is kept out: %v", err)
	}
}

// Nobody may have us call what is private, by whatever name.
func TestNothingForbiddenIsCalled(t *testing.T) {
	r, _ := testRegistry(20)
	for _, to := range []string{"192.0.2.1:1", "[2001:db8::1]:0", "[ff02::1]:6881", "[::ffff:192.0.2.1]:6881"} {
		_, err := r.call(t.Context(), netip.MustParseAddrPort(to), func(context.Context, netip.AddrPort) (net.Conn, error) {
			t.Errorf("%s is called", to)
			return nil, net.ErrClosed
		})
		if err == nil {
			t.Errorf("%s is connected", to)
		}
	}
}

func TestCalledHostsAreBounded(t *testing.T) {
	var c called
	first := netip.MustParseAddr("2001:db8::1")
	c.note(first)
	if c.has(netip.MustParseAddr("2001:db8::2")) || !c.has(first) {
		t.Error("remembers another")
	}
	a := first
	for range maxCalled {
		a = a.Next()
		c.note(a)
	}
	if !c.has(first) || !c.has(a) {
		t.Error("one that was called lately passes for a stranger")
	}
	for range 5 * maxCalled {
		a = a.Next()
		c.note(a)
	}
	if n := len(c.hosts.now) + len(c.hosts.elder); n > 2*maxCalled || c.has(first) {
		t.Errorf("%d hosts are remembered", n)
	}
}

// Where nobody answered one transfer, the others do not spend the few calls that an
// unknown host may get. A host that is known may be back at any time.
func TestACallInVainIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, now := testRegistry(500)
		calls := map[netip.AddrPort]int{}
		dial := func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
			calls[to]++
			if to.Port() == 1 {
				return nil, syscall.ECONNREFUSED
			}
			return &fakeConn{from: to}, nil
		}
		host := from(1, 1).Addr()
		old, current := netip.AddrPortFrom(host, 1), netip.AddrPortFrom(host, 2)
		for range 20 {
			if _, err := r.call(t.Context(), old, dial); err == nil {
				t.Error("a refused call came about")
			}
		}
		if calls[old] != 1 {
			t.Errorf("%d calls where nobody answers", calls[old])
		}
		c, err := r.call(t.Context(), current, dial)
		if err != nil {
			t.Fatalf("no call is left for another address of the host: %v", err)
		}
		*now = now.Add(unansweredTime)
		if _, _ = r.call(t.Context(), old, dial); calls[old] != 2 {
			t.Error("it is never called again")
		}
		r.proved(c)
		if _, _ = r.call(t.Context(), old, dial); calls[old] != 3 {
			t.Error("a host that is known is not called at once")
		}
		for i := range 2 * maxUnanswered {
			r.unanswered.note(*now, netip.AddrPortFrom(host, uint16(i)))
		}
		if n := len(r.unanswered.since); n > maxUnanswered {
			t.Errorf("%d addresses are kept", n)
		}
	})
}
