package engine

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// rateOf is the average rate at which bytes pass while ok has not become true.
func rateBetween(n *node, id share.ID, from, to int64) float64 {
	n.t.Helper()
	first := n.wait(id, "some bytes", func(s share.Transfer) bool { return s.Downloaded >= from })
	began := time.Now()
	last := n.wait(id, "more bytes", func(s share.Transfer) bool { return s.Downloaded >= to })
	return float64(last.Downloaded-first.Downloaded) / time.Since(began).Seconds()
}

// The four limits: each side's, of the node and of the transfer. Rates are
// computed from what passed in the time it took, however long that was.
func TestLimits(t *testing.T) {
	const limit = 3 << 20
	for name, set := range map[string]func(a, b *node, id share.ID) error{
		"up of the transfer":   func(a, b *node, id share.ID) error { return a.SetLimits(id, share.Limits{Up: limit}) },
		"up of the node":       func(a, b *node, id share.ID) error { return a.SetGlobalLimits(share.Limits{Up: limit}) },
		"down of the transfer": func(a, b *node, id share.ID) error { return b.SetLimits(id, share.Limits{Down: limit}) },
		"down of the node":     func(a, b *node, id share.ID) error { return b.SetGlobalLimits(share.Limits{Down: limit}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newNode(t), newNode(t)
			shared, _ := bigFile(t, a)
			b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Paused = true })
			if err := set(a, b, shared.ID); err != nil {
				t.Fatal(err)
			}
			if err := b.Resume(shared.ID); err != nil {
				t.Fatal(err)
			}
			if rate := rateBetween(b, shared.ID, 4<<20, 13<<20); rate > 1.3*limit {
				t.Errorf("%.1f MiB a second at a limit of 3", rate/(1<<20))
			}
			for _, n := range []*node{a, b} {
				if err := errors.Join(n.SetGlobalLimits(share.Limits{}), n.SetLimits(shared.ID, share.Limits{})); err != nil {
					t.Fatal(err)
				}
			}
			b.waitState(shared.ID, share.Seeding)
		})
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	dst := t.TempDir()
	b.fetch(shared.Link, dst)
	done := b.waitState(shared.ID, share.Seeding)
	sub := b.Subscribe(100)
	defer sub.Close()

	// Without the data.
	if _, err := b.Remove(shared.ID, false); err != nil {
		t.Fatal(err)
	}
	sameTree(t, src, done.Path)
	if _, err := b.Get(shared.ID); !errors.Is(err, share.ErrUnknown) || share.KindOf(err) != share.Failed {
		t.Errorf("after Remove: %v", err)
	}
	if ev := <-sub.C; ev.Type != share.EventRemoved {
		// Changes may have come before.
		for ev.Type != share.EventRemoved {
			ev = <-sub.C
		}
	}
	// It is found there again, and needs no peer.
	if err := a.Pause(shared.ID); err != nil {
		t.Fatal(err)
	}
	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fetch(t.Context(), FetchRequest{Torrent: torrent, Output: dst}); err != nil {
		t.Fatal(err)
	}
	b.waitState(shared.ID, share.Seeding)
	// What was there before is not deleted, with the data or without.
	if _, err := b.Remove(shared.ID, true); err != nil {
		t.Fatal(err)
	}
	files := func(dir string) map[string][]byte {
		tree := readTree(t, dir)
		maps.DeleteFunc(tree, func(name string, _ []byte) bool { return strings.HasSuffix(name, "/") }) // empty folders go
		return tree
	}
	if !reflect.DeepEqual(files(src), files(done.Path)) {
		t.Error("what was there before went, or changed")
	}
	if err := os.RemoveAll(done.Path); err != nil {
		t.Fatal(err)
	}

	// What was fetched is, with the data; what else is in the folder stays.
	if err := a.Resume(shared.ID); err != nil {
		t.Fatal(err)
	}
	b.fetch(shared.Link, dst)
	b.waitState(shared.ID, share.Seeding)
	makeFiles(t, dst, map[string]int{"holiday/mine.txt": 5, "other.txt": 5})
	if _, err := b.Remove(shared.ID, true); err != nil {
		t.Fatal(err)
	}
	left := readTree(t, dst)
	maps.DeleteFunc(left, func(_ string, b []byte) bool { return len(b) == 0 })
	if names := slices.Sorted(maps.Keys(left)); !slices.Equal(names, []string{"holiday/mine.txt", "other.txt"}) {
		t.Errorf("left: %q", names)
	}
	if list := b.List(); len(list) != 0 {
		t.Errorf("still listed: %+v", list)
	}
	// What is shared is never deleted.
	if _, err := a.Remove(shared.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(src, "beach.jpg")); err != nil {
		t.Error(err)
	}
	if names, _ := os.ReadDir(a.cfg.Dir); len(names) != 0 {
		t.Errorf("left in the folder for torrents: %v", names)
	}
	b.stop()
	b = startNode(t, b.state)
	if list := b.List(); len(list) != 0 {
		t.Errorf("back after a restart: %+v", list)
	}
}

