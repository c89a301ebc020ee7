package engine

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// A second request for what is here gets what it asks for. Instances:
//
//	get again after a file was deleted or moved              TestFetchAgainLooks (and looks_test.go)
//	a second output is ignored                               TestFetchAgainElsewhere
//	a second selection is dropped                            TestFetchAgainSelectsMore
//	a pattern that matches nothing is no error               TestPatternsThatMatchNothing
//	trackers of a later link are dropped, also for a share   TestFetchAgainAddsTrackers

func TestFetchAgainLooks(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared := a.share(someFiles(t))
	for name, harm := range map[string]func(path string) error{
		"deleted":  os.Remove,
		"renamed":  func(p string) error { return os.Rename(p, p+".away") },
		"all gone": func(p string) error { return os.RemoveAll(filepath.Dir(p)) },
	} {
		t.Run(name, func(t *testing.T) {
			b, dst := newNode(t), t.TempDir()
			id := b.fetch(shared.Link, dst, once).ID
			path := b.wait(id, "done", complete).Path
			b.rested(id)
			if err := harm(filepath.Join(path, "beach.jpg")); err != nil {
				t.Fatal(err)
			}
			if got := b.fetch(shared.Link, dst, once); complete(got) {
				t.Errorf("called complete without a look: %+v", got)
			}
			got := b.wait(id, "done again", complete)
			want, err := os.ReadFile(filepath.Join(shared.Path, "beach.jpg"))
			if err != nil {
				t.Fatal(err)
			}
			if have, err := os.ReadFile(filepath.Join(got.Path, "beach.jpg")); err != nil || !bytes.Equal(have, want) {
				t.Errorf("%d bytes, %v", len(have), err)
			}
		})
	}
}

// once seeds nothing.
func once(r *FetchRequest) { r.Goal = &share.Goal{None: true} }

// complete is what a get waits for.
func complete(s share.Transfer) bool {
	return !s.Completed.IsZero() && (s.State == share.Seeding || s.State == share.Paused)
}

// rested waits until the files of a transfer are closed.
func (n *node) rested(id share.ID) {
	n.t.Helper()
	n.until("rest", func() (rests bool) {
		n.box.call(func() { t := n.loop.transfers.byID[id]; rests = t.level() == atRest && t.job == nil })
		return rests
	})
}

func TestFetchAgainElsewhere(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared := a.share(someFiles(t))
	state, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	b := startNode(t, state)
	id := b.fetch(shared.Link, first).ID
	was := b.waitState(id, share.Seeding)
	a.stop() // what is here need not be fetched
	b.fetch(shared.ID.String(), second)
	b.stop()
	b = startNode(t, state) // at whatever point that was
	got := b.waitState(id, share.Seeding)
	if filepath.Dir(got.Path) != second || got.Downloaded != was.Downloaded {
		t.Errorf("%+v", got)
	}
	sameTree(t, shared.Path, got.Path)
	sameTree(t, shared.Path, was.Path)
	for _, name := range []string{"beach.jpg", "sub/video.mkv"} {
		x, err := os.Stat(filepath.Join(was.Path, name))
		if err != nil {
			t.Fatal(err)
		}
		if y, err := os.Stat(filepath.Join(got.Path, name)); err != nil || os.SameFile(x, y) {
			t.Errorf("%s: one file under two names, %v", name, err)
		}
	}
	// What is left behind is not ours to delete.
	if _, err := b.Remove(id, true); err != nil {
		t.Fatal(err)
	}
	sameTree(t, shared.Path, was.Path)

	// What is shared from here is fetched nowhere else.
	c := newNode(t)
	own := c.share(was.Path)
	l, err := share.ParseLink(own.Link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(t.Context(), FetchRequest{Link: l, Output: second}); share.KindOf(err) != share.Usage {
		t.Errorf("%v", err)
	}
	if _, err := c.Fetch(t.Context(), FetchRequest{Link: l, Output: first}); err != nil {
		t.Errorf("%v", err)
	}
	// Nor what is on its way somewhere.
	d := newNode(t)
	d.fetch(own.Link, first)
	if _, err := d.Fetch(t.Context(), FetchRequest{Link: share.Link{ID: id}, Output: second}); share.KindOf(err) != share.Usage {
		t.Errorf("%v", err)
	}
}

func TestFetchAgainSelectsMore(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 10 << 14, "b": 20 << 14, "c": 30 << 14})
	shared := a.share(dir)
	for name, rest := range map[string]bool{"at rest": true, "at once": false} {
		t.Run(name, func(t *testing.T) {
			b, dst := newNode(t), t.TempDir()
			files := func(names ...string) func(*FetchRequest) {
				return func(r *FetchRequest) { r.Files = names }
			}
			id := b.fetch(shared.Link, dst, files("a")).ID
			if rest {
				b.waitState(id, share.Seeding)
			}
			b.fetch(shared.Link, dst, files("b"))
			got := b.waitState(id, share.Seeding)
			has := slices.Sorted(maps.Keys(readTree(t, got.Path)))
			if want := []string{"./", "a", "b"}; !slices.Equal(has, want) || got.Total != 30<<14 {
				t.Errorf("%v of %d bytes, want %v", has, got.Total, want)
			}
			b.fetch(shared.Link, dst)
			b.wait(id, "all", func(s share.Transfer) bool { return s.State == share.Seeding && s.Total == 60<<14 })
			sameTree(t, dir, got.Path)
		})
	}
}

