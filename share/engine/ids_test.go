package engine

import (
	"crypto/sha256"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
	"github.com/shoalnet/shoal/share/metainfo"
)

func TestNames(t *testing.T) {
	info := hybrid("hybrid", []string{"a"}, [][]byte{[]byte("hello")})
	v1, v2 := share.ID(sha1Sum(info)), share.V2(sha256.Sum256(info))
	other := share.V2{1}
	almost := v2
	almost[31]++ // the same truncated ID
	for _, test := range []struct {
		name string
		n    names
		fits bool
	}{
		{"v1", names{V1: v1}, true},
		{"v2", names{V2: v2}, true},
		{"both", names{V1: v1, V2: v2}, true},
		{"a bare ID that is the truncated one", names{V1: v2.ID()}, true},
		{"nothing", names{}, false},
		{"another v1", names{V1: share.ID{1}}, false},
		{"another v2", names{V2: other}, false},
		{"v2 that begins in the same way", names{V2: almost}, false},
		{"v1, and another v2", names{V1: v1, V2: other}, false},
		{"v2, and another v1", names{V1: share.ID{1}, V2: v2}, false},
	} {
		if test.n.fits(info) != test.fits {
			t.Errorf("%s: fits is not %v", test.name, test.fits)
		}
	}
	both := names{V1: v1, V2: v2}
	for _, test := range []struct {
		o      names
		differ bool
	}{
		{names{}, false}, {names{V1: v1}, false}, {names{V2: v2}, false}, {both, false}, {names{V1: v2.ID()}, false},
		{names{V1: share.ID{1}}, true}, {names{V2: other}, true}, {names{V1: v1, V2: other}, true},
	} {
		if both.differ(test.o) != test.differ || test.o.differ(both) != test.differ {
			t.Errorf("%+v: differ is not %v", test.o, test.differ)
		}
		if both.all(test.o) == test.differ {
			t.Errorf("%+v: all is %v", test.o, test.differ)
		}
	}
	if n := namesIn(share.Link{ID: v2.ID(), V2: v2}); n != (names{V2: v2}) {
		t.Errorf("the truncated v2 ID passes for one of v1: %+v", n)
	}
}

// twoNames is a hybrid that a peer describes to who asks, by either ID.
func twoNames(t *testing.T) (info []byte, byV1, byV2 share.Link) {
	t.Helper()
	info = hybrid("hybrid", []string{"a.bin"}, [][]byte{content("a.bin", 50_000)})
	peers := []string{serveInfo(t, info)}
	return info, share.Link{ID: sha1Sum(info), Peers: peers}, share.Link{V2: sha256.Sum256(info), Peers: peers}
}

