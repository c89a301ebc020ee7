package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// A file that a browser uploaded is deleted with its share on request. Nothing else that
// is shared is ever deleted.
func TestCopiesAreDeletedWithTheirShare(t *testing.T) {
	dir := t.TempDir()
	n := startDaemon(t, options(t, stateDir(t), map[string][]string{"downloads": {dir}}))
	uploads := n.Info().Uploads
	if uploads != filepath.Join(dir, "Uploads") {
		t.Fatalf("uploads are in %s", uploads)
	}
	make := func(parts ...string) string {
		t.Helper()
		name := filepath.Join(parts...)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	id := func(path string) share.ID {
		t.Helper()
		sub := n.events.Subscribe(100)
		defer sub.Close()
		if _, err := n.intake.Share(t.Context(), api.ShareRequest{Path: path}); err != nil {
			t.Fatal(err)
		}
		for {
			for _, x := range n.transfers.List() {
				if x.Path == path && x.State == share.Seeding {
					return x.ID
				}
			}
			<-sub.Events()
		}
	}
	there := func(path string) bool {
		_, err := os.Lstat(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return err == nil
	}

	file, kept := make(uploads, "a.txt"), make(uploads, "b.txt")
	folder := filepath.Dir(make(uploads, "Trip", "deep", "x"))
	folder = filepath.Dir(folder)
	outside, beside := make(dir, "c.txt"), make(t.TempDir(), "d.txt")
	part := make(uploads, "Half", "y")
	for _, c := range []struct {
		path       string
		data, gone bool
	}{
		{kept, false, false}, {file, true, true}, {folder, true, true},
		{outside, true, false}, {beside, true, false}, {part, true, false},
	} {
		if _, err := n.transfers.Remove(id(c.path), c.data); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		if there(c.path) == c.gone {
			t.Errorf("%s, data %v: there %v", c.path, c.data, !c.gone)
		}
	}

	// If another share needs the files, they stay, and so does the share.
	half := id(filepath.Dir(part))
	id(part)
	if _, err := n.transfers.Remove(half, true); share.KindOf(err) != share.Usage {
		t.Errorf("a copy that another share is part of: %v", err)
	}
	if _, err := n.engine.Get(half); err != nil || !there(part) {
		t.Errorf("it is gone: %v", err)
	}
	if _, err := n.transfers.Remove(share.ID{1}, true); err == nil {
		t.Error("removed what is not there")
	}
}
