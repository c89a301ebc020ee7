package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Selected data that is missing counts as needed, except what was reserved ahead, which is
// no longer free.
func TestRoomCountsWhatIsMissing(t *testing.T) {
	giver := open(t, options(t, stateDir(t), nil))
	dir, _ := content(t)
	folder := shared(t, giver.Client, dir)
	file := shared(t, giver.Client, filepath.Join(dir, "a.bin"))
	ctx := testContext(t)
	if r, err := giver.Client.Room(ctx, folder.ID); err != nil || r.Needed != 0 || !r.Enough() {
		t.Errorf("of a share: %+v %v", r, err)
	}
	torrents := map[share.ID][]byte{}
	for _, id := range []share.ID{folder.ID, file.ID} {
		b, err := giver.Client.Torrent(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		torrents[id] = b
	}
	closed(t, giver)
	for _, reserved := range []string{"false", "true"} {
		taker := open(t, options(t, stateDir(t), map[string][]string{"min-free": {"7MB"}, "preallocate": {reserved}}))
		out := t.TempDir()
		for id, c := range map[share.ID]struct {
			part   string
			files  []string
			needed int64
		}{
			folder.ID: {filepath.Join(out, "holiday", "sub", "b.bin.part"), []string{"*b.bin"}, 70_001},
			file.ID:   {filepath.Join(out, "a.bin.part"), nil, 300_000},
		} {
			if _, err := taker.Client.Fetch(ctx, api.FetchRequest{Torrent: torrents[id], Output: out, FetchOptions: share.FetchOptions{Files: c.files}}); err != nil {
				t.Fatal(err)
			}
			await(t, taker.Client, id, func(t share.Transfer) bool { return t.State == share.Fetching && t.Path != out })
			r, err := taker.Client.Room(ctx, id)
			if err != nil || r.Needed != c.needed || r.MinFree != 7_000_000 || r.Free <= 0 || r.Path == "" {
				t.Errorf("of what is missing: %+v %v, want %d", r, err, c.needed)
			}
			if err := os.MkdirAll(filepath.Dir(c.part), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.part, make([]byte, c.needed), 0o600); err != nil {
				t.Fatal(err)
			}
			want := c.needed
			if reserved == "true" {
				want = 0
			}
			if r, err := taker.Client.Room(ctx, id); err != nil || r.Needed != want {
				t.Errorf("with %s, preallocate %s: %+v %v, want %d", c.part, reserved, r, err, want)
			}
		}
		closed(t, taker)
	}
}