// A transfer that was added by its v2 ID keeps that for a key when its info dictionary
// tells the v1 ID, is found and added again by both, and so it is after a restart.
func TestOneTransferOfTwoNames(t *testing.T) {
	_, byV1, byV2 := twoNames(t)
	out, key, other := t.TempDir(), byV2.Key(), byV1.Key()
	f := &finder{}
	announces := func(c *Config) { c.Finders = []Finder{f} }
	a := newNode(t, announces)
	a.fetch(byV2.String(), out)
	known := func(s share.Transfer) bool { return s.Files > 0 }
	check := func(n *node) {
		t.Helper()
		one, two := n.wait(key, "its files are known", known), n.wait(other, "found by its v1 ID", known)
		if one.ID != key || two.ID != key || one.V1 != byV1.ID || one.V2 != byV2.V2 {
			t.Fatalf("%+v and %+v", one, two)
		}
		l, err := share.ParseLink(one.Link)
		if err != nil || l.ID != byV1.ID || l.V2 != byV2.V2 {
			t.Errorf("its link is %s, %v", one.Link, err)
		}
		for _, id := range []share.ID{key, other} {
			n.until("announced by all names", func() bool { return f.has(id) })
			if !n.peerside().Offered(id) {
				t.Errorf("peers cannot ask for %s", id)
			}
		}
	}
	check(a)
	for _, l := range []share.Link{byV1, byV2, {ID: byV2.Key()}} {
		if s := a.fetch(l.String(), out); s.ID != key || len(a.List()) != 1 {
			t.Errorf("%s makes another transfer, %s", l, s.ID)
		}
	}
	wrong := share.Link{ID: share.ID{1}, V2: byV2.V2}
	if _, err := a.Fetch(t.Context(), FetchRequest{Link: wrong, Output: out}); share.KindOf(err) != share.Refused {
		t.Errorf("a link that names other content, too: %v", err)
	}
	text, err := a.Torrent(other)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := a.Fetch(t.Context(), FetchRequest{Torrent: text, Output: out}); err != nil || s.ID != key {
		t.Errorf("its .torrent file: %s, %v", s.ID, err)
	}
	a.stop()

	b := startNode(t, a.state, announces)
	check(b)
	if _, err := b.Remove(other, true); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.cfg.Dir, "*.torrent")); len(b.List()) != 0 || len(left) != 0 || f.has(key) || f.has(other) {
		t.Errorf("left: %v, %v", b.List(), left)
	}
	var rows int
	if err := b.cfg.DB.QueryRow(`SELECT count(*) FROM engine_ledger`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d records left, %v", rows, err)
	}
}

// A bare ID may be the truncated v2 ID: channels list content by that.
func TestFetchByTruncatedID(t *testing.T) {
	_, byV1, byV2 := twoNames(t)
	a := newNode(t)
	a.fetch(share.Link{ID: byV2.Key(), Peers: byV2.Peers}.String(), t.TempDir())
	s := a.wait(byV1.ID, "found by its v1 ID", func(s share.Transfer) bool { return s.Files > 0 })
	if s.ID != byV2.Key() || s.V1 != byV1.ID || s.V2 != byV2.V2 {
		t.Errorf("%+v", s)
	}
}

