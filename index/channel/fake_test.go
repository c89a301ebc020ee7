package channel

import (
	"bytes"
	"context"
	"crypto/sha1"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a DHT and a swarm in memory, which the nodes of a test share.
type world struct {
	mu      sync.Mutex
	items   map[string]index.Item
	content map[share.ID][]byte
	seeds   map[share.ID]map[*host]bool
	lie     *index.Item // what a liar answers to every lookup
	stale   int         // so many puts meet somebody who was faster
	down    bool
	full    bool // nobody takes an item
	deaf    bool // nobody is there
	gets    int
	puts    int
}

func newWorld() *world {
	return &world{items: map[string]index.Item{}, content: map[share.ID][]byte{}, seeds: map[share.ID]map[*host]bool{}}
}

// host is one node with its channels.
type host struct {
	*Manager
	w    *world
	t    *testing.T
	dir  string
	db   *sql.DB
	stop func()
	cat  *fakeCatalogue

	mu    sync.Mutex
	has   map[share.ID]string // path, "" while only begun
	began []share.Link
	// What the channels were said to have trouble with as the first was begun.
	trouble []string

	slowly bool // what is begun does not arrive
	slow   map[share.ID]bool
}

// join starts a node on a state directory.
func (w *world) join(t *testing.T, dir string, change ...func(*Config)) *host {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	h := &host{w: w, t: t, dir: dir, db: db, has: map[share.ID]string{}, slow: map[share.ID]bool{}, cat: newFakeCatalogue()}
	cfg := Config{
		DB: db, Dir: filepath.Join(dir, "channels"), DHT: w, Swarm: swarmOf{h}, Catalogue: h.cat, Poll: 20 * time.Millisecond, Settle: 10 * time.Millisecond,
		Downloads: func() string { return filepath.Join(dir, "downloads") },
	}
	for _, c := range change {
		c(&cfg)
	}
	if h.Manager, err = New(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		db.Close()
		w.mu.Lock()
		for _, s := range w.seeds {
			delete(s, h)
		}
		w.mu.Unlock()
	})
	t.Cleanup(h.stop)
	return h
}

func (w *world) GetMutable(ctx context.Context, key index.ChannelID, salt []byte, newer int64) (index.Item, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gets++
	if w.deaf {
		w.mu.Unlock()
		<-ctx.Done()
		w.mu.Lock()
		return index.Item{}, fmt.Errorf("getting an item: %w", ctx.Err())
	}
	if w.down {
		return index.Item{}, errors.New("nobody in the DHT answers")
	}
	if w.lie != nil {
		return *w.lie, nil
	}
	it, ok := w.items[string(key[:])+string(salt)]
	if !ok || it.Seq <= newer {
		return it, index.Unknown("nothing is stored there")
	}
	return it, nil
}

func (w *world) PutMutable(_ context.Context, it index.Item, cas *int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return 0, errors.New("nobody in the DHT answers")
	}
	if !bep44.Verify(it.Key[:], it.Salt, it.Seq, it.Value, it.Sig[:]) {
		return 0, index.ErrForged
	}
	w.puts++
	if w.full {
		return 0, errors.New("none of 0 nodes took it")
	}
	at := string(it.Key[:]) + string(it.Salt)
	if w.stale > 0 {
		w.stale--
		return 3, index.ErrStale
	}
	if old, ok := w.items[at]; ok && (old.Seq > it.Seq || old.Seq == it.Seq && !bytes.Equal(old.Value, it.Value) || cas != nil && *cas != old.Seq) {
		return 0, index.ErrStale
	}
	w.items[at] = it
	return 8, nil
}

// asked counts lookups and puts.
func (w *world) asked() (gets, puts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gets, w.puts
}

func (w *world) item(l index.ChannelLink) index.Item {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items[string(l.ID[:])+string(l.Salt)]
}

// swarmOf is a host as a Swarm; the Manager has methods of the same names.
type swarmOf struct{ *host }

func (s swarmOf) Publish(_ context.Context, path string) (share.ID, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return share.ID{}, err
	}
	id := share.ID(sha1.Sum(b))
	s.w.offer(id, b, s.host)
	s.mu.Lock()
	s.has[id] = path
	s.mu.Unlock()
	return id, nil
}

func (w *world) offer(id share.ID, b []byte, by *host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.content[id] = b
	if w.seeds[id] == nil {
		w.seeds[id] = map[*host]bool{}
	}
	w.seeds[id][by] = true
}

