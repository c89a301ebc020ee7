package punch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// A call leaves from the port of the listener, which goes on listening, and
// keeps its port to itself.
func TestCallsFromTheListenersPort(t *testing.T) {
	us, them := listen(t), listen(t)
	for range 3 {
		conn, err := Dial(t.Context(), us, netip.IPv6Loopback(), them.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		if conn.LocalAddr().String() != us.Addr().String() {
			t.Errorf("calls from %s, not %s", conn.LocalAddr(), us.Addr())
		}
		there, err := them.Accept()
		if err != nil {
			t.Fatal(err)
		}
		there.Close() // it is the one that waits, so that the pair is free again
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
		them = listen(t)
	}
	if _, err := net.Listen("tcp6", us.Addr().String()); err == nil {
		t.Error("the port is shared still")
	}
	in, err := net.Dial("tcp6", us.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

// One connection to a host is all that the port can have.
func TestThePortIsTaken(t *testing.T) {
	us, them := listen(t), listen(t)
	to := them.Addr().(*net.TCPAddr).AddrPort()
	first, err := Dial(t.Context(), us, netip.IPv6Unspecified(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Dial(t.Context(), us, netip.IPv6Loopback(), to); !errors.Is(err, ErrPort) {
		t.Errorf("the second one: %v", err)
	}
	them.Close()
	if _, err := Dial(t.Context(), us, netip.IPv6Loopback(), listen(t).Addr().(*net.TCPAddr).AddrPort()); err != nil {
		t.Errorf("another host: %v", err)
	}
}

func TestGivesUp(t *testing.T) {
	us := listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	// From loopback nothing gets there.
	if _, err := Dial(ctx, us, netip.IPv6Loopback(), netip.MustParseAddrPort("[2001:db8::1]:9")); err == nil {
		t.Error("connected with nobody")
	}
	if _, err := Dial(ctx, us, netip.MustParseAddr("2001:db8::77"), netip.MustParseAddrPort("[::1]:9")); err == nil {
		t.Error("called from an address of somebody else")
	}
}
