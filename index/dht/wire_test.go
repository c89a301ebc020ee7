package dht

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/core"
	"github.com/shoalnet/shoal/share"
)

// Names are resolved to IPv6 addresses only, and asked for again until the
// network is found.
func TestBootstrapByName(t *testing.T) {
	first := startNode(t, nil)
	var asked atomic.Int32
	n := startNode(t, func(c *Config) {
		c.Bootstrap = []string{fmt.Sprintf("router.example:%d", first.addr.Port()), "broken.example:99999", "127.0.0.1:1"}
		c.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
			if host != "router.example" {
				return nil, errors.New("no such host")
			}
			asked.Add(1)
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}, nil
		}
	})
	waitReady(t, n)
	if asked.Load() == 0 {
		t.Error("the resolver was not asked")
	}
}

func TestBadConfig(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a node without a socket was made")
	}
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := New(Config{Conns: []*net.UDPConn{conn}, Bootstrap: []string{"no port"}}); share.KindOf(err) != share.Usage {
		t.Errorf("a bootstrap host without port: %v", err)
	}
}

// A node that knows nobody waits: nothing blocks, and a search ends with its
// context or with the node.
func TestNobody(t *testing.T) {
	n := startNode(t, nil)
	n.Announce(testID("a"))
	n.Withdraw(testID("a"))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := n.Find(ctx, testID("a"), func([]netip.AddrPort) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("search: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Find(context.Background(), testID("a"), func([]netip.AddrPort) {}) }()
	n.stop()
	if err := <-done; !errors.Is(err, ErrStopped) {
		t.Errorf("search in a node that stops: %v", err)
	}
	if err := n.Run(context.Background()); err == nil {
		t.Error("it ran twice")
	}
}

// A peer's PORT message is all a node needs to find the network, and a search
// begun before that goes on then.
func TestAddNode(t *testing.T) {
	nodes := startNetwork(t, 4)
	id := testID("port message")
	nodes[1].Announce(id)
	eventually(t, "announced", func() bool { return nodes[1].Stats().Announce.Announced == 1 })
	n := startNode(t, nil)
	found := make(chan netip.AddrPort, 10)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- n.Find(ctx, id, func(peers []netip.AddrPort) {
			for _, p := range peers {
				found <- p
			}
		})
	}()
	n.AddNode(nodes[2].addr)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := <-found; p != nodes[1].addr || len(found) != 0 {
		t.Errorf("found %v and %d more", p, len(found))
	}
}

// After sleep, which shows in the wall clock only, everything is announced
// again, also where the clock was set back meanwhile.
func TestSleep(t *testing.T) {
	// So many that they are enough: what too few took is announced again anyway.
	nodes := startNetwork(t, 10)
	var ahead atomic.Int64
	n := startNode(t, func(c *Config) {
		c.Bootstrap = []string{nodes[0].addr.String()}
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	waitReady(t, n)
	eventually(t, "acquainted", func() bool { return n.Stats().Good >= 9 })
	n.Announce(testID("sleep"))
	for i, at := range []time.Duration{0, time.Hour, -24 * time.Hour, -23 * time.Hour} {
		ahead.Store(int64(at))
		n.AddNode(nodes[0].addr) // something to wake up for
		eventually(t, "announced", func() bool { return n.Stats().Announce.Announced == uint64(1+i) })
	}
}

func TestUnsolicitedIsTold(t *testing.T) {
	var mu sync.Mutex
	var from []netip.AddrPort
	n := startNode(t, func(c *Config) {
		c.OnUnsolicited = func(a netip.AddrPort, local netip.Addr, at time.Time) {
			mu.Lock()
			defer mu.Unlock()
			if local.IsLoopback() && time.Since(at) < time.Minute {
				from = append(from, a)
			}
		}
	})
	other := startNode(t, func(c *Config) { c.Bootstrap = []string{n.addr.String()} })
	waitReady(t, other)
	eventually(t, "told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(from, []netip.AddrPort{other.addr})
	})
}

// The other protocol on the port gets what is not ours, and behaves as a
// net.PacketConn should.
func TestOther(t *testing.T) {
	a, b := startNode(t, nil), startNode(t, nil)
	x, y := a.Other(), b.Other()
	if _, err := x.WriteTo([]byte("\x41hello"), net.UDPAddrFromAddrPort(b.addr)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	size, from, err := y.ReadFrom(buf)
	if err != nil || string(buf[:size]) != "\x41hello" || from.String() != a.addr.String() {
		t.Errorf("%q from %v, %v", buf[:size], from, err)
	}
	y.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := y.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	y.SetDeadline(time.Time{})
	if x.LocalAddr().String() != a.addr.String() {
		t.Errorf("local address %v", x.LocalAddr())
	}
	if _, err := x.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
		t.Error("wrote to a TCP address")
	}
	// Nobody reads: what is too much is dropped, and nothing waits.
	for range 2 * otherQueue {
		x.WriteTo([]byte("\x41flood"), net.UDPAddrFromAddrPort(b.addr))
	}
	waiting := make(chan error, 1)
	go func() {
		for {
			if _, _, err := y.ReadFrom(make([]byte, 10)); err != nil {
				waiting <- err
				return
			}
		}
	}()
	b.stop()
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read from a node that stopped: %v", err)
	}
	if _, err := y.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(a.addr)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write by a node that stopped: %v", err)
	}
}

