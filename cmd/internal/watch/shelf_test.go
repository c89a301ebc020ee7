package watch

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func testBook(t *testing.T) *book {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w, err := New(Config{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	return w.book
}

// crew is a node that only keeps lists.
type crew struct {
	mu        sync.Mutex
	transfers []share.Transfer
	shares    []api.ShareRequest
	next      byte
}

func (c *crew) List() []share.Transfer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.transfers)
}

func (c *crew) Fetch(context.Context, api.FetchRequest) (share.Transfer, error) {
	return share.Transfer{}, errors.New("nothing is fetched here")
}

func (c *crew) Share(_ context.Context, r api.ShareRequest) (share.Transfer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shares = append(c.shares, r)
	c.next++
	t := share.Transfer{ID: share.ID{c.next}, Path: r.Path, Own: true, State: share.Hashing, Added: time.Unix(int64(c.next), 0)}
	c.transfers = append(c.transfers, t)
	return t, nil
}

func (c *crew) Remove(id share.ID, data bool) ([]share.Kept, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if data {
		return nil, errors.New("what the user shares is not to be deleted")
	}
	c.transfers = slices.DeleteFunc(c.transfers, func(t share.Transfer) bool { return t.ID == id })
	return nil, nil
}

func (c *crew) hashed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.transfers {
		c.transfers[i].State = share.Seeding
	}
}

func TestShelfSharesAgainWhatChanged(t *testing.T) {
	for _, retire := range []bool{false, true} {
		t.Run(map[bool]string{false: "keep", true: "retire"}[retire], func(t *testing.T) {
			dir := t.TempDir()
			now := time.Now()
			c := &crew{}
			s := &shelf{
				dir: dir, log: slog.New(slog.DiscardHandler), book: testBook(t), now: func() time.Time { return now },
				retire: retire, node: c, seen: map[string]sighting{},
			}
			scan := func() {
				t.Helper()
				if err := s.scan(t.Context()); err != nil && !errors.Is(err, errUnsettled) {
					t.Fatal(err)
				}
			}
			rest := func() { scan(); now = now.Add(quietTime); scan(); c.hashed(); scan() }
			write := func(name, text string) {
				t.Helper()
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("album/one", "1")
			write("file", "x")
			write(".hidden", "x")
			write("loading.part", "x")
			scan()
			now = now.Add(quietTime / 2)
			write("album/two", "22")
			scan()
			now = now.Add(quietTime / 2)
			scan()
			if len(c.shares) != 1 || filepath.Base(c.shares[0].Path) != "file" {
				t.Fatalf("while the album changes: %+v", c.shares)
			}
			rest()
			if len(c.shares) != 2 || c.shares[1].Path != filepath.Join(dir, "album") {
				t.Fatalf("at rest: %+v", c.shares)
			}
			rest()
			s.seen = map[string]sighting{} // restarted
			rest()
			if len(c.shares) != 2 {
				t.Errorf("shared again without a change: %+v", c.shares)
			}
			write("album/three", "333")
			rest()
			want := map[bool]int{false: 3, true: 2}[retire]
			if len(c.shares) != 3 || len(c.transfers) != want {
				t.Errorf("after a change: %d shares, %d transfers", len(c.shares), len(c.transfers))
			}
			if err := os.RemoveAll(filepath.Join(dir, "album")); err != nil {
				t.Fatal(err)
			}
			scan()
			want = map[bool]int{false: 3, true: 1}[retire]
			if len(c.transfers) != want {
				t.Errorf("after it is gone: %d transfers", len(c.transfers))
			}
		})
	}
}
