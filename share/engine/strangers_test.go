package engine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
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
	a.fetch(other.Link, t.TempDir())
	a.waitState(other.ID, share.Seeding)
	for len(told) > 0 {
		<-told
	}
	third := a.share(someFiles(t))
	b.fetch(third.Link, t.TempDir())
	b.waitState(third.ID, share.Seeding)
	if len(told) > 0 {
		t.Errorf("told of %+v, whom it had called", <-told)
	}
}

func TestCalledIsBounded(t *testing.T) {
	var c called
	first := netip.MustParseAddr("2001:db8::1")
	c.note(first)
	if c.has(netip.MustParseAddr("2001:db8::2")) || !c.has(first) {
		t.Error("remembers another")
	}
	a := first
	for range 2 * maxCalled {
		a = a.Next()
		c.note(a)
	}
	if len(c.hosts) > maxCalled || !c.has(first) {
		t.Errorf("%d hosts; who was forgotten must not pass for a stranger", len(c.hosts))
	}
}
