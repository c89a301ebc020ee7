package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// What is kept is what is read; what is not that of its ID is told from what is
// not there, and both can be removed.
func TestTorrentsAreKept(t *testing.T) {
	dir := torrents(t.TempDir())
	src := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(src, content("file", 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	made, err := metainfo.Make(t.Context(), src, metainfo.MakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Info.ID
	if _, err := dir.read(id); share.KindOf(err) != share.Disk {
		t.Errorf("nothing is kept: %v", err)
	}
	if err := dir.keep(id, made.Encode()); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.read(id); err != nil || got.Info.ID != id || got.Info.Name != "file" {
		t.Errorf("%+v, %v", got, err)
	}
	other := share.ID{1}
	if err := dir.keep(other, made.Encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.read(other); share.KindOf(err) != share.Disk {
		t.Errorf("it is that of another: %v", err)
	}
	for _, id := range []share.ID{id, other, {2}} { // the last is not there
		if err := dir.remove(id); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(string(dir))
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
