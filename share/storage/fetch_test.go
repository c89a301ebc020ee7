package storage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

const kib = 1 << 10

func TestSingleFile(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "disk.iso", 32*kib, entryOf{data: content(1, 100_000)})
	tr := b.open(info)
	if got := completion(tr, 0); got != "missing" {
		t.Fatalf("a new piece is %s", got)
	}
	put(t, tr, all, 1)
	if p := tr.Progress(); p.Pieces != 0 {
		t.Fatalf("%d pieces are durable before a sync", p.Pieces)
	}
	if got := completion(tr, 1); got != "complete" {
		t.Fatalf("a hashed piece is %s", got)
	}
	flush(t, tr)
	if p := tr.Progress(); p != (Progress{Pieces: 1, Bytes: 32 * kib}) {
		t.Fatalf("after a sync: %+v", p)
	}
	wantTree(t, b.dir, "disk.iso~")
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "disk.iso")
	wantFile(t, filepath.Join(b.dir, "disk.iso"), all)
	if p := tr.Progress(); p != (Progress{Pieces: 4, Bytes: 100_000}) {
		t.Fatalf("at the end: %+v", p)
	}
	got := make([]byte, 50_000)
	if n, err := tr.ReadAt(got, 40_000); n != len(got) || err != nil || !bytes.Equal(got, all[40_000:90_000]) {
		t.Fatalf("reading: %d bytes, %v", n, err)
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.WriteAt(all[:10], 0); !errors.Is(err, ErrClosed) {
		t.Fatalf("writing after Close: %v", err)
	}
	b.restart()
	tr = b.open(info)
	if p := tr.Progress(); p != (Progress{Pieces: 4, Bytes: 100_000}) {
		t.Fatalf("after a restart: %+v", p)
	}
}

func TestManyFiles(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("ä", 127) + "x" // 255 bytes
	info, all := torrentOf(t, "holiday", 16*kib,
		entryOf{path: "a/one.bin", data: content(1, 20_000)},
		entryOf{path: ".pad/12768", data: make([]byte, 12_768), attr: "p"},
		entryOf{path: "a/empty"},
		entryOf{path: "run.sh", data: content(2, 5_000), attr: "x"},
		entryOf{path: long, data: content(3, 30_000)},
		entryOf{path: "link", attr: "l"},
		entryOf{path: "void/.pad/0", attr: "p"},
		entryOf{path: "a/b/c/three.bin", data: content(4, 3)},
	)
	tr := b.open(info)
	wantTree(t, b.dir)
	put(t, tr, all, 0)
	flush(t, tr)
	wantTree(t, b.dir, "holiday/", "holiday/a/", "holiday/a/one.bin~")
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "holiday/", "holiday/a/", "holiday/a/b/", "holiday/a/b/c/", "holiday/a/b/c/three.bin",
		"holiday/a/empty", "holiday/a/one.bin", "holiday/run.sh", "holiday/void/", "holiday/"+long)
	wantFile(t, filepath.Join(b.dir, "holiday", long), content(3, 30_000))
	if fi, err := os.Stat(filepath.Join(b.dir, "holiday/run.sh")); err != nil || fi.Mode()&0o100 == 0 {
		t.Fatalf("run.sh is not executable: %v, %v", fi, err)
	}
	if p := tr.Progress(); p.Bytes != info.Size() || p.Pieces != info.NumPieces {
		t.Fatalf("at the end: %+v of %d", p, info.Size())
	}
	if got := tr.FileBytes(); got[0] != 20_000 || got[3] != 5_000 || got[7] != 3 {
		t.Fatalf("bytes of files: %v", got)
	}
	got := make([]byte, len(all))
	if _, err := tr.ReadAt(got, 0); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("reading it all: %v", err)
	}

	writeFile(t, filepath.Join(b.dir, "holiday/a/mine.txt"), []byte("mine"))
	remove(t, tr, true)
	wantTree(t, b.dir, "holiday/", "holiday/a/", "holiday/a/mine.txt")
	if r, _ := b.ledger.Load(context.Background(), info.ID); r != nil {
		t.Fatal("the ledger still has a removed transfer")
	}
}

func TestRemoveWithoutData(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40_000)})
	tr := b.open(info)
	put(t, tr, all, 0)
	remove(t, tr, false)
	wantTree(t, b.dir, "f~")
}

