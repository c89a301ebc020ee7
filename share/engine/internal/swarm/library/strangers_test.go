package library

import (
	"net/netip"
	"testing"
)

func TestCalledIsBounded(t *testing.T) {
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
	if n := len(c.now) + len(c.elder); n > 2*maxCalled || c.has(first) {
		t.Errorf("%d hosts are remembered", n)
	}
}
