package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// What is over is over, and what others asked for goes on. Instances:
//
//	a share of a command that ended is served by the next one    TestShareEndsWithItsCommand
//	... also when the process was killed                         TestShareEndsWithItsProcess
//	sharing it again reads all of it                             TestSharingAgainReadsNothing
//	a cancelled hash finishes and seeds                          TestCancelledHashIsCancelled
//	a fetch that was interrupted goes on unasked                 TestInterruptedFetchRests
//	a share that cannot be is a row that is tried for ever       TestShareThatCannotBeFailsOnce
//	a channel decides over what the user fetches or shares       TestChannelAndUserShareAnID
//	a list of a channel is fetched whatever it is                TestOnlyAListIsFetchedForAChannel
//	another output, another selection, other sources             merge_test.go

func (n *node) lease() Lease {
	n.t.Helper()
	l, err := n.BeginLease()
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

func (n *node) shareFor(path string, r ShareRequest) share.Transfer {
	n.t.Helper()
	r.Path = path
	s, err := n.Share(n.t.Context(), r)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.waitState(s.ID, share.Seeding)
}

// gone waits until nothing is listed, and checks that nothing is offered.
func (n *node) gone(id share.ID) {
	n.t.Helper()
	n.until("the end", func() bool { return len(n.List()) == 0 && !n.peerside().Offered(id) })
}

func (n *node) owners(id share.ID) []Owner {
	n.t.Helper()
	o, err := n.Owners(id)
	if err != nil {
		n.t.Fatal(err)
	}
	slices.Sort(o)
	return o
}

func TestShareEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	first, second, path := n.lease(), n.lease(), someFiles(t)
	s := n.shareFor(path, ShareRequest{Lease: first})
	if again := n.shareFor(path, ShareRequest{Lease: second}); again.ID != s.ID {
		t.Fatalf("%s and %s", again.ID, s.ID)
	}
	n.EndLease(first)
	if got, err := n.Get(s.ID); err != nil || got.State != share.Seeding {
		t.Errorf("the other command's share ended, too: %+v, %v", got, err)
	}
	n.EndLease(second)
	n.gone(s.ID)
	if _, err := n.Share(t.Context(), ShareRequest{Path: path, Lease: first}); share.KindOf(err) != share.Interrupted {
		t.Errorf("for a command that ended: %v", err)
	}
	// What the user has shared himself stays.
	n.shareFor(path, ShareRequest{})
	third := n.lease()
	n.shareFor(path, ShareRequest{Lease: third})
	n.EndLease(third)
	if o := n.owners(s.ID); !slices.Equal(o, []Owner{User}) {
		t.Errorf("owners %v", o)
	}
}

func TestShareEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	state, path := t.TempDir(), someFiles(t)
	n := startNode(t, state)
	s := n.shareFor(path, ShareRequest{Lease: n.lease()})
	n.stop() // the lease was not ended
	n = startNode(t, state)
	n.gone(s.ID)
	if got := n.shareFor(path, ShareRequest{Lease: n.lease()}); got.ID != s.ID {
		t.Errorf("%s and %s", got.ID, s.ID)
	}
}

func TestSharingAgainReadsNothing(t *testing.T) {
	t.Parallel()
	state, path := t.TempDir(), someFiles(t)
	n := startNode(t, state)
	l := n.lease()
	s := n.shareFor(path, ShareRequest{Lease: l})
	n.EndLease(l)
	n.gone(s.ID)
	n.stop()
	n = startNode(t, state)
	l = n.lease()
	// Same size, same time: had it been read, the ID would be another. Only the
	// change time tells, where the file system has one.
	sub := n.Subscribe(1000)
	got := n.shareFor(path, ShareRequest{Lease: l})
	sub.Close()
	if got.ID != s.ID {
		t.Errorf("%s and %s", got.ID, s.ID)
	}
	for ev := range sub.C {
		if ev.Transfer != nil && ev.Transfer.State == share.Hashing && ev.Transfer.Bytes > 0 {
			t.Errorf("%d bytes were read", ev.Transfer.Bytes)
		}
	}
	n.EndLease(l)
	n.gone(s.ID)

	// What changed is read.
	changed := filepath.Join(path, "beach.jpg")
	if err := os.WriteFile(changed, content("other", 300_001), 0o644); err != nil {
		t.Fatal(err)
	}
	l = n.lease()
	other := n.shareFor(path, ShareRequest{Lease: l})
	if other.ID == s.ID {
		t.Error("a changed folder has the same ID")
	}
	n.EndLease(l)
	n.gone(other.ID)
	// Changed back it is the first again, and its files are others.
	if err := os.WriteFile(changed, content("beach.jpg", 300_001), 0o644); err != nil {
		t.Fatal(err)
	}
	n.shareFor(path, ShareRequest{Lease: n.lease()})
	b := newNode(t)
	back := b.fetch(n.list1().Link, t.TempDir())
	if back.ID != s.ID {
		t.Errorf("%s and %s", back.ID, s.ID)
	}
	sameTree(t, path, b.waitState(back.ID, share.Seeding).Path)
}

