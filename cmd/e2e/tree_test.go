//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// entry is what a file or folder is. Time is its modification time.
type entry struct {
	Mode fs.FileMode
	Size int64
	Time time.Time
	Hash string
}

// snapshot reads everything below root, root itself included.
func snapshot(t testing.TB, root string) map[string]entry {
	t.Helper()
	all, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(root string) (map[string]entry, error) {
	all := map[string]entry{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		e := entry{Mode: info.Mode(), Time: info.ModTime()}
		if info.Mode().IsRegular() {
			e.Size = info.Size()
			if e.Hash, err = hash(path); err != nil {
				return err
			}
		}
		all[name] = e
		return nil
	})
	return all, err
}

func hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// unchanged fails where the folder is not in every respect as it was.
func unchanged(t testing.TB, was map[string]entry, root string) {
	t.Helper()
	if diff := cmp.Diff(was, snapshot(t, root)); diff != "" {
		t.Errorf("%s changed (-before +after):\n%.4000s", root, diff)
	}
}

// identical fails where what was fetched differs from what was shared in a
// name, a kind or a byte. Modes and times are the fetcher's own.
func identical(t testing.TB, shared, fetched string) {
	t.Helper()
	diff := cmp.Diff(content(snapshot(t, shared)), content(snapshot(t, fetched)))
	if diff != "" {
		t.Errorf("%s is not as shared (-shared +fetched):\n%.4000s", fetched, diff)
	}
}

func content(all map[string]entry) map[string]entry {
	bare := map[string]entry{}
	for name, e := range all {
		bare[name] = entry{Mode: e.Mode.Type(), Size: e.Size, Hash: e.Hash}
	}
	return bare
}

// random writes a file of size bytes that no compression shrinks and no file
// system leaves holes in; the same seed gives the same bytes.
func random(t testing.TB, path string, size int64, seed byte) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{seed}), size); err != nil {
		t.Fatal(err)
	}
	return path
}

// manyNames makes a folder of 2,000 small files and of all that is allowed in
// names and unusual among files.
func manyNames(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "Our photos, 2026 ✨")
	put := func(size int, path ...string) {
		t.Helper()
		name := filepath.Join(root, filepath.Join(path...))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		data := bytes.Repeat([]byte(strings.Join(path, "/")+"\n"), 1+size/10)[:size]
		if err := os.WriteFile(name, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2000 {
		put(i*7%5000, fmt.Sprintf("day %02d", i%31), fmt.Sprintf("photo %04d.jpeg", i))
	}
	put(100, "with spaces  and two", " leading.txt")
	put(100, "emoji", "🐟🐠🐡 family 👩‍👩‍👧‍👦.txt")
	put(100, "long", strings.Repeat("n", 255))
	put(100, "long", strings.Repeat("é", 127)+"x")
	put(100, "quotes", `it's "quoted" & <b>bold</b> $HOME; %s`)
	put(100, "日本語", "ファイル.txt")
	put(100, ".hidden", ".also hidden")
	put(100, "deep", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "end.txt")
	put(0, "nothing", "empty")
	put(0, "nothing", "empty too.txt")
	for _, dir := range []string{"empty folder", "empty/in/empty"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]fs.FileMode{"read only": 0o400, "program": 0o755} {
		put(50, "modes", name)
		if err := os.Chmod(filepath.Join(root, "modes", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(root, "nothing", "empty"), old, old); err != nil {
		t.Fatal(err)
	}
	return root
}
