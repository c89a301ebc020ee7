package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

var (
	far  = netguard.Policy{}
	near = netguard.Policy{AllowPrivate: true}

	judges = &discovery{far: far, near: near}
)

func addrs(list ...string) (out []netip.AddrPort) {
	for _, s := range list {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

func TestBookTakesWhatTheSourceMayName(t *testing.T) {
	now := time.Unix(1e9, 0)
	own := addrs("[2001:db8::1]:7000")
	for _, c := range []struct {
		source share.Source
		addr   string
		taken  bool
	}{
		{share.FromDHT, "[2001:db8::2]:1", true},
		{share.FromDHT, "[2001:db8::2]:0", false},
		{share.FromDHT, "[2001:db8::1]:7000", false}, // this node
		{share.FromDHT, "[::1]:1", false},
		{share.FromPEX, "[fd00::1]:1", false},
		{share.FromTracker, "[fe80::1]:1", false},
		{share.FromPEX, "192.0.2.1:1", false},
		{share.FromPEX, "[::ffff:127.0.0.1]:1", false},
		{share.FromLink, "[::1]:1", true},
		{share.FromUser, "[fd00::1]:1", true},
		{share.FromLAN, "[fe80::1%eth0]:1", true},
		{share.FromLink, "[ff02::1]:1", false},
	} {
		b := newBook()
		if got := len(b.add(now, c.source, addrs(c.addr), judges.policy(c.source, own, nil), own)) == 1; got != c.taken {
			t.Errorf("%s from %s: taken %v", c.addr, c.source, got)
		}
	}
}

// A node on a private network believes neighbours in the DHT and in peer exchange, and
// nobody else.
func TestBookBelievesNeighbours(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		own    string
		source share.Source
		addr   string
		taken  bool
	}{
		{"[fd00::1]:7000", share.FromDHT, "[fd00::2]:1", true},
		{"[fd00::1]:7000", share.FromPEX, "[fd00::2]:1", true},
		{"[fd00::1]:7000", share.FromTracker, "[fd00::2]:1", false},
		{"[fd00::1]:7000", share.FromDHT, "[::1]:1", false},
		{"[fd00::1]:7000", share.FromDHT, "[fe80::2]:1", false},
		{"[fd00::1]:7000", share.FromDHT, "192.168.1.1:1", false},
		{"[::1]:7000", share.FromDHT, "[::1]:1", true},
		{"[::1]:7000", share.FromDHT, "[::1]:7000", false},
		{"[::1]:7000", share.FromTracker, "[::1]:1", false},
		{"[::1]:7000", share.FromDHT, "[fd00::2]:1", false},
		{"[2001:db8::1]:7000", share.FromDHT, "[fd00::2]:1", false},
		{"[2001:db8::1]:7000", share.FromDHT, "[fd00:1::2]:1", true}, // of the site of the host's other address
		{"[2001:db8::1]:7000", share.FromTracker, "[fd00:1::2]:1", false},
		{"[2001:db8::1]:7000", share.FromPEX, "[::1]:1", false},
	} {
		own := addrs(c.own)
		var local []netip.Addr
		for _, a := range own {
			local = append(local, a.Addr(), netip.MustParseAddr("fd00:1::1"))
		}
		b := newBook()
		if got := len(b.add(now, c.source, addrs(c.addr), judges.policy(c.source, own, local), own)) == 1; got != c.taken {
			t.Errorf("%s from %s at %s: taken %v", c.addr, c.source, c.own, got)
		}
	}
}

// Peers that are skipped for want of IPv4 are counted, each once, and no others.
func TestBookCountsPeersOfIPv4(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBook()
	for range 2 {
		b.add(now, share.FromTracker, addrs("8.8.8.8:1", "[::ffff:8.8.8.8]:1", "8.8.8.8:2", "192.168.1.1:1", "127.0.0.1:1", "8.8.8.8:0", "[::1]:1"), far, nil)
		b.add(now, share.FromLink, addrs("192.168.1.2:1"), near, nil)
	}
	if n := b.leftOut(); n != 3 || len(b.entries) != 0 {
		t.Errorf("%d skipped, %d taken", n, len(b.entries))
	}
	for i := range 2 * maxKnown {
		b.add(now, share.FromTracker, []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 8, 8}), uint16(i+1))}, far, nil)
	}
	if n := b.leftOut(); n != maxKnown {
		t.Errorf("%d skipped", n)
	}
	withIPv4 := netguard.Policy{IPv4: true}
	b = newBook()
	if b.add(now, share.FromTracker, addrs("8.8.8.8:1", "192.168.1.1:1"), withIPv4, nil); b.leftOut() != 0 || len(b.entries) != 1 {
		t.Errorf("with IPv4: %d skipped, %d taken", b.leftOut(), len(b.entries))
	}
}

func TestBookIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBook()
	b.add(now, share.FromLink, addrs("[2001:db8::1]:1"), far, nil)
	for i := range 5 * maxKnown {
		b.add(now.Add(time.Duration(i)), share.FromPEX, addrs(fmt.Sprintf("[2001:db8:1::%x]:1", i+1)), far, nil)
	}
	if len(b.entries) != maxKnown {
		t.Errorf("%d addresses", len(b.entries))
	}
	if _, ok := b.entries[addrs("[2001:db8::1]:1")[0]]; !ok {
		t.Error("the address of the link was pushed out")
	}
	b.add(now.Add(time.Hour), share.FromDHT, addrs("[2001:db8:2::1]:1"), far, nil)
	b.add(now.Add(time.Hour), share.FromDHT, addrs("[2001:db8:2::2]:1"), far, nil)
	if b.counts[share.FromDHT] != 2 {
		t.Error("what peers told keeps out what the DHT tells")
	}
}

func TestBookOffersLessAndLessOften(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBook()
	b.add(now, share.FromDHT, addrs("[2001:db8::1]:1"), far, nil)
	offers := 0
	for range 24 * 60 {
		offers += len(b.offer(now, nil))
		now = now.Add(time.Minute)
	}
	if offers < 20 || offers > 35 {
		t.Errorf("offered %d times in a day", offers)
	}
	b.again(now)
	if len(b.offer(now, map[netip.AddrPort]bool{addrs("[2001:db8::1]:1")[0]: true})) != 0 {
		t.Error("a connected peer was offered")
	}
}

// An address that is found by the v2 ID alone is asked by that, until it is found by
// the v1 ID, too.
func TestBookKnowsByWhichID(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBook()
	all := addrs("[2001:db8::1]:1", "[2001:db8::2]:1")
	b.foundByV2(true, b.add(now, share.FromDHT, all, far, nil))
	b.foundByV2(false, all[1:])
	b.foundByV2(true, b.add(now, share.FromDHT, all, far, nil))
	if !b.entries[all[0]].v2 || b.entries[all[1]].v2 {
		t.Errorf("%v and %v", b.entries[all[0]].v2, b.entries[all[1]].v2)
	}
}
