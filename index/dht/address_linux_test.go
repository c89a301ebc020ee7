package dht

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/share"
)

// A node bound to all addresses of a host with three answers from the one that
// was asked, in both protocols on its port.
func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	ns := newNamespace(t)
	var addrs []netip.Addr
	for i := range 3 {
		addrs = append(addrs, ns.add(fmt.Sprintf("2001:db8:a:%x::1", i+1)))
	}
	conn := ns.listen(netip.MustParseAddrPort("[::]:0"))
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	n := runNode(t, conn, nil)
	other := n.Other()
	go func() {
		b := make([]byte, 100)
		for {
			size, from, err := other.ReadFrom(b)
			if err != nil {
				return
			}
			other.WriteTo(b[:size], from)
		}
	}()
	client := ns.listen(netip.AddrPortFrom(ns.add("2001:db8:b:1::1"), 0))
	defer client.Close()
	for _, datagram := range []string{aPing, "\x41utp"} {
		for _, a := range addrs {
			answeredFrom(t, client, netip.AddrPortFrom(a, port), datagram)
		}
	}
}

const aPing = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"

// answeredFrom sends a datagram and fails unless the answer comes from there. It
// passes over what the node itself asks.
func answeredFrom(t *testing.T, client *net.UDPConn, to netip.AddrPort, datagram string) {
	t.Helper()
	if _, err := client.WriteToUDPAddrPort([]byte(datagram), to); err != nil {
		t.Fatal(err)
	}
	client.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 1000)
	for {
		size, from, err := client.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		if from != to {
			t.Errorf("%.10q: asked %v, %q from %v", datagram, to, b[:size], from)
		}
		if !bytes.HasSuffix(b[:size], []byte("1:y1:qe")) {
			return
		}
	}
}

// On the link, too, where an address means nothing without its interface.
func TestRepliesOnTheLink(t *testing.T) {
	ns := newNamespace(t)
	ns.add("fe80::a")
	ns.add("fe80::b")
	ns.add("fe80::c")
	conn := ns.listen(netip.MustParseAddrPort("[::]:0"))
	runNode(t, conn, nil)
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	client := ns.listen(netip.MustParseAddrPort("[fe80::c%lo]:0"))
	defer client.Close()
	answeredFrom(t, client, netip.AddrPortFrom(netip.MustParseAddr("fe80::a%lo"), port), aPing)
	// Another of its addresses, for another client, or its ping would come again.
	client2 := ns.listen(netip.MustParseAddrPort("[fe80::c%lo]:0"))
	defer client2.Close()
	answeredFrom(t, client2, netip.AddrPortFrom(netip.MustParseAddr("fe80::b%lo"), port), aPing)
}

// Queries leave from the best of this host's addresses, whatever the system
// would choose; when it has gone, from another until a better one is known. A
// reply leaves from the address asked or not at all.
func TestQueriesLeaveFromTheBestAddress(t *testing.T) {
	ns := newNamespace(t)
	best := []netip.Addr{ns.add("2001:db8:a:2::1")}
	for _, a := range []string{"2001:db8:a:1::1", "2001:db8:a:3::1"} {
		ns.add(a)
	}
	var mu sync.Mutex
	conn := ns.listen(netip.MustParseAddrPort("[::]:0"))
	n := runNode(t, conn, func(c *Config) {
		c.Addresses = func() []netip.Addr {
			mu.Lock()
			defer mu.Unlock()
			return best
		}
	})
	b := make([]byte, 1000)
	asked := 0
	// queried has the node ask somebody new, and gives the address it asks from.
	queried := func() netip.Addr {
		t.Helper()
		asked++
		client := ns.listen(netip.AddrPortFrom(ns.add(fmt.Sprintf("2001:db8:b:%x::1", asked)), 0))
		defer client.Close()
		n.AddNode(client.LocalAddr().(*net.UDPAddr).AddrPort())
		client.SetReadDeadline(time.Now().Add(patience))
		size, from, err := client.ReadFromUDPAddrPort(b)
		if err != nil || !bytes.Contains(b[:size], []byte("find_node")) {
			t.Fatalf("%q, %v", b[:size], err)
		}
		return from.Addr()
	}
	if from := queried(); from != best[0] {
		t.Errorf("asked from %v, not %v", from, best[0])
	}
	ns.ip("-n", ns.name, "addr", "del", best[0].String()+"/64", "dev", "lo")
	if from := queried(); from == best[0] {
		t.Errorf("asked from %v, which is gone", from)
	}
	client := ns.listen(netip.AddrPortFrom(ns.add("2001:db8:b:ff::1"), 0))
	defer client.Close()
	to := client.LocalAddr().(*net.UDPAddr).AddrPort()
	n.do(func(time.Duration) {
		if n.send([]byte("a reply"), to, core.Via{Socket: 0, Addr: best[0]}) {
			t.Error("a reply left although the address asked is gone")
		}
	})
	mu.Lock()
	best = []netip.Addr{netip.MustParseAddr("2001:db8:a:3::1")}
	mu.Unlock()
	n.AddressesChanged()
	if from := queried(); from != best[0] {
		t.Errorf("asked from %v, not %v", from, best[0])
	}
}

// When a host's prefix changes, its node moves along: a new ID, and what it
// announces is found at the new address.
func TestRenumbering(t *testing.T) {
	ns := newNamespace(t)
	var nodes []*testNode
	for i := range 6 {
		addr := ns.add(fmt.Sprintf("2001:db8:c:%x::1", i+1))
		nodes = append(nodes, runNode(t, ns.listen(netip.AddrPortFrom(addr, 0)), func(c *Config) {
			if i > 0 {
				c.Bootstrap = []string{nodes[0].addr.String()}
			}
			c.Addresses = func() []netip.Addr { return []netip.Addr{addr} }
		}))
	}
	var mu sync.Mutex
	addr := ns.add("2001:db8:d:1::1")
	conn := ns.listen(netip.MustParseAddrPort("[::]:0"))
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	mover := runNode(t, conn, func(c *Config) {
		c.Bootstrap = []string{nodes[0].addr.String()}
		c.Addresses = func() []netip.Addr {
			mu.Lock()
			defer mu.Unlock()
			return []netip.Addr{addr}
		}
	})
	waitReady(t, mover)
	id := share.ID{1, 2, 3}
	mover.Announce(id)
	find := func(want netip.Addr) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		eventually(t, fmt.Sprintf("found at %v", want), func() bool {
			peers, err := nodes[4].GetPeers(ctx, id)
			return err == nil && slices.Contains(peers, netip.AddrPortFrom(want, port))
		})
	}
	find(addr)
	before := mover.id()

	fresh := ns.add("2001:db8:d:2::1")
	ns.ip("-n", ns.name, "addr", "del", "2001:db8:d:1::1/64", "dev", "lo")
	mu.Lock()
	addr = fresh
	mu.Unlock()
	mover.AddressesChanged()
	find(fresh)
	if mover.id() == before {
		t.Error("the ID did not change with the address")
	}
}
