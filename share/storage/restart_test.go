package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func TestRestartHashesOnlyWhatChanged(t *testing.T) {
	b := newBench(t)
	// Pieces 0-1 are of a, 2 of a and b, 3-4 of b, 5 of b and c, 6 of c.
	info, all := torrentOf(t, "set", 16*kib,
		entryOf{path: "a", data: content(1, 40_000)},
		entryOf{path: "b", data: content(2, 45_000)},
		entryOf{path: "c", data: content(3, 25_000)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	saves := b.ledger.saves

	b.restart()
	tr = b.open(info)
	if p := tr.Progress(); p.Pieces != 7 || p.Unknown != 0 {
		t.Fatalf("nothing changed, and yet: %+v", p)
	}
	if b.ledger.saves != saves {
		t.Fatal("opening what did not change wrote to the ledger")
	}

	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(b.dir, "set/b"), later, later); err != nil {
		t.Fatal(err)
	}
	b.restart()
	tr = b.open(info)
	if p := tr.Progress(); p.Pieces != 3 || p.Unknown != 4 {
		t.Fatalf("b was touched: %+v", p)
	}
	if n := checkUnknown(t, tr); n != 4 {
		t.Fatalf("hashed %d pieces", n)
	}
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 7 {
		t.Fatalf("b is as it was: %+v", p)
	}
	b.restart()
	if p := b.open(info).Progress(); p.Pieces != 7 {
		t.Fatalf("after another restart: %+v", p)
	}
}

func TestKilledWhileFetching(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 160*kib)})
	tr := b.open(info)
	for i := range 4 {
		put(t, tr, all, i)
	}
	flush(t, tr)
	put(t, tr, all, 4) // never synced nor recorded
	b.crash()
	tr = b.open(info)
	if p := tr.Progress(); p.Unknown == 0 {
		t.Fatalf("a file that changed since is trusted: %+v", p)
	}
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 5 {
		t.Fatalf("after hashing: %+v", p)
	}

	b.crash()
	if p := b.open(info).Progress(); p.Pieces != 5 || p.Unknown != 0 {
		t.Fatalf("killed while nothing was written: %+v", p)
	}
}

func TestKilledBetweenRenameAndRecord(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	b.ledger.failAt = b.ledger.saves + 2 // the first is of what is about to be renamed
	if err := tr.Flush(context.Background()); share.KindOf(err) != share.Disk {
		t.Fatalf("a ledger that fails: %v", err)
	}
	if err := tr.Fault(); err == nil {
		t.Fatal("a ledger that fails is no fault")
	}
	wantTree(t, b.dir, "f")
	b.ledger.failAt = 0
	b.crash()
	tr = b.open(info)
	if p := tr.Progress(); p.Pieces != 3 || p.Unknown != 0 {
		t.Fatalf("after the restart: %+v", p)
	}
	flush(t, tr)
	remove(t, tr, true)
	wantTree(t, b.dir)
}

