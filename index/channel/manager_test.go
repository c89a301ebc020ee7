package channel

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

var bg = context.Background()

// made is a channel that a test created, with its link read.
type made struct {
	index.Channel
	Link index.ChannelLink
}

func created(t *testing.T, h *host, name string, entries ...index.Entry) made {
	t.Helper()
	c, err := h.Create(bg, name, "about it", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Put(bg, name, entries); err != nil {
		t.Fatal(err)
	}
	link, err := index.ParseChannelLink(c.Link)
	if err != nil {
		t.Fatal(err)
	}
	return made{c, link}
}

func followed(t *testing.T, h *host, l index.ChannelLink, mirror int64) index.Channel {
	t.Helper()
	i, err := h.Follow(bg, l, &mirror)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// A channel that was looked for before it was there has no trouble once it is loaded.
func TestALoadedChannelWasFound(t *testing.T) {
	w := newWorld()
	a, b := w.join(t, t.TempDir()), w.join(t, t.TempDir())
	ch, err := a.Create(bg, "films", "", false)
	if err != nil {
		t.Fatal(err)
	}
	followed(t, b, index.ChannelLink{ID: ch.ID}, 1<<30)
	eventually(t, "it is not found", func() bool { return b.List()[0].Error != "" })
	if _, err := a.Put(bg, ch.Name, []index.Entry{thing(1, "one")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an entry is mirrored", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.began) == 1 })
	if len(b.trouble) > 0 {
		t.Errorf("while its entry is fetched: %q", b.trouble)
	}
}

// The publisher goes away for good: whoever follows keeps the channel alive.
func TestAChannelLivesWhileAnyoneFollowsIt(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"), thing(2, "two"))
	b := w.join(t, t.TempDir())
	link := index.ChannelLink{ID: ch.Link.ID}
	followed(t, b, link, 0)
	b.eventuallyHas(link, "one", "two")
	if i, err := b.Resolve("films"); err != nil || i.About != "about it" || i.Own || i.Entries != 2 || i.Pending {
		t.Errorf("what follows knows %+v, %v", i, err)
	}
	a.stop()

	// The DHT forgets, and a third gets it from the second.
	w.mu.Lock()
	clear(w.items)
	w.mu.Unlock()
	eventually(t, "the follower puts the item again", func() bool { return w.item(link).Value != nil })
	c := w.join(t, t.TempDir())
	followed(t, c, link, 0)
	c.eventuallyHas(link, "one", "two")
}

func TestChangesArePublishedTogether(t *testing.T) {
	w := newWorld()
	a, b := w.join(t, t.TempDir()), w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"))
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one")
	first := w.item(ch.Link).Seq
	for i := 2; i < 40; i++ {
		if _, err := a.Put(bg, "films", []index.Entry{thing(i, "x")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Manager.Remove(bg, ch.ID.Short(), []share.ID{thing(1, "").ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Manager.Remove(bg, "films", []share.ID{{1}}); !errors.Is(err, index.ErrUnknown) {
		t.Errorf("removing what is not there: %v", err)
	}
	eventually(t, "the follower has all", func() bool { n := b.cat.names(ch.ID); return len(n) == 38 && n[0] == "x" })
	if n := w.item(ch.Link).Seq - first; n > 38 {
		t.Errorf("%d versions for 39 changes in a row", n)
	}
	// An edit is published, too; the same once more is not.
	name := "better films"
	if _, err := a.Edit(bg, "films", index.ChannelChange{Name: &name}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new name arrives", func() bool { _, err := b.Resolve(name); return err == nil })
	eventually(t, "all is published", func() bool { i, _ := a.Resolve(name); return !i.Pending })
	seq := w.item(ch.Link).Seq
	if i, err := a.Publish(bg, name); err != nil || i.Seq != seq {
		t.Errorf("published again: %+v, %v; it was at %d", i, err, seq)
	}
}

// What an older version, a forged one or another channel's says is not taken,
// also after a restart and after following anew.
func TestOlderAndForgedVersionsAreNotTaken(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"))
	eventually(t, "it is published", func() bool { return w.item(ch.Link).Value != nil })
	old := w.item(ch.Link)
	dir := t.TempDir()
	b := w.join(t, dir)
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one")
	if _, err := a.Put(bg, "films", []index.Entry{thing(2, "two")}); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "one", "two")
	newest := w.item(ch.Link)

	another := created(t, a, "other", thing(3, "three"))
	eventually(t, "the other is published", func() bool { return w.item(another.Link).Value != nil })
	forged := newest
	forged.Seq++
	mixed := w.item(another.Link)
	for name, lie := range map[string]index.Item{"older": old, "forged": forged, "another's": mixed} {
		w.mu.Lock()
		w.lie = &lie
		w.mu.Unlock()
		for _, again := range []bool{false, true} {
			if again {
				b.stop()
				b = w.join(t, dir)
			}
			c := b.get(ch.ID)
			if err := c.step(bg); name != "older" && !errors.Is(err, index.ErrForged) {
				t.Errorf("%s: %v", name, err)
			}
			if r := c.now(); r.item.Seq != newest.Seq {
				t.Errorf("%s: the sequence is %d, it was %d", name, r.item.Seq, newest.Seq)
			}
		}
	}
	// Unfollowed and followed again, the old one still is not taken.
	w.mu.Lock()
	w.lie = &old
	w.mu.Unlock()
	if _, err := b.Unfollow(bg, "films", false); err != nil {
		t.Fatal(err)
	}
	if n := b.cat.names(ch.ID); len(n) != 0 {
		t.Errorf("after unfollowing there are %v", n)
	}
	followed(t, b, ch.Link, 0)
	_ = b.get(ch.ID).step(bg)
	if i, err := b.Resolve(ch.ID.String()); err != nil || i.Seq != newest.Seq || i.Entries != 0 {
		t.Errorf("followed anew: %+v, %v", i, err)
	}
	w.mu.Lock()
	w.lie = nil
	w.mu.Unlock()
	b.get(ch.ID).lookUpSoon()
	b.eventuallyHas(ch.Link, "one", "two")
}

// An item that nobody took, or of which a node that was killed does not know
// whether anybody did, is put later, and what changed meanwhile with it.
func TestPublishingGoesOnAfterAFailure(t *testing.T) {
	w := newWorld()
	w.full = true
	dir := t.TempDir()
	a := w.join(t, dir)
	ch := created(t, a, "films", thing(1, "one"))
	eventually(t, "it is tried", func() bool { return a.List()[0].Error != "" })
	signed := a.List()[0]
	if signed.Seq < 0 || w.item(ch.Link).Value != nil {
		t.Fatalf("%+v, %+v", signed, w.item(ch.Link))
	}
	has := a.has
	for _, restart := range []bool{false, true} {
		if restart {
			a.stop()
			a = w.join(t, dir)
			a.mu.Lock()
			a.has = has
			a.mu.Unlock()
		}
		a.get(ch.ID).lookUpSoon()
		eventually(t, "nobody takes it", func() bool { return strings.Contains(a.List()[0].Error, "took it") })
	}
	if _, err := a.Put(bg, "films", []index.Entry{thing(2, "two")}); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.full = false
	w.mu.Unlock()
	a.get(ch.ID).lookUpSoon()
	eventually(t, "it is published", func() bool { i := a.List()[0]; return !i.Pending && i.Entries == 2 && i.Error == "" })
	if it := w.item(ch.Link); it.Seq <= signed.Seq {
		t.Errorf("a sequence was used twice: %d, then %d", signed.Seq, it.Seq)
	}
	b := w.join(t, t.TempDir())
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one", "two")
}

// Publishing looks the item up once and puts it once, for both take seconds
// where some nodes do not answer; and who publishes meanwhile is not overwritten.
func TestPublishingAsksOnce(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	slowly := func(c *Config) { c.Poll, c.Settle = time.Hour, time.Hour }
	a := w.join(t, dir, slowly)
	ch := created(t, a, "films", thing(1, "one"))
	c := a.get(ch.ID)
	if err := c.lock(bg); err != nil { // nobody else looks it up now
		t.Fatal(err)
	}
	defer c.unlock()
	for range 2 {
		gets, puts := w.asked()
		if err := errors.Join(c.lookUp(bg), c.publish(bg)); err != nil {
			t.Fatal(err)
		}
		if g, p := w.asked(); g != gets+1 || p != puts+1 {
			t.Errorf("%d lookups, %d puts", g-gets, p-puts)
		}
		if _, err := a.Put(bg, "films", []index.Entry{thing(2, "two")}); err != nil {
			t.Fatal(err)
		}
	}
	// Between the lookup and the put another holder of the key publishes.
	k, err := ReadKey(a.cfg.Dir, ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.lookUp(bg); err != nil {
		t.Fatal(err)
	}
	theirs := k.sign(w.item(ch.Link).Seq+1000, share.ID{9})
	if _, err := w.PutMutable(bg, theirs, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.publish(bg); !errors.Is(err, index.ErrStale) || w.item(ch.Link).Seq != theirs.Seq {
		t.Errorf("%v, the item has sequence %d, theirs %d", err, w.item(ch.Link).Seq, theirs.Seq)
	}
}

// With nobody in the DHT it is said so, and soon enough for who waits.
func TestNobodyInTheDHT(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir(), func(c *Config) { c.Poll, c.Settle = time.Hour, time.Hour })
	created(t, a, "films", thing(1, "one"))
	eventually(t, "it was looked up", func() bool { gets, _ := w.asked(); return gets > 0 })
	c := a.all()[0]
	if err := c.lock(bg); err != nil {
		t.Fatal(err)
	}
	a.lookupTime = time.Millisecond
	c.unlock()
	w.mu.Lock()
	w.deaf = true
	w.mu.Unlock()
	if _, err := a.Publish(bg, "films"); share.KindOf(err) != share.Nobody || !strings.HasPrefix(err.Error(), "no DHT node answered in time") {
		t.Errorf("%v", err)
	}
}

// What is put in while all of a channel is being shown is not shown as missing.
func TestPuttingInWhileItIsShown(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir(), func(c *Config) { c.Poll, c.Settle = time.Hour, time.Hour })
	ch := created(t, a, "films", thing(1, "one"))
	c := a.get(ch.ID)
	put := sync.OnceFunc(func() {
		if _, err := a.Put(bg, "films", []index.Entry{thing(2, "two")}); err != nil {
			t.Error(err)
		}
	})
	a.cat.mu.Lock()
	a.cat.midway = func() {
		if c.editing.TryLock() { // else it would wait until all is shown
			c.editing.Unlock()
			put()
		}
	}
	a.cat.mu.Unlock()
	if err := c.showOwn(bg); err != nil {
		t.Fatal(err)
	}
	put()
	if n := a.cat.names(ch.ID); len(n) != 2 || a.List()[0].Entries != 2 {
		t.Errorf("it shows %v, and counts %d", n, a.List()[0].Entries)
	}
}

// The key on another host goes on where the first left off, with what the
// channel had.
func TestARestoredKeyGoesOn(t *testing.T) {
	w := newWorld()
	aDir := t.TempDir()
	a := w.join(t, aDir)
	ch := created(t, a, "films", thing(1, "one"), thing(2, "two"))
	b := w.join(t, t.TempDir())
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one", "two")
	a.stop()
	k, err := ReadKey(filepath.Join(aDir, "channels"), ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	d := w.join(t, t.TempDir())
	if i, err := d.Import(bg, k); err != nil || !i.Own {
		t.Fatalf("%+v, %v", i, err)
	}
	if _, err := d.Put(bg, "films", []index.Entry{thing(3, "three")}); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "one", "three", "two")

	// Both hosts publish: what either adds stays.
	a = w.join(t, aDir)
	if _, err := a.Put(bg, "films", []index.Entry{thing(4, "four")}); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "four", "one", "three", "two")
	if _, err := d.Manager.Remove(bg, "films", []share.ID{thing(1, "").ID}); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "four", "three", "two")
}

// When nobody has what an imported channel had, it is published only on demand.
func TestARestoredKeyThatNobodyFollows(t *testing.T) {
	w := newWorld()
	k, err := NewKey("lost", false)
	if err != nil {
		t.Fatal(err)
	}
	d := w.join(t, t.TempDir())
	if _, err := d.Import(bg, k); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(bg, "lost", []index.Entry{thing(1, "one")}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := d.get(k.Link().Local()).step(bg); err != nil {
			t.Fatal(err)
		}
	}
	if w.item(k.Link()).Value != nil {
		t.Fatal("it was published by itself")
	}
	if i, err := d.Publish(bg, "lost"); err != nil || i.Restoring || i.Pending {
		t.Errorf("%+v, %v", i, err)
	}
	if w.item(k.Link()).Value == nil {
		t.Error("it was not published")
	}
}

func TestPuttingIsTriedAgain(t *testing.T) {
	w := newWorld()
	w.down = true
	a := w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"))
	eventually(t, "it says that it does not get on", func() bool { i, _ := a.Resolve("films"); return strings.Contains(i.Error, "answers") })
	w.mu.Lock()
	w.down, w.stale = false, 2
	w.mu.Unlock()
	a.get(ch.ID).lookUpSoon()
	eventually(t, "it is published", func() bool { i, _ := a.Resolve("films"); return i.Error == "" && !i.Pending })
}

func TestTheCatalogueIsFilledAgain(t *testing.T) {
	w := newWorld()
	a, b := w.join(t, t.TempDir()), w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"))
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one")
	eventually(t, "it is published", func() bool { i, _ := a.Resolve("films"); return !i.Pending })
	for _, h := range []*host{a, b} {
		h.cat.lose()
		h.eventuallyHas(ch.Link, "one")
	}
	// What it has of channels that are not followed is dropped.
	b.cat.mu.Lock()
	b.cat.versions[index.ChannelID{9}] = "x"
	b.cat.mu.Unlock()
	b.cat.opened <- struct{}{}
	eventually(t, "a stranger is dropped", func() bool { v, _ := b.cat.Versions(bg); return len(v) == 1 })
}

func TestAMirrorFetchesUpToItsQuota(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"), thing(2, "two"), thing(3, "three"))
	dir := t.TempDir()
	b := w.join(t, dir)
	followed(t, b, ch.Link, 9<<19) // 3 and 1 MiB: newest first, what fits
	began := func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		var names []string
		for _, l := range b.began {
			names = append(names, l.Name)
		}
		return strings.Join(names, " ")
	}
	eventually(t, "what fits is fetched", func() bool { return began() == "three one" })
	// What does not is told of, and following it again changes nothing.
	if _, err := b.Follow(bg, ch.Link, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is said what does not fit", func() bool {
		i := b.List()[0]
		return i.Mirror == 9<<19 && i.Mirrored == 4<<20 && i.Left == 1
	})
	// What was removed by hand is not fetched again; its place is taken.
	b.mu.Lock()
	delete(b.has, thing(3, "").ID)
	b.mu.Unlock()
	if _, err := a.Put(bg, "films", []index.Entry{thing(4, "four")}); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "four", "one", "three", "two")
	if err := b.get(ch.ID).step(bg); err != nil {
		t.Fatal(err)
	}
	if got := began(); got != "three one" { // four has 4 MiB, 3.5 are left; two would fit
		if got != "three one two" {
			t.Errorf("fetched %s", got)
		}
	}
	quota := int64(10 << 20)
	if _, err := b.Edit(bg, "films", index.ChannelChange{Mirror: &quota}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "more is fetched", func() bool { return strings.Contains(began(), "four") && b.List()[0].Left == 0 })
}

func TestUnfollow(t *testing.T) {
	w := newWorld()
	dir := t.TempDir()
	a := w.join(t, dir)
	ch := created(t, a, "films", thing(1, "one"))
	if _, err := a.Unfollow(bg, "films", false); share.KindOf(err) != share.Usage {
		t.Errorf("an own channel went without a word: %v", err)
	}
	if _, err := a.Unfollow(bg, "films", true); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "channels", "*")); len(left) > 0 {
		t.Errorf("left on the disk: %v", left)
	}
	if _, err := a.Resolve(ch.ID.String()); !errors.Is(err, index.ErrUnknown) {
		t.Errorf("it is still there: %v", err)
	}
	for _, h := range []*host{w.join(t, t.TempDir())} {
		if _, err := h.Unfollow(bg, "nothing", false); !errors.Is(err, index.ErrUnknown) {
			t.Error(err)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	ch := created(t, a, "films")
	b := w.join(t, t.TempDir())
	followed(t, b, ch.Link, 0)
	name := "x"
	quota := int64(-1)
	for what, err := range map[string]error{
		"no name":       second(a.Create(bg, " \x00 ", "", false)),
		"twice":         second(a.Create(bg, "films", "", false)),
		"others' name":  second(b.Edit(bg, ch.ID.String(), index.ChannelChange{Name: &name})),
		"others' entry": second(b.Put(bg, ch.ID.String(), []index.Entry{thing(1, "one")})),
		"others' drop":  second(b.Manager.Remove(bg, ch.ID.String(), []share.ID{{1}})),
		"own mirror":    second(a.Edit(bg, "films", index.ChannelChange{Mirror: &quota})),
		"quota":         second(b.Follow(bg, ch.Link, &quota)),
	} {
		if share.KindOf(err) != share.Usage {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := a.Put(bg, "films", []index.Entry{{Name: "no ID"}}); share.KindOf(err) != share.Refused {
		t.Errorf("an entry without an ID: %v", err)
	}
}

func second(_ index.Channel, err error) error { return err }

// A catalogue that cannot be read changes nothing, and says so.
func TestABadCatalogueChangesNothing(t *testing.T) {
	w := newWorld()
	a, b := w.join(t, t.TempDir()), w.join(t, t.TempDir())
	ch := created(t, a, "films", thing(1, "one"))
	followed(t, b, ch.Link, 0)
	b.eventuallyHas(ch.Link, "one")
	eventually(t, "it is published", func() bool { i, _ := a.Resolve("films"); return !i.Pending })
	a.stop()
	k, err := ReadKey(a.cfg.Dir, ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	bad := share.ID{7}
	w.offer(bad, []byte("no zstd"), a)
	seq := w.item(ch.Link).Seq + 1
	if _, err := w.PutMutable(bg, k.sign(seq, bad), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is said", func() bool { i, _ := b.Resolve("films"); return strings.Contains(i.Error, "catalogue") && i.Pending })
	if n := b.cat.names(ch.ID); len(n) != 1 {
		t.Errorf("there are %v", n)
	}
	// The next good one is taken.
	var buf strings.Builder
	if err := Write(&buf, Head{Link: ch.Link}, []index.Entry{thing(5, "five")}); err != nil {
		t.Fatal(err)
	}
	id := share.ID{8}
	w.offer(id, []byte(buf.String()), a)
	if _, err := w.PutMutable(bg, k.sign(seq+1, id), nil); err != nil {
		t.Fatal(err)
	}
	b.eventuallyHas(ch.Link, "five")
}
