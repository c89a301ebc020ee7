package engine

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
)

// Who calls unasked is a stranger; who was called before is none.
func TestStrangers(t *testing.T) {
	t.Parallel()
	type meeting struct {
		local netip.Addr
		from  netip.AddrPort
	}
	told := make(chan meeting, 10)
	hear := func(c *Config) {
		c.OnStranger = func(local netip.Addr, from netip.AddrPort) { told <- meeting{local, from} }
	}
	a, b := newNode(t, hear), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	select {
	case m := <-told:
		if m.local != a.addr.Addr() || m.from.Addr() != b.addr.Addr() {
			t.Errorf("told of %+v", m)
		}
	case <-time.After(patience):
		t.Fatal("not told")
	}

	// Now the first calls the second, and then is called by it.
	other := b.share(someFiles(t))
	a.fetch(other.Link, t.TempDir(), anywhere)
	a.waitState(other.ID, share.Seeding)
	for len(told) > 0 {
		<-told
	}
	third := a.share(someFiles(t))
	b.fetch(third.Link, t.TempDir(), anywhere)
	b.waitState(third.ID, share.Seeding)
	if len(told) > 0 {
		t.Errorf("told of %+v, whom it had called", <-told)
	}
}

// A node does not call back who is on its own network, whatever its user allows,
// and says so.
func TestDialBackIsDeclinedAtHome(t *testing.T) {
	t.Parallel()
	a := newNode(t, func(c *Config) { c.AllowPrivate = true })
	shared := a.share(someFiles(t))
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp6", a.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	r := dialback.Request{Nonce: dialback.NewNonce(), TCP: port, UDP: port}
	got, err := dialback.Ask(t.Context(), conn, shared.ID, "test", r)
	want := dialback.Answer{Nonce: r.Nonce, TCP: dialback.Declined, UDP: dialback.Declined, Seen: netip.IPv6Loopback()}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	_ = l.(*net.TCPListener).SetDeadline(time.Now()) // the answer has come: who was to call has called
	if c, err := l.Accept(); err == nil {
		c.Close()
		t.Error("it was called")
	}
}
