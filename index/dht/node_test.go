package dht

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that takes milliseconds.
const patience = 90 * time.Second

type testNode struct {
	*Node
	addr netip.AddrPort
	stop func()
}

// startNode runs a node on [::1] until the test ends.
func startNode(t *testing.T, change func(*Config)) *testNode {
	t.Helper()
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	return runNode(t, conn, change)
}

func runNode(t *testing.T, conn *net.UDPConn, change func(*Config)) *testNode {
	t.Helper()
	cfg := Config{Conns: []*net.UDPConn{conn}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return &testNode{n, conn.LocalAddr().(*net.UDPAddr).AddrPort(), stop}
}

func (n *testNode) id() (id nodeid.ID) {
	n.do(func(time.Duration) { id = n.core.ID() })
	return id
}

// startNetwork runs n nodes that all know the first.
func startNetwork(t *testing.T, n int) []*testNode {
	t.Helper()
	first := startNode(t, nil)
	nodes := []*testNode{first}
	for range n - 1 {
		nodes = append(nodes, startNode(t, func(c *Config) { c.Bootstrap = []string{first.addr.String()} }))
	}
	for _, n := range nodes {
		waitReady(t, n)
	}
	return nodes
}

func waitReady(t *testing.T, n *testNode) {
	t.Helper()
	select {
	case <-n.Ready():
	case <-time.After(patience):
		t.Fatalf("node is not ready: %+v", n.Stats())
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, patience, what, ok)
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(d)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func testID(name string) share.ID {
	var id share.ID
	copy(id[:], fmt.Sprintf("%-20s", name))
	return id
}

func TestAnnouncedIsFound(t *testing.T) {
	nodes := startNetwork(t, 12)
	id := testID("announced")
	announcer := nodes[3]
	announcer.Announce(id)
	eventually(t, "announced", func() bool { return announcer.Stats().Announce.Announced == 1 })
	for i, n := range nodes {
		if n == announcer {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		peers, err := n.GetPeers(ctx, id)
		cancel()
		if err != nil || !slices.Equal(peers, []netip.AddrPort{announcer.addr}) {
			t.Errorf("node %d found %v, %v; want %v", i, peers, err, announcer.addr)
		}
	}
}

func TestAnnouncesThePortItIsGiven(t *testing.T) {
	first := startNode(t, nil)
	second := startNode(t, func(c *Config) {
		c.Bootstrap = []string{first.addr.String()}
		c.Port = func() uint16 { return 4711 }
		c.Seeding = func(share.ID) bool { return true }
	})
	id := testID("port")
	second.Announce(id)
	eventually(t, "announced", func() bool { return second.Stats().Announce.Announced == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	peers, err := first.GetPeers(ctx, id)
	if want := netip.AddrPortFrom(second.addr.Addr(), 4711); err != nil || !slices.Equal(peers, []netip.AddrPort{want}) {
		// The only other node is the announcer itself, which holds nothing.
		if len(peers) != 0 || first.Stats().Peers != 1 {
			t.Errorf("found %v, %v; want %v", peers, err, want)
		}
	}
	seeds, others, err := second.Scrape(ctx, id)
	if err != nil || seeds != 1 || others != 0 {
		t.Errorf("scrape: %d seeds, %d others, %v; want 1, 0", seeds, others, err)
	}
}

func TestItems(t *testing.T) {
	nodes := startNetwork(t, 10)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	target, stored, err := nodes[1].PutImmutable(ctx, []byte("12:Hello World!"))
	if err != nil || stored < 5 {
		t.Fatalf("put: stored with %d, %v", stored, err)
	}
	v, err := nodes[7].GetImmutable(ctx, target)
	if err != nil || string(v) != "12:Hello World!" {
		t.Fatalf("got %q, %v", v, err)
	}

	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	item := func(seq int64, v string) index.Item {
		it := index.Item{Value: []byte(v), Key: index.ChannelID(pub), Salt: []byte("s"), Seq: seq}
		copy(it.Sig[:], bep44.Sign(key, it.Salt, seq, it.Value))
		return it
	}
	if _, err := nodes[2].PutMutable(ctx, item(1, "3:one"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[3].PutMutable(ctx, item(2, "3:two"), new(int64(1))); err != nil {
		t.Fatal(err)
	}
	got, err := nodes[8].GetMutable(ctx, index.ChannelID(pub), []byte("s"), -1)
	if err != nil || got.Seq != 2 || string(got.Value) != "3:two" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := nodes[8].GetMutable(ctx, index.ChannelID(pub), []byte("s"), 2); !errors.Is(err, index.ErrUnknown) {
		t.Errorf("newer than the newest: %v", err)
	}
	if _, err := nodes[4].PutMutable(ctx, item(1, "3:old"), nil); !errors.Is(err, index.ErrStale) {
		t.Errorf("older item: %v", err)
	}
	if _, err := nodes[4].PutMutable(ctx, item(3, "5:three"), new(int64(1))); !errors.Is(err, index.ErrStale) {
		t.Errorf("wrong cas: %v", err)
	}
	forged := item(9, "6:forged")
	forged.Sig[0]++
	if _, err := nodes[4].PutMutable(ctx, forged, nil); !errors.Is(err, index.ErrForged) {
		t.Errorf("forged item: %v", err)
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	nodes := startNetwork(t, 10)
	file := filepath.Join(t.TempDir(), "dht.nodes")
	n := startNode(t, func(c *Config) {
		c.Bootstrap, c.StateFile = []string{nodes[0].addr.String()}, file
	})
	waitReady(t, n)
	eventually(t, "table filled", func() bool { return n.Stats().Good >= 8 })
	n.stop()
	nodes[0].stop()
	again := startNode(t, func(c *Config) { c.StateFile = file })
	waitReady(t, again)
	if again.id() != n.id() {
		t.Error("the ID changed")
	}
}

// A node that finds its place keeps its name at once, not when it stops.
func TestStateIsSavedOnJoining(t *testing.T) {
	first := startNode(t, nil)
	file := filepath.Join(t.TempDir(), "dht.nodes")
	n := startNode(t, func(c *Config) {
		c.Bootstrap, c.StateFile = []string{first.addr.String()}, file
	})
	waitReady(t, n)
	eventually(t, "saved", func() bool {
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b), n.id().String()) && strings.Contains(string(b), first.addr.String())
	})
}

// What a node stores itself it finds when everybody else is gone, too.
func TestItemsHeldAlone(t *testing.T) {
	nodes := startNetwork(t, 2)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	target, _, err := nodes[1].PutImmutable(ctx, []byte("5:alone"))
	if err != nil {
		t.Fatal(err)
	}
	nodes[1].stop()
	eventually(t, "alone", func() bool {
		brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return errors.Is(nodes[0].Find(brief, testID("x"), func([]netip.AddrPort) {}), context.DeadlineExceeded) && nodes[0].Stats().Offline
	})
	if v, err := nodes[0].GetImmutable(ctx, target); err != nil || string(v) != "5:alone" {
		t.Errorf("got %q, %v", v, err)
	}
	brief, cancel2 := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel2()
	if _, err := nodes[0].GetImmutable(brief, testID("nothing")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("what nobody has: %v", err)
	}
}
