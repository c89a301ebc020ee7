package swarm

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// memory is a face.Storage in memory, which watches what is asked of it.
type memory struct {
	layout wire.Layout
	right  func(piece int, b []byte) bool

	mu        sync.Mutex
	data      []byte
	complete  []bool
	changed   map[int]bool // pieces that somebody else wrote to
	full      bool
	taken     func(piece int) bool // reports whether it is gone when it is read back; may be nil
	readBacks atomic.Int64
}

var errDisk = errors.New("no space left on device")

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	piece := int(off / int64(m.layout.PieceLength))
	if !m.complete[piece] || m.changed[piece] {
		return 0, fmt.Errorf("piece %d is not what it was", piece)
	}
	return copy(p, m.data[off:]), nil
}

func (m *memory) piece(i int) []byte { return m.data[i*m.layout.PieceLength:][:m.layout.Len(i)] }

func (m *memory) CopyPiece(i int, n int64, w io.Writer) (int64, error) {
	m.readBacks.Add(1)
	if m.taken != nil && m.taken(i) {
		return 0, io.EOF
	}
	m.mu.Lock()
	b := bytes.Clone(m.piece(i)[:n])
	m.mu.Unlock()
	return io.Copy(w, bytes.NewReader(b))
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.complete[off/int64(m.layout.PieceLength)] {
		return 0, errors.New("a complete piece was written to")
	}
	if m.full {
		return 0, errDisk
	}
	return copy(m.data[off:], p), nil
}

func (m *memory) Completion(i int) (known, complete bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return true, m.complete[i]
}

func (m *memory) MarkComplete(i int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.right(i, m.piece(i)) {
		return errors.New("a wrong piece was called complete")
	}
	m.complete[i] = true
	return nil
}

func (m *memory) MarkNotComplete(i int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.complete[i] = false
	return nil
}

// made is content that a test made.
type made struct {
	info   []byte
	id     ID
	data   []byte
	layout wire.Layout
	hashes [][20]byte
}

func makeContent(size, pieceLength int) *made {
	m := &made{data: make([]byte, size), layout: wire.NewLayout(int64(size), pieceLength)}
	r := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = r.Read(m.data)
	_, _ = r.Read(m.id[:])
	for i := range m.layout.Pieces {
		m.hashes = append(m.hashes, sha1.Sum(m.data[i*pieceLength:][:m.layout.Len(i)]))
	}
	return m
}

// content is the content on a node that has all of it or nothing.
func (m *made) content(all bool) (Content, *memory) {
	s := newMemory(m.layout, len(m.data), func(i int, b []byte) bool { return sha1.Sum(b) == m.hashes[i] })
	c := Content{ID: m.id, Layout: m.layout, Hashes: m.hashes, Storage: s}
	if all {
		s.fill(m.data, &c)
	}
	return c, s
}

func newMemory(l wire.Layout, size int, right func(piece int, b []byte) bool) *memory {
	return &memory{layout: l, right: right, data: make([]byte, size), complete: make([]bool, l.Pieces), changed: make(map[int]bool)}
}

// fill has all pieces be here.
func (m *memory) fill(data []byte, c *Content) {
	copy(m.data, data)
	c.Have = make([]byte, (m.layout.Pieces+7)/8)
	for i := range m.layout.Pieces {
		m.complete[i] = true
		c.Have[i/8] |= 0x80 >> (i % 8)
	}
}

// node makes a node that listens on loopback. It is closed with the test.
func node(t testing.TB, change func(*Config)) (*Node, netip.AddrPort) {
	t.Helper()
	return nodeAt(t, "[::1]:0", change)
}

func nodeAt(t testing.TB, listen string, change func(*Config)) (*Node, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	cfg := Config{
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Client: "shoal test", Port: addr.Port(),
		Dial: func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", a.String())
		},
	}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	copy(cfg.PeerID[:], fmt.Sprintf("-SHTEST-%012d", addr.Port()))
	if change != nil {
		change(&cfg)
	}
	n := New(cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		n.Close()
		<-done
	})
	return n, addr
}

// attach begins a swarm, and gives a channel of its events.
func attach(t testing.TB, n *Node, c Content) (*Swarm, <-chan Event) {
	t.Helper()
	events := make(chan Event, 100000)
	c.Events = func(e Event) { events <- e }
	s, err := n.Attach(c, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return s, events
}

// await waits for an event of a kind.
func await(t testing.TB, events <-chan Event, kind EventKind) Event {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e
			}
			if e.Kind == DiskFailed {
				t.Fatal(e.Err)
			}
		case <-limit:
			t.Fatalf("no event of kind %d after a minute", kind)
		}
	}
}
