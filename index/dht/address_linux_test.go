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
	ping := "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"
	for _, datagram := range []string{ping, "\x41utp"} {
		for _, a := range addrs {
			to := netip.AddrPortFrom(a, port)
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
					t.Errorf("%.10q: asked %v, answered by %v", datagram, to, from)
				}
				if !bytes.HasSuffix(b[:size], []byte("1:y1:qe")) {
					break // it was not the node's own ping
				}
			}
		}
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