// Of two transfers that turn out to be one content, the later one stops and says so, and
// goes on when the other is removed.
func TestTwoTransfersOfOneContent(t *testing.T) {
	info, byV1, byV2 := twoNames(t)
	for name, first := range map[string]bool{"the earlier one learns it first": true, "the later one learns it first": false} {
		t.Run(name, func(t *testing.T) {
			a := newNode(t)
			early, late := share.Link{ID: byV1.ID}, share.Link{V2: byV2.V2} // nobody to ask
			out := t.TempDir()
			a.fetch(early.String(), out)
			a.fetch(late.String(), out)
			tell := late.Key()
			if first {
				tell = early.Key()
			}
			from := []netip.AddrPort{netip.MustParseAddrPort(serveInfo(t, info))}
			if err := a.AddPeers(tell, share.FromUser, from); err != nil {
				t.Fatal(err)
			}
			stopped := func(n *node) {
				t.Helper()
				s := n.waitState(late.Key(), share.Stopped)
				if s.ID != late.Key() || !strings.Contains(s.Reason, early.Key().String()) || s.Code != share.Refused.Code() {
					t.Errorf("%+v", s)
				}
			}
			stopped(a)
			if err := a.AddPeers(early.Key(), share.FromUser, from); err != nil {
				t.Fatal(err)
			}
			a.wait(early.Key(), "its files are known", func(s share.Transfer) bool { return s.Files > 0 })
			if err := a.Resume(late.Key()); err != nil {
				t.Fatal(err)
			}
			stopped(a)
			a.stop()
			b := startNode(t, a.state)
			stopped(b)
			if !b.peerside().Offered(late.Key()) {
				t.Error("the other does not go by this name")
			}
			if _, err := b.Remove(early.Key(), true); err != nil {
				t.Fatal(err)
			}
			b.waitState(late.Key(), share.Finding)
			if err := b.AddPeers(late.Key(), share.FromUser, from); err != nil {
				t.Fatal(err)
			}
			s := b.wait(early.Key(), "its files are known", func(s share.Transfer) bool { return s.Files > 0 })
			if s.ID != late.Key() || s.V1 != early.ID {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What is shared is the same content as what is fetched by another name.
func TestShareWhatIsFetchedByAnotherName(t *testing.T) {
	src := filepath.Join(t.TempDir(), "hybrid")
	makeFiles(t, src, map[string]int{"a.bin": 100_001, "d.txt": 5})
	a, b := newNode(t), newNode(t)
	asHybrid := ShareRequest{Path: src, ShareOptions: share.ShareOptions{Hybrid: true}}
	s, err := a.Share(t.Context(), asHybrid)
	if err != nil {
		t.Fatal(err)
	}
	seed := a.waitState(s.ID, share.Seeding)
	if seed.ID != seed.V1 || seed.V2.IsZero() || !strings.Contains(seed.Link, "urn:btmh:1220"+seed.V2.String()) {
		t.Errorf("%+v", seed)
	}
	text, err := a.Torrent(seed.V2.ID())
	if err != nil {
		t.Fatal(err)
	}
	tor, err := metainfo.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	b.fetch(share.Link{V2: seed.V2, Peers: []string{serveInfo(t, tor.Info.Bytes())}}.String(), t.TempDir())
	b.wait(seed.ID, "its files are known", func(s share.Transfer) bool { return s.Files > 0 })
	if s, err = b.Share(t.Context(), asHybrid); err != nil {
		t.Fatal(err)
	}
	if s = b.waitState(s.ID, share.Seeding); s.ID != seed.V2.ID() || len(b.List()) != 1 {
		t.Errorf("%+v beside %+v", s, b.List())
	}
}

// Rows of versions that kept no names get them from the .torrent files.
func TestNamesOfOlderState(t *testing.T) {
	_, byV1, byV2 := twoNames(t)
	a := newNode(t)
	plain := a.share(someFiles(t))
	a.fetch(byV1.String(), t.TempDir(), func(r *FetchRequest) { r.Goal = &share.Goal{} })
	a.wait(byV1.ID, "its files are known", func(s share.Transfer) bool { return s.Files > 0 })
	if err := a.Pause(byV1.ID); err != nil { // it is not opened
		t.Fatal(err)
	}
	a.stop()
	db := openAt(t, a.state)
	if _, err := db.Exec(`UPDATE engine_transfers SET options = json_remove(options, '$.names')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	notes, _ := filepath.Glob(filepath.Join(a.cfg.Dir, "*"+noteSuffix))
	for _, n := range notes {
		if err := os.Remove(n); err != nil {
			t.Fatal(err)
		}
	}
	b := startNode(t, a.state)
	s := b.wait(byV2.Key(), "found by its v2 ID", func(s share.Transfer) bool { return !s.V2.IsZero() })
	if s.ID != byV1.ID || s.V1 != byV1.ID || s.V2 != byV2.V2 || s.State != share.Paused {
		t.Errorf("%+v", s)
	}
	if s, err := b.Get(plain.ID); err != nil || !s.V2.IsZero() || !s.V1.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
	b.until("all rows have names", func() (all bool) {
		b.box.call(func() {
			all = true
			for _, t := range b.loop.transfers.byID {
				all = all && t.options.Names != nil
			}
		})
		return all
	})
}

// A tracker is asked by every name, and listed once.
func TestTrackerOfTwoNames(t *testing.T) {
	why := share.Errorf(share.Failed, "not registered")
	ways := trackerWays([]tracker.Status{{URL: "a", Peers: 1}, {URL: "b", Err: why}, {URL: "a", Peers: 3, Err: why}, {URL: "b", Err: why}})
	if len(ways) != 2 || ways[0].Name != "a" || ways[0].Found != 3 || ways[0].Error != "" || ways[1].Error != why.Error() {
		t.Errorf("%+v", ways)
	}
}