func (s swarmOf) Fetch(_ context.Context, id share.ID, dir string, most int64) error {
	s.mu.Lock()
	there, ok := s.has[id]
	s.mu.Unlock()
	if ok {
		if !strings.HasPrefix(there, filepath.Dir(dir)) {
			return share.Errorf(share.Refused, "it is something else")
		}
		return nil
	}
	s.w.mu.Lock()
	b, n := s.w.content[id], len(s.w.seeds[id])
	s.w.mu.Unlock()
	if n == 0 {
		return share.Errorf(share.Nobody, "nobody has it")
	}
	if int64(len(b)) > most {
		return share.Errorf(share.Refused, "too large")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, "catalogue")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	s.w.offer(id, b, s.host)
	s.mu.Lock()
	s.has[id] = path
	s.mu.Unlock()
	return nil
}

func (s swarmOf) Open(_ context.Context, id share.ID) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	path := s.has[id]
	s.mu.Unlock()
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (s swarmOf) Begin(_ context.Context, l share.Link, _ string, most int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[l.ID] = ""
	if s.began == nil {
		for _, c := range s.List() {
			if c.Error != "" {
				s.trouble = append(s.trouble, c.Error)
			}
		}
	}
	s.began = append(s.began, l)
	if s.slowly {
		s.slow[l.ID] = true
	}
	return nil
}

func (s swarmOf) Unfinished(id share.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.has[id]
	return ok && s.slow[id]
}

func (s swarmOf) Has(id share.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.has[id]
	return ok
}

func (s swarmOf) Tidy(dir string, keep ...share.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, path := range s.has {
		if strings.HasPrefix(path, dir) && !slices.Contains(keep, id) {
			delete(s.has, id)
		}
	}
	return nil
}

func (s swarmOf) Drop(id share.ID, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.has, id)
	s.w.mu.Lock()
	delete(s.w.seeds[id], s.host)
	s.w.mu.Unlock()
	return nil
}

// fakeCatalogue remembers entries by channel.
type fakeCatalogue struct {
	mu       sync.Mutex
	entries  map[index.ChannelID]map[share.ID]index.Entry
	versions map[index.ChannelID]string
	opened   chan struct{}
	fail     error
	midway   func() // called by Replace before it has replaced anything
}

func newFakeCatalogue() *fakeCatalogue {
	c := &fakeCatalogue{entries: map[index.ChannelID]map[share.ID]index.Entry{}, versions: map[index.ChannelID]string{}, opened: make(chan struct{}, 1)}
	c.opened <- struct{}{}
	return c
}

func (c *fakeCatalogue) Replace(_ context.Context, id index.ChannelID, version string, entries iter.Seq2[index.Entry, error]) error {
	all := map[share.ID]index.Entry{}
	for e, err := range entries {
		if err != nil {
			return err
		}
		all[e.ID] = e
	}
	c.mu.Lock()
	midway := c.midway
	c.mu.Unlock()
	if midway != nil {
		midway()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.entries[id], c.versions[id] = all, version
	return nil
}

func (c *fakeCatalogue) Put(_ context.Context, id index.ChannelID, entries ...index.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[id] == nil {
		c.entries[id] = map[share.ID]index.Entry{}
	}
	for _, e := range entries {
		c.entries[id][e.ID] = e
	}
	return nil
}

func (c *fakeCatalogue) Remove(_ context.Context, id index.ChannelID, ids ...share.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ids {
		delete(c.entries[id], e)
	}
	return nil
}

func (c *fakeCatalogue) Drop(_ context.Context, id index.ChannelID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	delete(c.versions, id)
	return nil
}

func (c *fakeCatalogue) Versions(context.Context) (map[index.ChannelID]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[index.ChannelID]string{}
	for k, v := range c.versions {
		all[k] = v
	}
	return all, nil
}

func (c *fakeCatalogue) Opened() <-chan struct{} { return c.opened }

// lose empties it, as when the file was damaged.
func (c *fakeCatalogue) lose() {
	c.mu.Lock()
	clear(c.entries)
	clear(c.versions)
	c.mu.Unlock()
	c.opened <- struct{}{}
}

// names are those of the entries of a channel, in order.
func (c *fakeCatalogue) names(id index.ChannelID) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, e := range c.entries[id] {
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (h *host) eventuallyHas(l index.ChannelLink, names ...string) {
	h.t.Helper()
	eventually(h.t, "the catalogue is as it should be", func() bool { return slices.Equal(h.cat.names(l.Local()), names) })
}

func thing(n int, name string) index.Entry {
	return index.Entry{ID: share.ID{19: byte(n), 18: byte(n >> 8), 0: 1}, Name: name, Bytes: int64(n) << 20, Time: time.Unix(1_700_000_000+int64(n), 0).UTC()}
}