// list1 is the one transfer that there is.
func (n *node) list1() share.Transfer {
	n.t.Helper()
	all := n.List()
	if len(all) != 1 {
		n.t.Fatalf("%d transfers: %+v", len(all), all)
	}
	return all[0]
}

func TestShelfIsBounded(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.box.call(func() { n.loop.shelf.most = 2 })
	var ids []share.ID
	for _, name := range []string{"a", "b", "c"} {
		dir := t.TempDir()
		makeFiles(t, dir, map[string]int{name: 100_000})
		l := n.lease()
		ids = append(ids, n.shareFor(filepath.Join(dir, name), ShareRequest{Lease: l}).ID)
		n.EndLease(l)
		n.gone(ids[len(ids)-1])
	}
	n.until("the oldest is gone", func() bool {
		_, err := os.Stat(n.torrents.path(ids[0]))
		return os.IsNotExist(err)
	})
	for _, id := range ids[1:] {
		if _, err := os.Stat(n.torrents.path(id)); err != nil {
			t.Error(err)
		}
	}
	// A fetch of what is on the shelf is a fetch.
	dst := t.TempDir()
	n.fetch((&share.Link{ID: ids[1]}).String(), dst)
	if got := n.list1(); got.Own || got.Path != dst {
		t.Errorf("%+v", got)
	}
}

func TestCancelledHashIsCancelled(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]ShareRequest{"alone": {}, "with a daemon": {Owner: User}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := t.TempDir()
			n := startNode(t, state)
			n.box.call(func() { n.loop.hashing.running = maxHashing }) // it waits for its turn
			r.Path, r.Lease = someFiles(t), n.lease()
			s, err := n.Share(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			n.EndLease(r.Lease)
			n.gone(s.ID)
			n.box.call(func() { n.loop.hashing.running = 0; n.loop.hashNext() })
			n.stop()
			n = startNode(t, state)
			n.gone(s.ID)
		})
	}
}

// A share of a command that is handed over once it is hashed stays.
func TestHashedShareIsHandedOver(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	l := n.lease()
	s := n.shareFor(someFiles(t), ShareRequest{Owner: User, Lease: l})
	if o := n.owners(s.ID); !slices.Equal(o, []Owner{User}) {
		t.Errorf("owners %v", o)
	}
	n.EndLease(l)
	if got := n.list1(); got.State != share.Seeding {
		t.Errorf("%+v", got)
	}
}

func TestInterruptedFetchRests(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared, _ := bigFile(t, a)
	if err := a.SetGlobalLimits(share.Limits{Up: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	state, dst := t.TempDir(), t.TempDir()
	b := startNode(t, state)
	for _, end := range []func(Lease){func(l Lease) { b.EndLease(l) }, func(Lease) { b.stop(); b = startNode(t, state) }} {
		l := b.lease()
		id := b.fetch(shared.Link, dst, func(r *FetchRequest) { r.Lease = l }).ID
		b.waitState(id, share.Fetching)
		end(l)
		b.wait(id, "rest", func(s share.Transfer) bool { return s.State == share.Paused && s.Reason == reasonInterrupted })
	}
	b.stop()
	b = startNode(t, state)
	if got := b.list1(); got.State != share.Paused {
		t.Errorf("it goes on unasked: %+v", got)
	}
	// Resumed by the user it is his, and no command ends it.
	if err := b.Resume(shared.ID); err != nil {
		t.Fatal(err)
	}
	if o := b.owners(shared.ID); !slices.Equal(o, []Owner{User}) {
		t.Errorf("owners %v", o)
	}
	l := b.lease()
	b.fetch(shared.Link, dst, func(r *FetchRequest) { r.Lease = l })
	b.EndLease(l)
	if got := b.list1(); got.State == share.Paused {
		t.Errorf("a command ended what was the user's: %+v", got)
	}
}

// A fetch that is complete seeds no longer than its command.
func TestCompleteFetchEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared := a.share(someFiles(t))
	state := t.TempDir()
	b := startNode(t, state)
	l := b.lease()
	id := b.fetch(shared.Link, t.TempDir(), func(r *FetchRequest) { r.Lease = l }).ID
	b.waitState(id, share.Seeding)
	b.EndLease(l)
	b.wait(id, "rest", func(s share.Transfer) bool { return s.State == share.Paused && s.Reason == reasonEnded })
	b.stop()
	b = startNode(t, state)
	if got := b.list1(); got.State != share.Paused || b.peerside().Offered(id) {
		t.Errorf("it seeds unasked: %+v", got)
	}
}

func TestShareThatCannotBeFailsOnce(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	n := startNode(t, state)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := n.Share(t.Context(), ShareRequest{Path: empty})
	if err != nil {
		t.Fatal(err)
	}
	got := n.waitState(s.ID, share.Stopped)
	if got.Reason == "" || got.Code != share.Usage.Code() {
		t.Errorf("%+v", got)
	}
	n.gone(s.ID)
	n.stop()
	n = startNode(t, state)
	n.gone(s.ID)
}

const listName = "shoal-channel-abc.jsonl.zst"

// aList shares what could be the list of a channel.
func aList(t *testing.T, n *node) (share.Transfer, string) {
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{listName: 200_000})
	return n.share(filepath.Join(dir, listName)), filepath.Join(dir, listName)
}