func TestEditedDownloadIsKept(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "letter.txt", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	path := filepath.Join(b.dir, "letter.txt")
	edited := bytes.Clone(all)
	copy(edited[20*kib:], "the user's own words")
	writeFile(t, path, edited)

	b.crash()
	tr = b.open(info)
	checkUnknown(t, tr)
	if err := tr.Fault(); !errors.Is(err, ErrChanged) || share.KindOf(err) != share.Disk {
		t.Fatalf("the fault is %v", err)
	}
	if err := tryPut(tr, all, 1); !errors.Is(err, ErrChanged) {
		t.Fatalf("writing over an edited file: %v", err)
	}
	flush(t, tr)
	b.crash()
	tr = b.open(info)
	if err := tr.Fault(); !errors.Is(err, ErrChanged) {
		t.Fatalf("after another restart the fault is %v", err)
	}
	wantFile(t, path, edited)

	if err := tr.Recheck(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkUnknown(t, tr)
	if err := tr.Fault(); err != nil {
		t.Fatalf("after Recheck the fault is %v", err)
	}
	put(t, tr, all, 1)
	flush(t, tr)
	wantTree(t, b.dir, "letter (2).txt", "letter.txt")
	wantFile(t, path, edited)
	wantFile(t, tr.FilePath(0), all)
	remove(t, tr, true)
	wantTree(t, b.dir, "letter.txt")
}

func TestDeletedDownloadIsMissed(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 16*kib)}, entryOf{path: "b", data: content(2, 16*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	if err := os.Remove(filepath.Join(b.dir, "set/a")); err != nil {
		t.Fatal(err)
	}
	b.crash()
	tr = b.open(info)
	if err := tr.Fault(); !errors.Is(err, ErrMissing) {
		t.Fatalf("the fault is %v", err)
	}
	if p := tr.Progress(); p.Pieces != 1 {
		t.Fatalf("%+v", p)
	}
	// As when a disk is mounted again.
	writeFile(t, filepath.Join(b.dir, "set/a"), content(1, 16*kib))
	tr.mu.Lock()
	was := tr.files[0].stamp
	tr.mu.Unlock()
	mtime := time.Unix(0, was.mtime)
	if err := os.Chtimes(filepath.Join(b.dir, "set/a"), mtime, mtime); err != nil {
		t.Fatal(err)
	}
	tr.probe(context.Background())
	if err := tr.Fault(); err != nil {
		t.Fatalf("the file is back, and yet: %v", err)
	}
	if p := tr.Progress(); p.Pieces != 1 || p.Unknown != 0 || p.Doubtful != 1 {
		t.Fatalf("the file is back: %+v", p)
	}
	checkDoubtful(t, tr)
	if p := tr.Progress(); p.Pieces != 2 {
		t.Fatalf("the file was hashed: %+v", p)
	}
}

func TestFolderThatVanishedIsNotMadeAgain(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 16*kib)}, entryOf{path: "b", data: content(2, 16*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	tr.opened.closeAll()
	if err := os.RemoveAll(filepath.Join(b.dir, "set")); err != nil {
		t.Fatal(err)
	}
	if err := tryPut(tr, all, 1); !errors.Is(err, ErrMissing) {
		t.Fatalf("writing where the folder is gone: %v", err)
	}
	wantTree(t, b.dir)
	tr.probe(context.Background())
	if tr.Fault() == nil {
		t.Fatal("the fault is over while the folder is gone")
	}
	wantTree(t, b.dir)
	if err := tr.Recheck(context.Background()); err != nil {
		t.Fatal(err)
	}
	tr.probe(context.Background())
	if err := tr.Fault(); err != nil {
		t.Fatalf("after Recheck: %v", err)
	}
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/a", "set/b")
}

func TestBitRotIsFetchedAgain(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	path := filepath.Join(b.dir, "f")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	rotten := bytes.Clone(all)
	rotten[0] ^= 1
	writeFile(t, path, rotten)
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if fi, err = os.Stat(path); err != nil {
		t.Fatal(err)
	}
	tr.mu.Lock()
	tr.files[0].stamp = stampOf(fi) // no program did it
	tr.mu.Unlock()
	if good, err := tr.HashPiece(context.Background(), 0); good || err != nil {
		t.Fatalf("hashing: %v, %v", good, err)
	}
	if got := completion(tr, 0); got != "missing" {
		t.Fatalf("the rotten piece is %s", got)
	}
	put(t, tr, all, 0)
	flush(t, tr)
	// It cannot be told from an edit whose mtime was put back.
	wantTree(t, b.dir, "f", "f (2)")
	wantFile(t, path, rotten)
	wantFile(t, tr.FilePath(0), all)
	if p := tr.Progress(); p.Pieces != 3 {
		t.Fatalf("%+v", p)
	}
}

func TestLedgerForgetsBeforeAnOverwrite(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	if err := tr.MarkNotComplete(0); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.WriteAt(all[:10], 0); err != nil {
		t.Fatal(err)
	}
	r, _ := b.ledger.Load(context.Background(), info.ID)
	p, err := decodeProgress(r.Progress, info)
	if err != nil || p.recorded.has(0) {
		t.Fatalf("piece 0 is recorded (%v) while it is written", err)
	}
}

func TestUselessRecordMeansHashing(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	b.crash()
	r := b.ledger.records[info.ID]
	r.Progress = r.Progress[:len(r.Progress)-1]
	b.ledger.records[info.ID] = r
	tr = b.open(info)
	if p := tr.Progress(); p.Pieces != 0 || p.Unknown != 3 {
		t.Fatalf("%+v", p)
	}
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 3 {
		t.Fatalf("%+v", p)
	}
}

func TestKilledBeforeTheEmptyFilesWereMade(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 16*kib)}, entryOf{path: "empty"}, entryOf{path: "void/.pad/0", attr: "p"})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	b.crash()
	for _, p := range []string{"set/empty", "set/void"} {
		if err := os.Remove(filepath.Join(b.dir, p)); err != nil {
			t.Fatal(err)
		}
	}
	// The record from before they were made.
	r := b.ledger.records[info.ID]
	p, err := decodeProgress(r.Progress, info)
	if err != nil {
		t.Fatal(err)
	}
	p.emptied, p.files = false, p.files[:1]
	r.Progress = p.encode(info)
	b.ledger.records[info.ID] = r

	b.store, _ = New(Config{Ledger: b.ledger})
	b.run()
	b.open(info)
	eventually(t, "the empty file and folder are made", func() bool { return len(tree(t, b.dir)) == 4 })
	wantTree(t, b.dir, "set/", "set/a", "set/empty", "set/void/")
}