// Several datagrams move at once, and those of the DHT among them reach it.
func TestOtherMovesSegments(t *testing.T) {
	a, b := startNode(t, nil), startNode(t, nil)
	type segments interface {
		ReadSegments(b []byte) (n, size int, from netip.AddrPort, at netip.Addr, err error)
		WriteSegments(b []byte, size int, to netip.AddrPort, from netip.Addr, fragment bool) error
	}
	x, y := a.Other().(segments), b.Other().(segments)
	var sent []byte
	for i := range 10 {
		sent = append(sent, bytes.Repeat([]byte{'A' + byte(i)}, 1000)...)
	}
	sent = append(sent, bytes.Repeat([]byte{'Z'}, 500)...)
	for _, fragment := range []bool{false, true} {
		if err := x.WriteSegments(sent, 1000, b.addr, netip.Addr{}, fragment); err != nil {
			t.Fatal(err)
		}
		var got []byte
		buf := make([]byte, joinedMax)
		for len(got) < len(sent) {
			n, size, from, at, err := y.ReadSegments(buf)
			if err != nil || from != a.addr || at != b.addr.Addr() || size != 1000 && size != 500 {
				t.Fatalf("%d bytes, each %d, from %v to %v, %v", n, size, from, at, err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes of %d came", len(got), len(sent))
		}
	}
	// One at a time, whatever came together.
	if err := x.WriteSegments(sent, 1000, b.addr, netip.Addr{}, false); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, joinedMax)
	for i := range 11 {
		n, _, err := b.Other().ReadFrom(buf)
		if want := sent[i*1000 : min((i+1)*1000, len(sent))]; err != nil || !bytes.Equal(buf[:n], want) {
			t.Fatalf("%d: %d bytes, %v", i, n, err)
		}
	}
	// Those of the DHT among them are the DHT's.
	client, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	other := bytes.Repeat([]byte{'A'}, len(aQuery))
	mixed := slices.Concat(other, other, []byte(aQuery), other, []byte(aQuery))
	b.arrived(mixed, len(aQuery), client.LocalAddr().(*net.UDPAddr).AddrPort(), core.Via{Addr: b.addr.Addr()})
	for range 3 {
		if n, _, err := b.Other().ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], other) {
			t.Fatalf("%q, %v", buf[:n], err)
		}
	}
	client.SetReadDeadline(time.Now().Add(patience))
	for answers := 0; answers < 2; {
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix(buf[:n], []byte("1:y1:re")) {
			answers++
		}
	}
}

const aQuery = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"

// As many datagrams as this machine can send, for a second, at a node in a small
// network: searches through it succeed all the while, and memory is bounded.
func TestFloodOnTheWire(t *testing.T) {
	nodes := startNetwork(t, 6)
	victim := nodes[2]
	id := testID("flood")
	victim.Announce(id)
	eventually(t, "announced", func() bool { return victim.Stats().Announce.Announced == 1 })
	stop := make(chan struct{})
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range 4 { // on this host each socket is a source of its own
		conn, err := net.DialUDP("udp6", nil, net.UDPAddrFromAddrPort(victim.addr))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close()
			query := []byte("d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe")
			for {
				select {
				case <-stop:
					return
				default:
				}
				for range 50 {
					query[15] = byte(sent.Add(1))
					conn.Write(query)
				}
			}
		})
	}
	begin := time.Now()
	for i := 0; time.Since(begin) < time.Second || i < 5; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		peers, err := nodes[i%2].GetPeers(ctx, id)
		cancel()
		if err != nil || !slices.Contains(peers, victim.addr) {
			t.Fatalf("search %d during the flood: %v, %v", i, peers, err)
		}
	}
	close(stop)
	wg.Wait()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s := victim.Stats()
	t.Logf("%d sent in %v, %d arrived, %d passed over, %d MiB in use", sent.Load(), time.Since(begin).Round(time.Millisecond), s.In, s.Limited, m.HeapAlloc>>20)
	if s.Limited == 0 || m.HeapAlloc > 100<<20 {
		t.Errorf("%d passed over, %d bytes in use", s.Limited, m.HeapAlloc)
	}
}