func forChannel(r *FetchRequest) {
	r.Owner, r.Only, r.MaxSize = ChannelOwner("k"), "shoal-channel-*.jsonl.zst", 1<<20
}

func TestChannelAndUserShareAnID(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	list, original := aList(t, a)
	channelDir := t.TempDir()
	start := func(t *testing.T) *node {
		b := newNode(t)
		dir, err := os.MkdirTemp(channelDir, "*")
		if err != nil {
			t.Fatal(err)
		}
		b.fetch(list.Link, dir, forChannel)
		b.waitState(list.ID, share.Seeding)
		return b
	}
	t.Run("the user's get is delivered", func(t *testing.T) {
		b, dst := start(t), t.TempDir()
		a.SetGlobalLimits(share.Limits{})
		b.fetch(list.Link, dst, func(r *FetchRequest) { r.Limits = share.Limits{Up: 1 << 20}; r.Goal = &share.Goal{Ratio: 3} })
		got := b.waitState(list.ID, share.Seeding)
		if got.Path != filepath.Join(dst, listName) || got.Limits.Up != 1<<20 || got.Goal.Ratio != 3 {
			t.Errorf("%+v", got)
		}
		if readFile(t, got.Path) != readFile(t, original) {
			t.Error("the file differs")
		}
		if err := b.Release(list.ID, ChannelOwner("k"), true); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Get(list.ID); err != nil || got.State != share.Seeding {
			t.Errorf("%+v, %v", got, err)
		}
		readFile(t, got.Path)
	})
	t.Run("the user's share is his", func(t *testing.T) {
		b := start(t)
		got := b.share(original)
		if !got.Own || got.Path != original {
			t.Errorf("%+v", got)
		}
		if o := b.owners(list.ID); !slices.Equal(o, []Owner{User}) {
			t.Errorf("owners %v", o)
		}
		if err := b.Release(list.ID, ChannelOwner("k"), true); err != nil {
			t.Fatal(err)
		}
		if got := b.list1(); got.State != share.Seeding || readFile(t, got.Path) == "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the channel's ends alone", func(t *testing.T) {
		b := start(t)
		path := b.list1().Path
		if err := b.Release(list.ID, ChannelOwner("k"), true); err != nil {
			t.Fatal(err)
		}
		b.gone(list.ID)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("its file stays: %v", err)
		}
	})
}

func TestOnlyAListIsFetchedForAChannel(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"film.mkv": 3 << 20, listName: 2 << 20})
	for _, name := range []string{"film.mkv", listName} { // not called so, and too large
		s := a.share(filepath.Join(dir, name))
		b := newNode(t)
		into := t.TempDir()
		b.fetch(s.Link, into, forChannel)
		if got := b.waitState(s.ID, share.Stopped); got.Code != share.Refused.Code() || got.Downloaded != 0 {
			t.Errorf("%+v", got)
		}
		if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
		// It is no hindrance to the user.
		dst := t.TempDir()
		b.fetch(s.Link, dst)
		if got := b.waitState(s.ID, share.Seeding); got.Path != filepath.Join(dst, name) {
			t.Errorf("%+v", got)
		}
	}
}
