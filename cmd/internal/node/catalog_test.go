package node

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// safeBuffer takes a log that another goroutine reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// found searches until there are n hits: the catalogue follows events.
func found(t *testing.T, c *api.Client, query string, n int) []index.Hit {
	t.Helper()
	ctx := testContext(t)
	for {
		r, err := c.Search(ctx, index.Query{Text: query})
		if err != nil {
			t.Fatalf("searching %q: %v; wanted %d hits", query, err, n)
		}
		if len(r.Hits) == n {
			return r.Hits
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCatalogueFollowsTheTransfers(t *testing.T) {
	dir := stateDir(t)
	s := open(t, options(t, dir, nil))
	folder, _ := content(t)
	one := shared(t, s.Client, folder)
	hits := found(t, s.Client, "holi", 1)
	if hits[0].ID != one.ID || hits[0].Bytes != one.Size || hits[0].Link != one.Link || !hits[0].Channel.IsZero() {
		t.Errorf("found %+v, want %+v", hits[0], one)
	}
	if hits := found(t, s.Client, "file:b.bin channel:me", 1); hits[0].Snippet != "sub/\x02b.bin\x03" {
		t.Errorf("snippet %q", hits[0].Snippet)
	}
	all, err := s.Client.Entries(testContext(t), one.ID.Short())
	if err != nil || len(all) != 1 || len(all[0].Files) != 3 {
		t.Errorf("entries %+v, %v", all, err)
	}
	closed(t, s)

	// The next node finds it at once, also when the file was overwritten.
	for _, harm := range []func(){
		func() {},
		func() {
			if err := os.WriteFile(filepath.Join(dir, "index.db"), []byte("nonsense, and not a little of it"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			if err := os.Remove(filepath.Join(dir, "index.db")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		harm()
		s = open(t, options(t, dir, nil))
		if r, err := s.Client.Search(testContext(t), index.Query{Text: "holiday"}); err != nil || len(r.Hits) != 1 {
			t.Errorf("after a restart: %+v, %v", r, err)
		}
		closed(t, s)
	}

	s = open(t, options(t, dir, nil))
	defer closed(t, s)
	if _, err := s.Client.Remove(testContext(t), one.ID, false); err != nil {
		t.Fatal(err)
	}
	found(t, s.Client, "holiday", 0)
}

// A file that is found damaged while it is open is rebuilt, and the search that found the
// damage is answered.
func TestCatalogueIsBuiltAnewWhenASearchMeetsDamage(t *testing.T) {
	dir := stateDir(t)
	path := filepath.Join(dir, "index.db")
	s := open(t, options(t, dir, nil))
	for i := range 40 {
		// Enough of them that the words are not all on the first pages.
		name := filepath.Join(t.TempDir(), "a "+string(rune('a'+i%26))+" thing "+time.Unix(int64(i), 0).Format("150405"))
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		shared(t, s.Client, name)
	}
	found(t, s.Client, "thing", 40)
	closed(t, s)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, dir, map[string][]string{"verbose": {"true"}})
	var log safeBuffer
	o.Stderr = &log
	s = open(t, o)
	defer closed(t, s)
	if r, err := s.Client.Search(testContext(t), index.Query{Text: "unheard"}); err != nil || len(r.Hits) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i := 8192 * 2; i < len(b); i++ {
		b[i] = 0x5a
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.Client.Search(testContext(t), index.Query{Text: "thing", Limit: 500})
	if err != nil || len(r.Hits) != 40 {
		t.Errorf("found %d, %v", len(r.Hits), err)
	}
	if !strings.Contains(log.String(), "the catalogue is damaged") {
		t.Error("no damage was met: this tests nothing")
	}
}

// A catalogue that cannot be opened is logged, and everything else works.
func TestCatalogueThatCannotBeOpened(t *testing.T) {
	dir := stateDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "index.db", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := options(t, dir, nil)
	o.Stderr = nil
	s := open(t, o)
	defer closed(t, s)
	_, err := s.Client.Search(testContext(t), index.Query{Text: "x"})
	if share.KindOf(err) != share.Disk {
		t.Errorf("searching: %v, want a disk error", err)
	}
	if _, err := s.Client.Transfers(context.Background()); err != nil {
		t.Error(err)
	}
}