// From a folder that is partly there, --data deletes only what was fetched. What
// was there stays, right or wrong, also after a restart.
func TestRemoveSparesWhatWasThere(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := newBench(t)
		info, all := torrentOf(t, "set", 16*kib,
			entryOf{path: "here", data: content(1, 32*kib)},
			entryOf{path: "mended", data: content(2, 32*kib)},
			entryOf{path: "fetched", data: content(3, 32*kib)})
		writeFile(t, filepath.Join(b.dir, "set/here"), content(1, 32*kib))
		writeFile(t, filepath.Join(b.dir, "set/mended"), append(content(2, 16*kib), make([]byte, 16*kib)...))
		tr := b.open(info)
		checkUnknown(t, tr)
		for p := 3; p < info.NumPieces; p++ {
			put(t, tr, all, p)
		}
		flush(t, tr)
		wantTree(t, b.dir, "set/", "set/fetched", "set/here", "set/mended", "set/mended (2)")
		wantFile(t, tr.FilePath(1), content(2, 32*kib))
		if restart {
			if err := tr.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			tr = b.open(info)
		}
		remove(t, tr, true)
		wantTree(t, b.dir, "set/", "set/here", "set/mended")
		wantFile(t, filepath.Join(b.dir, "set/here"), content(1, 32*kib))
		wantFile(t, filepath.Join(b.dir, "set/mended"), append(content(2, 16*kib), make([]byte, 16*kib)...))
	}
}

func TestSelectedFilesFinish(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib,
		entryOf{path: "a", data: content(1, 16*kib)},
		entryOf{path: "empty"},
		entryOf{path: "unwanted"},
		entryOf{path: "b", data: content(2, 16*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	if err := tr.Finish(context.Background(), func(i int) bool { return i < 2 }); err != nil {
		t.Fatal(err)
	}
	wantTree(t, b.dir, "set/", "set/a", "set/empty")
}

func TestEmptyFilesTruncateNothing(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 16*kib)}, entryOf{path: "note"})
	tr := b.open(info)
	put(t, tr, all, 0)
	writeFile(t, filepath.Join(b.dir, "set/note"), []byte("written by the user meanwhile"))
	flush(t, tr)
	wantFile(t, filepath.Join(b.dir, "set/note"), []byte("written by the user meanwhile"))
	remove(t, tr, true)
	wantTree(t, b.dir, "set/", "set/note")
}

func TestNamesTakenByOthers(t *testing.T) {
	b := newBench(t)
	writeFile(t, filepath.Join(b.dir, "notes.txt"), []byte("not the size of the torrent"))
	info, all := torrentOf(t, "notes.txt", 16*kib, entryOf{data: content(1, 20_000)})
	tr := b.open(info)
	if want := filepath.Join(b.dir, "notes (2).txt"); tr.Path() != want {
		t.Fatalf("the path is %s", tr.Path())
	}
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "notes (2).txt", "notes.txt")

	other, _ := torrentOf(t, "notes (2).txt", 16*kib, entryOf{data: content(2, 20_000)})
	if got := b.open(other).Path(); got != filepath.Join(b.dir, "notes (2) (2).txt") {
		t.Fatalf("a second transfer is at %s", got)
	}
	third, _ := torrentOf(t, "free", 16*kib, entryOf{path: "x", data: content(3, 10)}, entryOf{path: "y"})
	tr = b.openSpec(Spec{Info: third, Dir: b.dir, Taken: func(p string) bool { return p == filepath.Join(b.dir, "free") }})
	if got := tr.Path(); got != filepath.Join(b.dir, "free (2)") {
		t.Fatalf("a taken name gave %s", got)
	}
}

func TestCollidingNamesStayApart(t *testing.T) {
	b := newBench(t)
	entries := []entryOf{
		{path: "a", data: []byte("one")},
		{path: "A", data: []byte("two")},
		{path: "a", data: []byte("three")},
		{path: "a/b", data: []byte("four")},
		{path: "a.part", data: []byte("five")},
		{path: "\u00e9", data: []byte("six")},
		{path: "e\u0301", data: []byte("seven")},
	}
	info, all := torrentOf(t, "set", 16*kib, entries...)
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	for i, e := range entries {
		wantFile(t, tr.FilePath(i), e.data)
	}
	for _, f := range tree(t, b.dir) {
		if strings.Contains(f, ".shoal-") {
			t.Fatalf("%s was left behind", f)
		}
	}
}

func TestFileThatAppearsIsNotReplaced(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f.bin", 16*kib, entryOf{data: content(1, 20_000)})
	tr := b.open(info)
	put(t, tr, all, 0)
	writeFile(t, filepath.Join(b.dir, "f.bin"), content(9, 20_000))
	put(t, tr, all, 1)
	flush(t, tr)
	wantTree(t, b.dir, "f (2).bin", "f.bin")
	wantFile(t, filepath.Join(b.dir, "f.bin"), content(9, 20_000))
	wantFile(t, tr.FilePath(0), all)
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.restart()
	if tr = b.open(info); tr.Progress().Pieces != 2 || tr.Path() != filepath.Join(b.dir, "f (2).bin") {
		t.Fatalf("after a restart: %+v at %s", tr.Progress(), tr.Path())
	}
}

