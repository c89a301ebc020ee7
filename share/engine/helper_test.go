package engine

import (
	"bytes"
	"context"
	"crypto/sha1"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen; far longer than it
// takes on a slow machine.
const patience = 60 * time.Second

// node is an engine with a life of its own.
type node struct {
	*Engine
	t     testing.TB
	state string // survives restarts
	addr  netip.AddrPort
	stop  func()
}

// peerside is what talks to the node's peers.
func (n *node) peerside() peerside { return n.swarms.(peerside) }

// peerside is what tests look at of it.
type peerside interface {
	Offered(share.ID) bool // a peer that asks for it is let in
	Banned() int           // addresses that sent wrong data
}

// live tells whether a transfer has a swarm.
func (n *node) live(id share.ID) (is bool) {
	_ = n.on(id, func(_ *loop, t *transfer) error {
		is = t.level() == live
		return nil
	})
	return is
}

type change func(*Config)

// newNode starts an engine that listens on loopback.
func newNode(t testing.TB, changes ...change) *node {
	return startNode(t, t.TempDir(), changes...)
}

// openAt opens the database of a node; the caller closes it.
func openAt(t testing.TB, state string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(state, "state.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func startNode(t testing.TB, state string, changes ...change) *node {
	t.Helper()
	db := openAt(t, state)
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal("listening on ::1: ", err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	cfg := Config{
		Logger:    slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		DB:        db,
		Dir:       filepath.Join(state, "torrents"),
		Listeners: []net.Listener{l},
		Addresses: func() []netip.AddrPort { return []netip.AddrPort{addr} },
		Client:    "shoal test",
	}
	for _, c := range changes {
		c(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-e.Ready():
	case err := <-ran:
		ran <- err
		t.Fatalf("Run: %v", err)
	}
	return &node{Engine: e, t: t, state: state, addr: addr, stop: stop}
}

// testLog writes to the test's log, which must not be used once it is over.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

// wait returns the transfer once ok says so.
func (n *node) wait(id share.ID, what string, ok func(share.Transfer) bool) share.Transfer {
	n.t.Helper()
	var s share.Transfer
	var err error
	n.until(what, func() bool {
		s, err = n.Get(id)
		return err == nil && ok(s)
	}, func() any { return fmt.Sprintf("%+v, %v", s, err) })
	return s
}

// until waits for what an event may tell, or none.
func (n *node) until(what string, ok func() bool, is ...func() any) {
	n.t.Helper()
	sub := n.Subscribe(1000)
	defer sub.Close()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-sub.C:
		case <-again.C:
		case <-deadline.C:
			for _, say := range is {
				what = fmt.Sprint(what, ": ", say())
			}
			n.t.Fatal("waited in vain for ", what)
		}
	}
}

func (n *node) waitState(id share.ID, state share.State) share.Transfer {
	n.t.Helper()
	return n.wait(id, string(state), func(s share.Transfer) bool { return s.State == state })
}

// share publishes path and returns the transfer once its link is known.
func (n *node) share(path string) share.Transfer {
	n.t.Helper()
	return n.shareWith(path)
}

// shareWith is share with changes to the request.
func (n *node) shareWith(path string, changes ...func(*ShareRequest)) share.Transfer {
	n.t.Helper()
	r := ShareRequest{Path: path}
	for _, c := range changes {
		c(&r)
	}
	s, err := n.Share(n.t.Context(), r)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.waitState(s.ID, share.Seeding)
}

// fetch begins to fetch link into dir.
func (n *node) fetch(link, dir string, changes ...func(*FetchRequest)) share.Transfer {
	n.t.Helper()
	l, err := share.ParseLink(link)
	if err != nil {
		n.t.Fatal(err)
	}
	r := FetchRequest{Link: l, Output: dir}
	for _, c := range changes {
		c(&r)
	}
	s, err := n.Fetch(n.t.Context(), r)
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// anywhere takes what is here already where it is.
func anywhere(r *FetchRequest) { r.Anywhere = true }

// makeFiles fills dir with files of the given sizes; the bytes follow from the
// name, so that equal names make equal content.
func makeFiles(t testing.TB, dir string, sizes map[string]int) {
	t.Helper()
	for name, size := range sizes {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, content(name, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func content(name string, size int) []byte {
	var seed [32]byte
	copy(seed[:], name)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

// sameTree compares two folders byte by byte.
func sameTree(t testing.TB, want, got string) {
	t.Helper()
	a, b := readTree(t, want), readTree(t, got)
	for name, data := range a {
		other, ok := b[name]
		switch {
		case !ok:
			t.Errorf("%s is missing", name)
		case !bytes.Equal(data, other):
			t.Errorf("%s differs", name)
		}
		delete(b, name)
	}
	for name := range b {
		t.Errorf("%s is too much", name)
	}
}

func readTree(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if d.IsDir() {
			out[rel+"/"] = nil
			return nil
		}
		out[rel], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// someFiles is a folder as people have them: many sizes, an empty file, an
// empty folder, odd names.
func someFiles(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "holiday")
	sizes := map[string]int{
		"beach.jpg":         300_001,
		"sub/video.mkv":     5 << 20,
		"sub/deep/er/a.txt": 1,
		"empty":             0,
		"exactly":           1 << 20,
	}
	for i := range 50 {
		sizes[fmt.Sprintf("many/%03d ä.dat", i)] = i * 997
	}
	makeFiles(t, dir, sizes)
	if err := os.Mkdir(filepath.Join(dir, "nothing in it"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sha1Sum(b []byte) [20]byte { return sha1.Sum(b) }
