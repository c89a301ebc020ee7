package engine

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/seal"
)

// Content of the form of a sealed share is shown as one that nobody here can read,
// before and after a restart; other content is not.
func TestBlind(t *testing.T) {
	dir := t.TempDir()
	blob := filepath.Join(dir, strings.Repeat("0f", 16))
	makeFiles(t, dir, map[string]int{filepath.Base(blob): 2 * seal.RecordSize, "plain": 2 * seal.RecordSize})
	seed := newNode(t)
	state := t.TempDir()
	reader := startNode(t, state)
	wide := func(r *ShareRequest) { r.PieceLength = seal.RecordSize }
	want := map[share.ID]share.Seal{}
	for path, is := range map[string]share.Seal{blob: share.SealBlind, filepath.Join(dir, "plain"): ""} {
		s := seed.shareWith(path, wide)
		want[s.ID] = is
		reader.fetch(s.Link, t.TempDir())
		if got := reader.waitState(s.ID, share.Seeding).Seal; got != is {
			t.Errorf("%s: seal %q, want %q", path, got, is)
		}
	}
	reader.stop()
	reader = startNode(t, state)
	for id, is := range want {
		if s, err := reader.Get(id); err != nil || s.Seal != is {
			t.Errorf("%s after a restart: seal %q, %v, want %q", id.Short(), s.Seal, err, is)
		}
	}
}
