package library

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	holepunch "github.com/anacrolix/torrent/peer_protocol/ut-holepunch"
)

// A connection that was arranged goes to the dial that waits for it, or to the
// next one, or is closed.
func TestPunchedConnectionsFindTheirDial(t *testing.T) {
	p := newPuncher(time.Now)
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
func TestPunchesNothingPrivate(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := start(t)
	ours, theirs := net.Pipe()
	defer theirs.Close()
	by := &conn{Conn: &cornered{ours, &net.TCPAddr{IP: net.IPv6loopback, Port: 1}}}
	for _, to := range []string{l.Addr().String(), "[fe80::1]:6881", "[fd00::1]:6881", "192.168.1.1:6881", "[2001:db8::1]:0"} {
		c.punch(&Swarm{}, by, netip.MustParseAddrPort(to))
	}
	if c.gate.called.has(netip.IPv6Loopback()) || c.gate.called.has(netip.MustParseAddr("fd00::1")) {
		t.Error("called a private address")
	}
	var m holepunch.Msg
	for _, b := range []string{"", "\x01", "\x01\x02aaaaaaaaaaaaaaaaaaaaaa", string(make([]byte, 300))} {
		if err := m.UnmarshalBinary([]byte(b)); err == nil && len(b) != 12 && len(b) != 24 {
			t.Errorf("%q is read as %+v", b, m)
		}
	}
}

// cornered is a connection with a local address of the test's choice.
type cornered struct {
	net.Conn
	local net.Addr
}

func (f *cornered) LocalAddr() net.Addr { return f.local }
