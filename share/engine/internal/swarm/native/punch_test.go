package native

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/punch"
)

// A connection that was arranged goes to the dial that waits for it, or to the
// next one, or is closed.
func TestPunchedConnectionsAreTakenUp(t *testing.T) {
	p := newPunches(newRegistry(slog.New(slog.DiscardHandler), netguard.Policy{}, 1, true, time.Now), &either{}, nil)
	a := netip.MustParseAddrPort("[2001:db8::1]:6881")
	pipe := func() (net.Conn, func() bool) {
		ours, theirs := net.Pipe()
		return ours, func() bool {
			_ = theirs.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, err := theirs.Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
	}
	waiting, stop := p.wait(a)
	one, closed := pipe()
	if !p.deliver(a, one) || <-waiting != one {
		t.Error("the dial that waits does not get it")
	}
	stop()
	if closed() {
		t.Error("it was closed after it was taken")
	}
	if p.deliver(a, one) {
		t.Error("nobody waits any more")
	}
	waiting, stop = p.wait(a)
	if <-waiting != one {
		t.Error("the next dial does not get it")
	}
	stop()
	waiting, stop = p.wait(a)
	two, closed := pipe()
	p.deliver(a, two)
	stop()
	if len(waiting) > 0 || !closed() {
		t.Error("the dial ended otherwise, and the connection stays open")
	}
	three, closed := pipe()
	p.deliver(a, three)
	p.drop(a, three)
	if !closed() || len(p.made) > 0 {
		t.Error("one that nobody wanted stays open")
	}
	four, closed := pipe()
	p.deliver(a, four)
	p.closeAll()
	if !closed() {
		t.Error("one stays open at the end")
	}
}

// Where peers say they are may not lead to anything private.
func TestNothingPrivateIsPunched(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newRegistry(slog.New(slog.DiscardHandler), netguard.Policy{AllowPrivate: true}, 10, true, time.Now)
	p := newPunches(r, &either{}, nil)
	p.from = []*net.TCPListener{l.(*net.TCPListener)}
	for _, to := range []string{l.Addr().String(), "[fe80::1]:6881", "[fd00::1]:6881", "192.168.1.1:6881", "[2001:db8::1]:0"} {
		if nc := p.call(t.Context(), netip.IPv6Loopback(), netip.IPv6Loopback(), netip.MustParseAddrPort(to)); nc != nil {
			t.Errorf("%s is connected", to)
		}
	}
	if r.called.has(netip.IPv6Loopback()) || r.called.has(netip.MustParseAddr("fd00::1")) {
		t.Error("called a private address")
	}
}

// After a connection that ended soon, since both sides had called at once for different
// content, one call leaves from any port.
func TestACallThatMetAnotherIsNotRepeatedFromThePort(t *testing.T) {
	listen := func() *net.TCPListener {
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.(*net.TCPListener)
	}
	us, to := listen(), listen().Addr().(*net.TCPAddr).AddrPort()
	p := newPunches(newRegistry(slog.New(slog.DiscardHandler), netguard.Policy{}, 1, true, time.Now), &either{}, nil)
	p.from = []*net.TCPListener{us}
	p.met.note(to)
	if _, err := p.callFromListener(t.Context(), netip.IPv6Loopback(), to); !errors.Is(err, punch.ErrPort) {
		t.Errorf("called: %v", err)
	}
	nc, err := p.callFromListener(t.Context(), netip.IPv6Loopback(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if nc.LocalAddr().String() != us.Addr().String() {
		t.Errorf("the next one left from %s", nc.LocalAddr())
	}
}
