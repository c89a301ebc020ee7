package native

import (
	"crypto/sha1"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// testContent is content of so many pieces of 64 KiB, and a disk that has all of
// it or nothing.
func testContent(pieces int, all bool) (face.Content, *testDisk) {
	const length = 64 << 10
	data := make([]byte, pieces*length)
	_, _ = rand.NewChaCha8([32]byte{byte(pieces)}).Read(data)
	var hashes []byte
	for i := range pieces {
		sum := sha1.Sum(data[i*length:][:length])
		hashes = append(hashes, sum[:]...)
	}
	info := fmt.Appendf(nil, "d6:lengthi%de4:name4:file12:piece lengthi%de6:pieces%d:%se", len(data), length, len(hashes), hashes)
	d := &testDisk{length: length, data: make([]byte, len(data)), have: make([]bool, pieces), done: make(chan struct{})}
	if all {
		copy(d.data, data)
		for i := range d.have {
			d.have[i] = true
		}
	}
	return face.Content{ID: sha1.Sum(info), Info: info, Storage: d}, d
}

// testDisk is a face.Storage in memory.
type testDisk struct {
	length int

	mu   sync.Mutex
	data []byte
	have []bool
	done chan struct{} // closed once all is there
}

func (d *testDisk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return copy(p, d.data[off:]), nil
}

func (d *testDisk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return copy(d.data[off:], p), nil
}

func (d *testDisk) CopyPiece(i int, n int64, w io.Writer) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, err := w.Write(d.data[i*d.length:][:n])
	return int64(m), err
}

func (d *testDisk) Completion(i int) (known, complete bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return true, d.have[i]
}

func (d *testDisk) mark(i int, have bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.have[i] = have; !slices.Contains(d.have, false) {
		close(d.done)
	}
	return nil
}

func (d *testDisk) MarkComplete(i int) error    { return d.mark(i, true) }
func (d *testDisk) MarkNotComplete(i int) error { return d.mark(i, false) }

func testNetwork(t *testing.T, change func(*face.Config)) (*Network, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := face.Config{
		Logger: slog.New(slog.DiscardHandler), Client: "shoal test", Now: time.Now,
		Listeners: []net.Listener{l}, Policy: netguard.Policy{AllowPrivate: true}, MaxConns: 100,
	}
	if change != nil {
		change(&cfg)
	}
	n := New(cfg)
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, netip.MustParseAddrPort(l.Addr().String())
}

func attach(t *testing.T, n *Network, c face.Content) *Swarm {
	t.Helper()
	s, err := n.Attach(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Detach)
	return s.(*Swarm)
}

// await takes from c, for as long as a slow machine may need.
func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("no %s after a minute", what)
		panic("unreachable")
	}
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after a minute", what)
		}
	}
}

// Who comes from a host that was never called is a stranger; each end tells the
// other the port of its DHT node; both learn that the other dials back, and as
// which address it sees them; and only who has a port is a helper.
func TestWhatAConnectionTells(t *testing.T) {
	strangers, nodes := make(chan netip.AddrPort, 10), make(chan netip.AddrPort, 10)
	a, addr := testNetwork(t, func(c *face.Config) {
		c.Events.Stranger = func(_ netip.Addr, from netip.AddrPort) { strangers <- from }
		c.DHTPort = func() uint16 { return 1111 }
	})
	b, own := testNetwork(t, func(c *face.Config) {
		c.Events.DHTNode = func(at netip.AddrPort) { nodes <- at }
		c.DHTPort = func() uint16 { return 2222 }
	})
	seed, _ := testContent(3, true)
	attach(t, a, seed)
	want, disk := testContent(3, false)
	s := attach(t, b, want)
	s.SetPriorities(face.Change{From: 0, To: 3, Is: face.Normal})
	s.AddPeers([]face.Peer{{Addr: addr, Source: share.FromTracker}})
	await(t, "content", disk.done)
	if from := await(t, "stranger", strangers); from.Addr() != addr.Addr() {
		t.Errorf("the stranger is %s", from)
	}
	if at := await(t, "DHT node", nodes); at != netip.AddrPortFrom(addr.Addr(), 1111) {
		t.Errorf("the DHT node is at %s", at)
	}
	if got := b.DialBacks().Helpers(); !slices.Equal(got, []netip.AddrPort{addr}) {
		t.Errorf("the helpers are %v", got)
	}
	if got := b.DialBacks().SeenAs(); !slices.Equal(got, []netip.Addr{own.Addr()}) {
		t.Errorf("seen as %v", got)
	}
}