func TestPatternsThatMatchNothing(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 100_000, "b": 200_000})
	shared := a.share(dir)
	b, dst := newNode(t), t.TempDir()
	b.fetch(shared.Link, dst, func(r *FetchRequest) { r.Files = []string{"a", "nosuch"} })
	if got := b.waitState(shared.ID, share.Stopped); got.Code != share.Usage.Code() {
		t.Errorf("%+v", got)
	}
	c := newNode(t)
	c.fetch(shared.Link, dst, func(r *FetchRequest) { r.Files = []string{"a"} })
	c.waitState(shared.ID, share.Seeding)
	_, err := c.Fetch(t.Context(), FetchRequest{Link: share.Link{ID: shared.ID}, Output: dst, FetchOptions: share.FetchOptions{Files: []string{"nosuch"}}})
	if share.KindOf(err) != share.Usage {
		t.Errorf("%v", err)
	}
}

func TestFetchAgainAddsTrackers(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("d8:intervali1800e5:peers0:e"))
	}))
	defer web.Close()
	a := newNode(t, func(c *Config) { c.AllowPrivate, c.IPv4 = true, true })
	shared := a.share(someFiles(t))
	l := share.Link{ID: shared.ID, Trackers: []string{web.URL + "/announce"}}
	if _, err := a.Fetch(t.Context(), FetchRequest{Link: l, Output: filepath.Dir(shared.Path)}); err != nil {
		t.Fatal(err)
	}
	a.until("an announce", func() bool { return asked.Load() > 0 })
}

// What is in a folder already is counted by what is right of it.
func TestMatchFolder(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := filepath.Join(t.TempDir(), "set")
	makeFiles(t, dir, map[string]int{"a": 2 << 14, "b": 3 << 14, "c": 10, "d": 20})
	info, err := a.infoOf(a.share(dir).ID)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	check := func(want share.Match) {
		t.Helper()
		if got, err := MatchFolder(t.Context(), &metainfo.Torrent{Info: info}, out); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	check(share.Match{})
	if err := os.CopyFS(filepath.Join(out, "set"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	all := int64(5<<14 + 30)
	check(share.Match{Files: 4, Bytes: all, Right: all})
	damage(t, filepath.Join(out, "set/a"), 5)
	if err := os.Truncate(filepath.Join(out, "set/b"), 2<<14+9); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(out, "set/d")); err != nil { // and so none of c is known to be right
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "set/c"), make([]byte, 99), 0o600); err != nil {
		t.Fatal(err)
	}
	check(share.Match{Files: 3, Bytes: 4<<14 + 9 + 99, Right: 3 << 14})
}