// Removing while something takes long does not wait for it.
func TestRemoveWhileBusy(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"big.bin": 64 << 20})
	s, err := a.Share(t.Context(), ShareRequest{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Remove(s.ID, false); err != nil {
		t.Fatal(err)
	}
	if len(a.List()) != 0 {
		t.Error("still listed")
	}
	shared := a.share(dir)
	if err := a.Verify(shared.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Remove(shared.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(shared.ID); !errors.Is(err, share.ErrUnknown) {
		t.Errorf("verifying what was removed: %v", err)
	}
}

// A share that is removed when all of it has been hashed, but nobody knows yet,
// leaves no torrent behind.
func TestCancelledHashLeavesNoTorrent(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"some.bin": 100_000})
	a.box.call(func() { a.loop.hashing.running += maxHashing }) // it has to wait
	s, err := a.Share(t.Context(), ShareRequest{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	a.box.call(func() {
		a.loop.hashing.running -= maxHashing
		tr := a.loop.transfers.find(s.ID)
		a.loop.reconcile(tr)
		if tr.job == nil || tr.job.what != jobHash {
			t.Error("it is not being hashed")
		}
		// As Remove does, but too late to call the job off.
		tr.removing = &removal{files: []share.ID{tr.id}, held: a.loop.claims.take(tr.id), waiters: []chan<- error{done}}
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if names, _ := os.ReadDir(a.cfg.Dir); len(names) != 0 || len(a.List()) != 0 {
		t.Errorf("left in the folder for torrents: %v; listed: %v", names, a.List())
	}
}

func TestSameContentTwice(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	src := someFiles(t)
	shared := a.share(src)
	again, err := a.Share(t.Context(), ShareRequest{Path: src})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.waitState(again.ID, share.Seeding); got.ID != shared.ID {
		t.Errorf("shared twice: %+v", got)
	}
	if len(a.List()) != 1 {
		t.Errorf("%d transfers", len(a.List()))
	}

	first := b.fetch(shared.ID.String(), t.TempDir())
	second := b.fetch(shared.Link, t.TempDir(), anywhere)
	if first.ID != second.ID || first.Path != second.Path || len(b.List()) != 1 {
		t.Errorf("fetched twice: %+v and %+v", first, second)
	}
	// The second link brought the address.
	b.waitState(shared.ID, share.Seeding)
}

func TestRefusedRequests(t *testing.T) {
	b := newNode(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		r    FetchRequest
		kind share.Kind
	}{
		"nothing":       {FetchRequest{Output: dir}, share.Refused},
		"relative":      {FetchRequest{Link: share.Link{ID: share.ID{1}}, Output: "x"}, share.Usage},
		"no torrent":    {FetchRequest{Torrent: []byte("d4:infoe"), Output: dir}, share.Refused},
		"bad pattern":   {FetchRequest{Link: share.Link{ID: share.ID{1}}, Output: dir, FetchOptions: share.FetchOptions{Files: []string{"["}}}, share.Usage},
		"bad limit":     {FetchRequest{Link: share.Link{ID: share.ID{1}}, Output: dir, FetchOptions: share.FetchOptions{Limits: share.Limits{Up: -1}}}, share.Usage},
		"negative goal": {FetchRequest{Link: share.Link{ID: share.ID{1}}, Output: dir, FetchOptions: share.FetchOptions{Goal: &share.Goal{Ratio: -1}}}, share.Usage},
	} {
		if _, err := b.Fetch(t.Context(), c.r); share.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Share(t.Context(), ShareRequest{Path: filepath.Join(dir, "not there")}); share.KindOf(err) != share.Disk {
		t.Errorf("sharing what is not there: %v", err)
	}
	if len(b.List()) != 0 {
		t.Errorf("%+v", b.List())
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t, func(c *Config) { c.MaxFetching = 1; c.Limits.Down = 4 << 20 })
	sub := b.Subscribe(10_000)
	defer sub.Close()
	var ids []share.ID
	for _, name := range []string{"one", "two", "three"} {
		dir := filepath.Join(t.TempDir(), name)
		makeFiles(t, dir, map[string]int{name: 4 << 20})
		shared := a.share(dir)
		b.fetch(shared.Link, t.TempDir())
		ids = append(ids, shared.ID)
	}
	b.waitState(ids[2], share.Queued)
	if s, _ := b.Get(ids[2]); s.Reason == "" && s.State == share.Queued {
		t.Error("queued for no reason")
	}
	for done := 0; done < len(ids); {
		fetching := 0
		done = 0
		for _, s := range b.List() {
			switch s.State {
			case share.Fetching:
				fetching++
			case share.Seeding:
				done++
			}
		}
		if fetching > 1 {
			t.Fatalf("%d fetch at once", fetching)
		}
		<-sub.C
	}
}

func TestGoalEndsSeeding(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, _ := bigFile(t, a)
	b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Goal = &share.Goal{None: true} })
	s := b.waitState(shared.ID, share.Paused)
	if s.Bytes != s.Total || s.Reason == "" {
		t.Errorf("%+v", s)
	}
	if err := b.Resume(shared.ID); err != nil {
		t.Fatal(err)
	}
	if s := b.waitState(shared.ID, share.Seeding); s.Reason != "" {
		t.Errorf("%+v", s)
	}
	if err := b.SetGoal(shared.ID, share.Goal{None: true}); err != nil {
		t.Fatal(err)
	}
	b.waitState(shared.ID, share.Paused)
	if err := b.SetGoal(shared.ID, share.Goal{}); err != nil {
		t.Fatal(err)
	}
	b.waitState(shared.ID, share.Seeding)
}

func TestAfterTheEnd(t *testing.T) {
	a := newNode(t)
	shared := a.share(someFiles(t))
	sub := a.Subscribe(10)
	a.stop()
	for range sub.C {
	}
	if sub.Lagged() {
		t.Error("the reader is told that it lagged")
	}
	if _, err := a.Get(shared.ID); !errors.Is(err, ErrStopped) {
		t.Errorf("Get: %v", err)
	}
	if _, err := a.Share(t.Context(), ShareRequest{Path: t.TempDir()}); !errors.Is(err, ErrStopped) {
		t.Errorf("Share: %v", err)
	}
	if a.List() != nil || a.Stats().Transfers != 0 {
		t.Error("transfers after the end")
	}
}