// A peer that asks is called back, at least as far as the rules for private
// addresses allow: it is told that it was not tried.
func TestDialBackAnswers(t *testing.T) {
	a, addr := testNetwork(t, nil)
	seed, _ := testContent(2, true)
	attach(t, a, seed)
	c, err := net.Dial("tcp6", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	r := dialback.Request{Nonce: dialback.NewNonce(), TCP: 6881}
	answer, err := dialback.Ask(t.Context(), c, seed.ID, "test", r)
	if err != nil || answer.Nonce != r.Nonce || answer.TCP != dialback.Declined {
		t.Errorf("%+v, %v", answer, err)
	}
	n := dialback.NewNonce()
	a.dialbacks.asked[n] = struct{}{}
	if !a.DialBacks().ToldToCall(n) || a.DialBacks().ToldToCall(dialback.NewNonce()) {
		t.Error("told the wrong one to call")
	}
}

// A connection from an address that is gone is dialled anew, and no other.
func TestMovedConnectionsAreMadeAnew(t *testing.T) {
	a, addr := testNetwork(t, nil)
	b, own := testNetwork(t, nil)
	seed, _ := testContent(2, true)
	attach(t, a, seed)
	want, _ := testContent(2, false)
	s := attach(t, b, want) // which wants nothing
	s.AddPeers([]face.Peer{{Addr: addr}})
	local := func() (at string) {
		until(t, "connection", func() bool {
			all := s.run.Peers()
			if len(all) == 1 && all[0].Client != "" {
				at = all[0].Conn.LocalAddr().String()
			}
			return at != ""
		})
		return at
	}
	first := local()
	b.Moved([]netip.Addr{own.Addr()})
	b.moves.Wait()
	if now := local(); now != first {
		t.Error("a connection was ended although its address is ours")
	}
	b.Moved(nil)
	b.moves.Wait()
	if now := local(); now == first {
		t.Error("the connection is the same")
	}
}

// Two peers of ours that ask for it are told to call each other.
func TestAnIntroductionIsMade(t *testing.T) {
	a, addr := testNetwork(t, nil)
	seed, _ := testContent(2, true)
	s := attach(t, a, seed)
	for range 2 {
		n, _ := testNetwork(t, nil)
		want, _ := testContent(2, false)
		attach(t, n, want).AddPeers([]face.Peer{{Addr: addr}})
	}
	met := func() (all []swarm.PeerInfo) {
		return slices.DeleteFunc(s.run.Peers(), func(p swarm.PeerInfo) bool { return !p.Peer.Has(wire.NameHolepunch) })
	}
	until(t, "two peers", func() bool { return len(met()) == 2 })
	all := met()
	told := all[1].Conn.(*tracked)
	before := told.sent.Load()
	a.bringTogether(s, all[0].Peer, all[1].Listens)
	until(t, "word to the other", func() bool { return told.sent.Load() > before })
}

// Private addresses are believed only of peers that we called on the same network.
func TestWhoMayTellOfPrivateAddresses(t *testing.T) {
	const all = "[2001:db8::2]:1 [fd00::2]:1 [200::2]:1 [::1]:1 [fe80::2]:1 8.8.8.8:1"
	for _, c := range []struct {
		from     string
		outgoing bool
		policy   netguard.Policy
		want     string
	}{
		{"[2001:db8::1]:1", true, netguard.Policy{}, "[2001:db8::2]:1 8.8.8.8:1"},
		{"[fd00::1]:1", true, netguard.Policy{}, "[2001:db8::2]:1 [fd00::2]:1 [200::2]:1 8.8.8.8:1"},
		{"[fd00::1]:1", false, netguard.Policy{}, "[2001:db8::2]:1 8.8.8.8:1"},
		{"[::1]:1", true, netguard.Policy{}, "[2001:db8::2]:1 [::1]:1 8.8.8.8:1"},
		{"[fe80::1]:1", true, netguard.Policy{}, "[2001:db8::2]:1 8.8.8.8:1"},
		{"[2001:db8::1]:1", false, netguard.Policy{AllowPrivate: true}, all},
	} {
		n := &Network{cfg: face.Config{Policy: c.policy}}
		e := swarm.Event{Addr: netip.MustParseAddrPort(c.from), Outgoing: c.outgoing}
		for _, a := range strings.Fields(all) {
			e.Addrs = append(e.Addrs, netip.MustParseAddrPort(a))
		}
		if got := strings.Trim(fmt.Sprint(n.credible(&e)), "[]"); got != strings.Trim(c.want, "[]") {
			t.Errorf("%s, called by us %v: %s", c.from, c.outgoing, got)
		}
	}
}
