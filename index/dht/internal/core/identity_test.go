package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

func newIdentity() *identity {
	c := newClock([32]byte{1})
	c.enter(time.Hour)
	return &identity{clock: c, table: table.New(nodeid.ID{1, 2, 3}, false)}
}

func TestAnIdentityFollowsTheMajority(t *testing.T) {
	i := newIdentity()
	seen, other := netip.MustParseAddr("2001:db8:5::5"), netip.MustParseAddr("2001:db8:6::6")
	for n := range votesNeeded - 1 {
		if i.vote(stranger(n), seen) {
			t.Fatalf("%d votes changed the ID", n+1)
		}
	}
	if i.vote(stranger(0), seen) || i.vote(stranger(50), netip.MustParseAddr("fd00::1")) {
		t.Fatal("a vote given twice, or for a local address, counted")
	}
	if !i.vote(stranger(votesNeeded), seen) || !nodeid.Fits(i.ID(), seen) {
		t.Fatalf("the ID is %v and does not fit %v", i.ID(), seen)
	}
	// Others may not make it change again at once.
	first := i.ID()
	for n := range 20 {
		i.vote(stranger(100+n), other)
	}
	if i.ID() != first || i.votes.winner != other {
		t.Fatalf("the ID is %v, was %v; seen at %v", i.ID(), first, i.votes.winner)
	}
	i.enter(i.now + renameEvery)
	if !i.fit() || !nodeid.Fits(i.ID(), other) {
		t.Errorf("the ID is %v and does not fit %v", i.ID(), other)
	}
}

func TestAnIdentityBelievesItsHostFirst(t *testing.T) {
	i := newIdentity()
	own, zoned := netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("fe80::1%eth0")
	if !i.setAddresses([]netip.Addr{zoned, own}) || !nodeid.Fits(i.ID(), own) || i.self() != netip.AddrPortFrom(own, 0) {
		t.Fatalf("the ID is %v, our address %v", i.ID(), i.self())
	}
	if i.setAddresses([]netip.Addr{own}) {
		t.Error("the same address is reported as a change")
	}
	for n := range 20 {
		if i.vote(stranger(n), netip.MustParseAddr("2001:db8:6::6")) {
			t.Fatal("strangers changed the ID of a node that knows its address")
		}
	}
	i.tcp = func() uint16 { return 7000 }
	if got := i.self(); got.Port() != 7000 {
		t.Errorf("our port is %d", got.Port())
	}
}

func TestAClockFiresWhatIsDue(t *testing.T) {
	c := newClock([32]byte{1})
	var fired []string
	var a, b timer
	b.fire = func() { fired = append(fired, "b") }
	a.fire = func() {
		fired = append(fired, "a")
		c.set(&b, 0)
	}
	if _, any := c.deadline(); any {
		t.Error("a deadline without timers")
	}
	c.setAt(&a, 2*time.Second)
	c.enter(time.Second)
	c.fire()
	if at, any := c.deadline(); len(fired) > 0 || !any || at != 2*time.Second {
		t.Errorf("%v fired, the next at %v", fired, at)
	}
	c.enter(2 * time.Second)
	c.enter(time.Second)
	if c.fire(); c.now != 2*time.Second || len(fired) != 2 || fired[0] != "a" {
		t.Errorf("%v fired at %v", fired, c.now)
	}
}
