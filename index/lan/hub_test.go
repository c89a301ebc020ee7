package lan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hub is a network in memory. Interfaces of the same name are on one link.
type hub struct {
	mu    sync.Mutex
	hosts []*fakeHost
	sent  int // datagrams, counted once for each link
	times map[share.ID][]time.Time
}

type fakeHost struct {
	hub    *hub
	addr   netip.AddrPort
	mu     sync.Mutex
	links  []network
	joined map[string]bool
	in     chan packet
	closed chan struct{}
}

type packet struct {
	b    []byte
	from netip.AddrPort
}

func newHub() *hub { return &hub{times: map[share.ID][]time.Time{}} }

func (h *hub) host(n int, links ...string) *fakeHost {
	f := &fakeHost{
		hub:    h,
		addr:   netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", n)), 6771),
		joined: map[string]bool{},
		in:     make(chan packet, 10_000),
		closed: make(chan struct{}),
	}
	f.setLinks(links...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hosts = append(h.hosts, f)
	return f
}

// setLinks gives the host these interfaces, each as NAME or NAME=ADDRESSES.
func (f *fakeHost) setLinks(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links = nil
	for _, name := range names {
		name, addrs, _ := strings.Cut(name, "=")
		f.links = append(f.links, network{net.Interface{Index: int(name[0]), Name: name}, addrs})
	}
}

func (f *fakeHost) interfaces() ([]network, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.links, nil
}

func (f *fakeHost) join(ifi net.Interface) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.joined[ifi.Name] {
		return errors.New("already joined")
	}
	f.joined[ifi.Name] = true
	return nil
}

func (f *fakeHost) leave(ifi net.Interface) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.joined, ifi.Name)
	return nil
}

func (f *fakeHost) send(ifi net.Interface, b []byte) error {
	f.hub.inject(ifi.Name, b, f.addr)
	return nil
}

// inject puts a datagram on a link.
func (h *hub) inject(link string, b []byte, from netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent++
	if m, err := parse(b); err == nil {
		for _, id := range m.ids {
			h.times[id] = append(h.times[id], time.Now())
		}
	}
	for _, to := range h.hosts {
		to.mu.Lock()
		if to.joined[link] {
			select {
			case to.in <- packet{append([]byte(nil), b...), from}:
			default:
			}
		}
		to.mu.Unlock()
	}
}

func (h *hub) take() (sent int, times map[share.ID][]time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sent, times = h.sent, h.times
	h.sent, h.times = 0, map[share.ID][]time.Time{}
	return sent, times
}

func (f *fakeHost) receive(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-f.in:
		return copy(b, p.b), p.from, nil
	case <-f.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (f *fakeHost) Close() error { close(f.closed); return nil }

// told is what a node reported outside of searches.
type told struct {
	mu    sync.Mutex
	peers map[share.ID][]netip.AddrPort
}

func (t *told) found(id share.ID, peers []netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers[id] = append(t.peers[id], peers...)
}

func (t *told) of(id share.ID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.peers[id])
}

// node runs on a host until stop.
func (f *fakeHost) node(t *testing.T, port uint16) (n *Node, heard *told, stop func()) {
	t.Helper()
	heard = &told{peers: map[share.ID][]netip.AddrPort{}}
	n, err := New(Config{
		Logger: slog.New(slog.DiscardHandler),
		Port:   func() uint16 { return port },
		Found:  heard.found,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.open = func() (socket, error) { return f, nil }
	n.interfaces = f.interfaces
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, heard, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// find collects what one search finds, and after how long it found the first.
func find(t *testing.T, n *Node, id share.ID) (peers []netip.AddrPort, first time.Duration) {
	t.Helper()
	began := time.Now()
	err := n.Find(t.Context(), id, func(p []netip.AddrPort) {
		if len(peers) == 0 {
			first = time.Since(began)
		}
		peers = append(peers, p...)
	})
	if err != nil {
		t.Error(err)
	}
	return peers, first
}

func id(n int) share.ID { return share.ID{0xaa, byte(n >> 8), byte(n)} }
