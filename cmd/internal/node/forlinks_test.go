package node

import (
	"net/netip"
	"slices"
	"testing"
)

// A link has x.pe=[::1] only if the node listens on loopback alone.
func TestLoopbackInLinks(t *testing.T) {
	parse := func(texts ...string) (out []netip.AddrPort) {
		for _, s := range texts {
			out = append(out, netip.MustParseAddrPort(s))
		}
		return out
	}
	for _, c := range []struct{ listen, own, want []netip.AddrPort }{
		{parse("[::1]:1"), parse("[::1]:1"), parse("[::1]:1")},
		{parse("[::1]:1", "127.0.0.1:1"), parse("[::1]:1", "127.0.0.1:1"), parse("[::1]:1", "127.0.0.1:1")},
		{parse("[::]:1"), parse("[::1]:1"), nil},
		{parse("[::]:1"), parse("[2001:db8::1]:1", "[::1]:1"), parse("[2001:db8::1]:1")},
		{parse("[::1]:1", "[2001:db8::1]:2"), parse("[::1]:1", "[2001:db8::1]:2"), parse("[2001:db8::1]:2")},
	} {
		if got := forLinks(c.listen, slices.Clone(c.own)); !slices.Equal(got, c.want) {
			t.Errorf("listening at %v: %v, want %v", c.listen, got, c.want)
		}
	}
}
