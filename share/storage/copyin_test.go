package storage

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// What is copied in has an inode of its own, and none of it counts before it is
// hashed.
func TestCopyIn(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 40*kib)}, entryOf{path: "b", data: content(2, 40*kib)})
	rotten := bytes.Clone(all[:40*kib])
	rotten[17*kib] ^= 1
	path := filepath.Join(t.TempDir(), "a")
	writeFile(t, path, rotten)
	src, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	tr := b.open(info)
	copied, err := tr.CopyIn(context.Background(), 0, src)
	if err != nil {
		t.Fatal(err)
	}
	for p := range info.NumPieces {
		if got := completion(tr, p); got != "missing" {
			t.Errorf("piece %d is %s before it was hashed", p, got)
		}
	}
	// If the system copies nothing, the caller writes. The last piece is also of b.
	for p, want := range []bool{copied, false, false} {
		if good, err := tr.HashPiece(context.Background(), p); err != nil || good != want {
			t.Errorf("piece %d: %v, %v", p, good, err)
		}
	}
	for p := range info.NumPieces {
		put(t, tr, all, p)
	}
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/a", "set/b")
	wantFile(t, filepath.Join(b.dir, "set/a"), all[:40*kib])
	wantFile(t, path, rotten)
	x, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := os.Stat(filepath.Join(b.dir, "set/a")); err != nil || os.SameFile(x, y) {
		t.Errorf("one file under two names, %v", err)
	}
	// What is there already is not overwritten.
	if ok, err := tr.CopyIn(context.Background(), 0, src); ok || err != nil {
		t.Errorf("again: %v, %v", ok, err)
	}
}
