package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// What a folder could not give is known of its share, also after a restart and
// when it is shared again from what is remembered of it; what is excluded stays
// out.
func TestShareTellsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	state, dir := t.TempDir(), t.TempDir()
	makeFiles(t, dir, map[string]int{"a": 50_000, ".b": 10, "c/.d/e": 10, "f.tmp": 10})
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	n := startNode(t, state)
	check := func(s share.Transfer) {
		t.Helper()
		if l := s.LeftOut; l == nil || l.Count != 1 || l.Items[0].Path != "link" || l.Items[0].Reason != "a symbolic link" || l.Items[0].ReasonText == nil || s.Hidden != 2 || s.Files != 3 {
			t.Errorf("%+v, left out: %+v", s, s.LeftOut)
		}
	}
	l := n.lease()
	without := ShareRequest{ShareOptions: share.ShareOptions{Exclude: []string{"*.tmp"}}, Lease: l}
	s := n.shareFor(dir, without)
	check(s)
	n.EndLease(l)
	n.gone(s.ID)
	without.Lease = ""
	if all := n.shareFor(dir, ShareRequest{}); all.ID == s.ID || all.Files != 4 {
		t.Errorf("with all: %+v", all)
	}
	again := n.shareFor(dir, without)
	check(again)
	if again.ID != s.ID {
		t.Error("shared again, it is something else")
	}
	n.stop()
	n = startNode(t, state)
	got, err := n.Get(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	check(got)

	// Were the torrent lost, what is excluded would be excluded from the new one.
	n.stop()
	for _, kept := range []string{".torrent", ".note"} {
		if err := os.Remove(filepath.Join(state, "torrents", s.ID.String()+kept)); err != nil {
			t.Fatal(err)
		}
	}
	n = startNode(t, state)
	check(n.waitState(s.ID, share.Seeding))
}

func TestShareIsGuarded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeFiles(t, dir, map[string]int{"a": 50_000, "b/secret": 10})
	n := newNode(t, func(c *Config) {
		c.Guard = func(path string, info fs.FileInfo) error {
			if filepath.Base(path) == "secret" {
				return errors.New("it is secret")
			}
			return nil
		}
	})
	for _, r := range []ShareRequest{{Path: dir}, {Path: filepath.Join(dir, "b", "secret")}, {Path: dir, ShareOptions: share.ShareOptions{Strict: true}}} {
		s, err := n.Share(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		got := n.waitState(s.ID, share.Stopped)
		if got.Code != share.Usage.Code() || !strings.HasSuffix(got.Reason, "secret: it is secret") {
			t.Errorf("%+v", got)
		}
		n.gone(s.ID)
	}
	n.shareFor(dir, ShareRequest{ShareOptions: share.ShareOptions{Exclude: []string{"secret"}}})
	// The lists of channels are where nobody else may share from.
	s := n.shareFor(filepath.Join(dir, "b"), ShareRequest{Owner: ChannelOwner("ab")})
	if o := n.owners(s.ID); !slices.Equal(o, []Owner{ChannelOwner("ab")}) {
		t.Errorf("owners %v", o)
	}
}