func TestSameFileThatAppearsIsKept(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f.bin", 16*kib, entryOf{data: content(1, 20_000)})
	tr := b.open(info)
	putAll(t, tr, all)
	writeFile(t, filepath.Join(b.dir, "f.bin"), all)
	flush(t, tr)
	wantTree(t, b.dir, "f.bin")
	if p := tr.Progress(); p.Pieces != 2 {
		t.Fatalf("%+v", p)
	}
}

func TestAdoptedAfterHashing(t *testing.T) {
	for _, name := range []string{"f.bin", "f.bin.part"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			info, all := torrentOf(t, "f.bin", 16*kib, entryOf{data: content(1, 50_000)})
			damaged := bytes.Clone(all)
			damaged[20_000] ^= 1
			writeFile(t, filepath.Join(b.dir, name), damaged)
			tr := b.openSpec(Spec{Info: info, Dir: b.dir, Adopt: true})
			if p := tr.Progress(); p != (Progress{Unknown: 4}) {
				t.Fatalf("before hashing: %+v", p)
			}
			if got := completion(tr, 0); got != "unknown" {
				t.Fatalf("before hashing a piece is %s", got)
			}
			if _, err := tr.ReadAt(make([]byte, 10), 0); err == nil {
				t.Fatal("read an unknown piece")
			}
			checkUnknown(t, tr)
			flush(t, tr)
			if p := tr.Progress(); p.Pieces != 3 || p.Unknown != 0 {
				t.Fatalf("after hashing: %+v", p)
			}
			e, _ := tr.takeEvent()
			if len(e.Found) != 1 || e.Found[0].Right != 50_000-16*kib || e.Found[0].Beside != "" {
				t.Fatalf("told of %+v", e.Found)
			}
			put(t, tr, all, 1)
			flush(t, tr)
			wantTree(t, b.dir, "f.bin")
			wantFile(t, filepath.Join(b.dir, "f.bin"), all)
			b.crash()
			tr = b.open(info)
			if p := tr.Progress(); p.Pieces != 4 {
				t.Fatalf("after a restart: %+v", p)
			}
			if kept := remove(t, tr, true); len(kept) != 1 {
				t.Fatalf("kept %+v", kept)
			}
			wantTree(t, b.dir, "f.bin")
		})
	}
}

func TestStrangerOfTheSameSizeIsNotOverwritten(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f.bin", 16*kib, entryOf{data: content(1, 50_000)})
	stranger := content(7, 50_000)
	writeFile(t, filepath.Join(b.dir, "f.bin"), stranger)
	tr := b.open(info)
	// The client may fetch a piece before it has hashed the others.
	if _, err := tr.HashPiece(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	put(t, tr, all, 2)
	checkUnknown(t, tr)
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "f (2).bin", "f.bin")
	wantFile(t, filepath.Join(b.dir, "f.bin"), stranger)
	wantFile(t, filepath.Join(b.dir, "f (2).bin"), all)
}

func TestSymlinksAreNotFollowed(t *testing.T) {
	outside := t.TempDir()
	writeFile(t, filepath.Join(outside, "x"), content(5, 10_000))
	for _, link := range []string{"set", "set/sub", "set/sub/x", "set/sub/x.part"} {
		t.Run(strings.ReplaceAll(link, "/", "_"), func(t *testing.T) {
			b := newBench(t)
			info, all := torrentOf(t, "set", 16*kib, entryOf{path: "sub/x", data: content(1, 10_000)}, entryOf{path: "y", data: content(2, 10_000)})
			p := filepath.Join(b.dir, link)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			target := outside
			if strings.Contains(link, "/x") {
				target = filepath.Join(outside, "x")
			}
			if err := os.Symlink(target, p); err != nil {
				skip(t, "needs symlinks: "+err.Error())
			}
			tr := b.open(info)
			putAll(t, tr, all)
			flush(t, tr)
			wantFile(t, filepath.Join(outside, "x"), content(5, 10_000))
			wantTree(t, outside, "x")
			wantFile(t, tr.FilePath(0), content(1, 10_000))
		})
	}
}