func TestRecheckPutsARightFileBesideOneThatIsTooLong(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	longer := append(bytes.Clone(all), "and more"...)
	longer[0] ^= 1
	writeFile(t, filepath.Join(b.dir, "f"), longer)
	if err := tr.Recheck(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkUnknown(t, tr)
	put(t, tr, all, 0)
	flush(t, tr)
	wantTree(t, b.dir, "f", "f (2)")
	wantFile(t, filepath.Join(b.dir, "f"), longer)
	wantFile(t, tr.FilePath(0), all)
}

// A file that is as it was is not hashed again.
func TestMendTakesOnlyWhatIsAmiss(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib,
		entryOf{path: "a", data: content(1, 32*kib)}, entryOf{path: "b", data: content(2, 32*kib)}, entryOf{path: "c", data: content(3, 32*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	if tr.Amiss() {
		t.Error("all is well, and yet something is amiss")
	}
	edited := append([]byte("mine"), all[4:32*kib]...)
	writeFile(t, filepath.Join(b.dir, "set/a"), append(edited, "more"...))
	if err := os.Remove(filepath.Join(b.dir, "set/b")); err != nil {
		t.Fatal(err)
	}
	if err := tr.Look(context.Background()); err != nil || !tr.Amiss() {
		t.Fatalf("amiss %v, %v", tr.Amiss(), err)
	}
	if err := tr.Mend(context.Background()); err != nil {
		t.Fatal(err)
	}
	if p := tr.Progress(); p.Pieces != 2 || p.Unknown != 2 {
		t.Errorf("%+v, want c as it was, and a to be hashed", p)
	}
	checkUnknown(t, tr)
	for _, p := range []int{0, 2, 3} {
		put(t, tr, all, p)
	}
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/a", "set/a (2)", "set/b", "set/c")
	wantFile(t, filepath.Join(b.dir, "set/a"), append(edited, "more"...))
	wantFile(t, filepath.Join(b.dir, "set/a (2)"), all[:32*kib])
	wantFile(t, filepath.Join(b.dir, "set/b"), all[32*kib:64*kib])
}

// A piece that cannot be read is not a piece that is wrong.
func TestUnreadablePieceIsNotFetchedAgain(t *testing.T) {
	sim := newSimDisk()
	b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), disk: sim, dir: "/dl"}
	b.restart()
	info, all := twoPieces(t)
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)

	sim.dead = true
	if _, err := tr.CopyPiece(0, 16*kib, io.Discard); !errors.Is(err, ErrBroken) {
		t.Fatalf("reading: %v", err)
	}
	if err := tr.MarkNotComplete(0); err != nil { // as the client does
		t.Fatal(err)
	}
	if got := completion(tr, 0); got != "unknown" || tr.Durable(0) {
		t.Fatalf("the piece is %s", got)
	}
	tr.probe(context.Background())
	if err := tr.Fault(); !errors.Is(err, ErrBroken) {
		t.Fatalf("the fault is %v", err)
	}

	sim.dead = false
	tr.takeEvent()
	tr.probe(context.Background())
	if e, _ := tr.takeEvent(); e.Fault != nil || !slices.Equal(e.Verify, []Span{{0, 1}}) {
		t.Fatalf("the event is %+v", e)
	}
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 2 {
		t.Fatalf("%+v", p)
	}
}
