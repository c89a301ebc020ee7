//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Lab is one internet. Its methods end the test on failure and, like the
// methods of everything it makes, are called from the test's goroutine.
type Lab struct {
	t        testing.TB
	core     *space
	homes    int
	links    int
	starter  *starter
	patience time.Duration
}

// New makes an internet without hosts. It ends with the test.
func New(t testing.TB) *Lab {
	t.Helper()
	Root(t)
	Tool(t, "ip", "iproute2")
	Tool(t, "nft", "nftables")
	l := &Lab{t: t, starter: newStarter(), patience: 2 * time.Minute}
	t.Cleanup(l.starter.stop)
	l.core = l.space("core")
	l.core.sysctl("ipv6/conf/all/forwarding", "1")
	return l
}

func (l *Lab) space(name string) *space {
	l.t.Helper()
	s := newSpace(l.t, name)
	l.t.Cleanup(func() {
		if err := s.close(); err != nil {
			l.t.Errorf("closing %s: %v", name, err)
		}
	})
	return s
}

// Home makes a router with a firewall, a LAN behind it, and one host on that
// LAN, and returns the host. Without options strangers may connect to it.
func (l *Lab) Home(name string, options ...Option) *Host {
	l.t.Helper()
	return l.Router(name, options...).Host(name)
}

// Router makes a home without hosts.
func (l *Lab) Router(name string, options ...Option) *Router {
	l.t.Helper()
	l.homes++
	r := &Router{
		Link:   Link{lab: l, space: l.space(name + "'s router"), bridge: "lan"},
		number: l.homes,
	}
	r.Box = &Host{Name: r.space.name, lab: l, space: r.space, Addr: r.Address()}
	l.t.Cleanup(r.Box.end)
	var o home
	for _, option := range options {
		option(&o)
	}
	r.build(o)
	return r
}

// LAN makes a link with no router: hosts on it have an address each from a
// unique local prefix (RFC 4193) and no way out.
func (l *Lab) LAN(name string) *Link {
	l.t.Helper()
	l.links++
	k := &Link{
		lab: l, space: l.space(name), bridge: "lan",
		prefix: netip.PrefixFrom(address(fmt.Sprintf("fd00:db8:%x::", l.links)), 64),
	}
	k.build()
	return k
}

// address parses a literal written in this package.
func address(s string) netip.Addr { return netip.MustParseAddr(s) }

// in returns address n of prefix.
func in(prefix netip.Prefix, n int) netip.Addr {
	b := prefix.Addr().As16()
	b[14], b[15] = byte(n>>8), byte(n)
	return netip.AddrFrom16(b)
}