func TestSymlinkThatAppearsIsNotFollowed(t *testing.T) {
	b := newBench(t)
	outside := t.TempDir()
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "sub/x", data: content(1, 16*kib)}, entryOf{path: "sub/y", data: content(2, 16*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	if err := os.Rename(filepath.Join(b.dir, "set/sub"), filepath.Join(b.dir, "set/moved")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{outside, "moved"} {
		if err := os.Symlink(target, filepath.Join(b.dir, "set/sub")); err != nil {
			skip(t, "needs symlinks: "+err.Error())
		}
		if err := tryPut(tr, all, 1); share.KindOf(err) != share.Disk {
			t.Fatalf("writing through a link: %v", err)
		}
		os.Remove(filepath.Join(b.dir, "set/sub"))
	}
	wantTree(t, outside)
	wantTree(t, b.dir, "set/", "set/moved/", "set/moved/x")
}

func TestPreallocate(t *testing.T) {
	b := newBench(t)
	b.cfg.Preallocate = true
	b.restart()
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 200_000)})
	tr := b.open(info)
	put(t, tr, all, 0)
	fi, err := os.Stat(partPath(tr, 0))
	if err != nil || fi.Size() != 200_000 {
		t.Fatalf("the file has %v bytes, %v", fi, err)
	}
	putAll(t, tr, all)
	flush(t, tr)
	wantFile(t, filepath.Join(b.dir, "f"), all)
}

func TestOpenRefusesRelativePaths(t *testing.T) {
	b := newBench(t)
	info, _ := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 10)})
	if _, err := b.store.Open(context.Background(), Spec{Info: info, Dir: "here"}); share.KindOf(err) != share.Usage {
		t.Fatalf("opening below a relative path: %v", err)
	}
}

func TestPathsLongerThanTheSystemTakes(t *testing.T) {
	b := newBench(t)
	b.dir = filepath.Join(b.dir, strings.Repeat("x", 200))
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(strings.Repeat("d", 39)+"/", 99) + "f"
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: deep, data: content(1, 20_000)}, entryOf{path: "g", data: content(2, 10)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.restart()
	tr = b.open(info)
	if p := tr.Progress(); p.Pieces != 2 || tr.Fault() != nil {
		t.Fatalf("after a restart: %+v, %v", p, tr.Fault())
	}
	got := make([]byte, len(all))
	if _, err := tr.ReadAt(got, 0); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("reading: %v", err)
	}
	remove(t, tr, true)
	wantTree(t, b.dir)
}

// A selection that is complete leaves no part file of a neighbour. The neighbour's
// bytes are deleted, and fetched again if it is wanted later.
func TestASelectionLeavesNoPartOfANeighbour(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib,
		entryOf{path: "a", data: content(1, 20*kib)},
		entryOf{path: "b", data: content(2, 40*kib)},
		entryOf{path: "c", data: content(3, 20*kib)})
	tr := b.open(info)
	first := func(i int) bool { return i == 0 }
	finish := func(want func(int) bool) {
		t.Helper()
		tr.Select(want)
		if err := tr.Finish(context.Background(), want); err != nil {
			t.Fatal(err)
		}
	}
	tr.Select(first)
	put(t, tr, all, 0)
	put(t, tr, all, 1)
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/a", "set/b~")
	finish(first)
	wantTree(t, b.dir, "set/", "set/a")
	for range 2 { // also after a restart
		if !tr.Durable(0) || !tr.Durable(1) || completion(tr, 1) != "unknown" {
			t.Fatalf("the shared piece is %s, durable %v", completion(tr, 1), tr.Durable(1))
		}
		got := make([]byte, 4*kib)
		if _, err := tr.ReadAt(got, 16*kib); err != nil || !bytes.Equal(got, all[16*kib:20*kib]) {
			t.Fatalf("reading the end of a: %v", err)
		}
		if _, err := tr.ReadAt(got, 20*kib); err == nil {
			t.Fatal("read what was deleted")
		}
		if n := tr.FileBytes(); n[0] != 20*kib || n[1] != 0 {
			t.Fatalf("bytes of files: %v", n)
		}
		if _, err := tr.HashPiece(context.Background(), 1); err != nil || !tr.Durable(1) {
			t.Fatalf("hashing: %v", err)
		}
		b.crash()
		tr = b.open(info)
		tr.Select(first)
	}
	all3 := func(int) bool { return true }
	tr.Select(all3)
	if tr.Durable(1) || completion(tr, 1) != "missing" {
		t.Fatalf("the piece of a file that is wanted now is %s", completion(tr, 1))
	}
	for p := range info.NumPieces {
		if completion(tr, p) == "missing" {
			put(t, tr, all, p)
		}
	}
	finish(all3)
	flush(t, tr)
	for i, e := range [][]byte{content(1, 20*kib), content(2, 40*kib), content(3, 20*kib)} {
		wantFile(t, tr.FilePath(i), e)
	}
}
