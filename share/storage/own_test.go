package storage

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/metainfo"
)

// ownBench is a bench with a shared folder of two files.
type ownBench struct {
	*bench
	info *metainfo.Info
	all  []byte
	own  *Own
}

func newOwnBench(t *testing.T) *ownBench {
	b := &ownBench{bench: newBench(t)}
	b.info, b.all = torrentOf(t, "a name of its own", 16*kib,
		entryOf{path: "one", data: content(1, 32*kib)}, entryOf{path: "sub/two", data: content(2, 20*kib)})
	b.own = &Own{Path: filepath.Join(b.dir, "folder"), Sources: []Source{{Path: "one"}, {Path: "sub/two"}}}
	writeFile(t, b.file(0), content(1, 32*kib))
	writeFile(t, b.file(1), content(2, 20*kib))
	b.statSources()
	return b
}

// statSources makes sources as if the files had been hashed as they are, a while
// after they were written.
func (b *ownBench) statSources() {
	b.t.Helper()
	for i := range b.own.Sources {
		fi, err := os.Stat(b.file(i))
		if err != nil {
			b.t.Fatal(err)
		}
		b.own.Sources[i].Info, b.own.Sources[i].Read = fi, time.Now().Add(time.Minute)
	}
}

func (b *ownBench) file(i int) string { return filepath.Join(b.own.Path, b.own.Sources[i].Path) }

func (b *ownBench) openOwn() *Transfer {
	b.t.Helper()
	return b.openSpec(Spec{Info: b.info, Own: b.own})
}

// look lets the time pass after which a file is compared.
func (b *ownBench) later() { b.clock.add(2 * lookEvery) }

func (b *ownBench) mustRead(tr *Transfer, piece int) {
	b.t.Helper()
	off := int64(piece) * b.info.PieceLength
	got := make([]byte, b.info.PieceSize(piece))
	if _, err := tr.ReadAt(got, off); err != nil {
		b.t.Fatalf("reading piece %d: %v", piece, err)
	}
	if !bytes.Equal(got, b.all[off:off+int64(len(got))]) {
		b.t.Fatalf("piece %d is wrong", piece)
	}
}

func (b *ownBench) mustNotRead(tr *Transfer, piece int) {
	b.t.Helper()
	if _, err := tr.ReadAt(make([]byte, 10), int64(piece)*b.info.PieceLength); err == nil {
		b.t.Fatalf("piece %d was read", piece)
	}
	if got := completion(tr, piece); got != "unknown" {
		b.t.Fatalf("piece %d is %s", piece, got)
	}
	if tr.Durable(piece) {
		b.t.Fatalf("piece %d is durable", piece)
	}
}

func TestOwnIsServedAndNeverWritten(t *testing.T) {
	b := newOwnBench(t)
	for _, i := range []int{0, 1} {
		if err := os.Chmod(b.file(i), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	b.statSources()
	before := describe(t, b.own.Path)
	tr := b.openOwn()
	if p := tr.Progress(); p.Pieces != 4 || p.Bytes != 52*kib {
		t.Fatalf("what was hashed for sharing: %+v", p)
	}
	for i := range 4 {
		b.mustRead(tr, i)
	}
	if _, err := tr.WriteAt(b.all[:10], 0); !errors.Is(err, ErrOwn) {
		t.Fatalf("writing: %v", err)
	}
	flush(t, tr)
	if err := tr.Recheck(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkUnknown(t, tr)
	if err := tr.Finish(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if p := tr.Progress(); p.Pieces != 4 {
		t.Fatalf("after verifying: %+v", p)
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.restart()
	tr = b.openOwn()
	if p := tr.Progress(); p.Pieces != 4 {
		t.Fatalf("after a restart: %+v", p)
	}
	b.mustRead(tr, 3)
	remove(t, tr, true)
	if after := describe(t, b.own.Path); after != before {
		t.Fatalf("what is shared was changed from\n%s to\n%s", before, after)
	}
}

// describe lists names, modes, sizes and times below dir.
func describe(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	for _, name := range append(tree(t, dir), ".") {
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(name + " " + fi.Mode().String() + " " + fi.ModTime().String() + "\n")
	}
	return b.String()
}

func TestOwnFileChangedWhileSeeding(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	for i := range 4 {
		b.mustRead(tr, i)
	}
	when := time.Now().Add(time.Hour)
	other := content(9, 32*kib)
	writeFile(t, b.file(0), other)
	if err := os.Chtimes(b.file(0), when, when); err != nil {
		t.Fatal(err)
	}
	b.later()
	b.mustNotRead(tr, 0)
	b.mustNotRead(tr, 1)
	b.mustRead(tr, 2)
	if err := tr.Fault(); !errors.Is(err, ErrChanged) {
		t.Fatalf("the fault is %v", err)
	}
	tr.takeEvent()
	// The second look finds that the file has not changed since the first, and has
	// it hashed.
	tr.probe(context.Background())
	e, ok := tr.takeEvent()
	if want := []Span{{0, 2}}; !ok || !slices.Equal(e.Verify, want) || !slices.Equal(e.Refresh, want) || e.Fault != nil {
		t.Fatalf("the event is %+v", e)
	}
	if n := checkUnknown(t, tr); n != 2 {
		t.Fatalf("%d pieces were to be hashed", n)
	}
	b.mustNotRead(tr, 0)
	tr.probe(context.Background())
	if n := checkUnknown(t, tr); n != 0 {
		t.Fatal("what is known to be wrong is hashed again")
	}

	writeFile(t, b.file(0), content(1, 32*kib))
	tr.probe(context.Background())
	tr.probe(context.Background())
	checkUnknown(t, tr)
	if err := tr.Fault(); err != nil {
		t.Fatalf("the file is what it was, and yet: %v", err)
	}
	b.mustRead(tr, 0)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 4 {
		t.Fatalf("%+v", p)
	}
}

func TestOwnFileTruncatedAndBack(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	b.mustRead(tr, 2)
	if err := os.Truncate(b.file(1), 100); err != nil {
		t.Fatal(err)
	}
	// No look is due yet, but the read itself notices.
	b.mustNotRead(tr, 3)
	tr.probe(context.Background())
	tr.probe(context.Background())
	if p := tr.Progress(); p.Unknown != 0 || p.Pieces != 2 {
		t.Fatalf("a file of the wrong size is to be hashed: %+v", p)
	}
	writeFile(t, b.file(1), content(2, 20*kib))
	mtime := b.own.Sources[1].Info.ModTime()
	if err := os.Chtimes(b.file(1), mtime, mtime); err != nil {
		t.Fatal(err)
	}
	tr.probe(context.Background())
	if err := tr.Fault(); err != nil {
		t.Fatal(err)
	}
	if p := tr.Progress(); p.Pieces != 2 || p.Unknown != 0 || p.Doubtful != 2 {
		t.Fatalf("size and time are what they were: %+v", p)
	}
	b.mustRead(tr, 3)
	if p := tr.Progress(); p.Pieces != 3 || p.Doubtful != 1 {
		t.Fatalf("a piece was read: %+v", p)
	}
}

func TestOwnFileRemovedAndReplacedWhileOpen(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	b.mustRead(tr, 0)
	away := b.file(0) + ".away"
	if err := os.Rename(b.file(0), away); err != nil {
		t.Fatal(err)
	}
	b.later()
	b.mustNotRead(tr, 0)
	if err := tr.Fault(); !errors.Is(err, ErrMissing) {
		t.Fatalf("the fault is %v", err)
	}
	if err := os.Rename(away, b.file(0)); err != nil {
		t.Fatal(err)
	}
	tr.probe(context.Background())
	b.mustRead(tr, 0)
}

func TestOwnChangedWhileStopped(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, b.file(1), content(8, 20*kib))
	b.restart()
	tr = b.openOwn()
	if p := tr.Progress(); p.Pieces != 2 || p.Unknown != 2 {
		t.Fatalf("%+v", p)
	}
	checkUnknown(t, tr)
	b.mustNotRead(tr, 2)
	b.mustRead(tr, 1)
	if err := tr.Fault(); !errors.Is(err, ErrChanged) {
		t.Fatalf("the fault is %v", err)
	}
}

func TestOwnWithoutSourcesIsHashed(t *testing.T) {
	b := newOwnBench(t)
	b.own.Sources = nil
	tr := b.openSpec(Spec{Info: b.info, Own: b.own})
	if p := tr.Progress(); p.Pieces != 0 || p.Unknown != 4 {
		t.Fatalf("%+v", p)
	}
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 4 {
		t.Fatalf("%+v", p)
	}
}

func TestOwnSymlinks(t *testing.T) {
	b := newOwnBench(t)
	elsewhere := filepath.Join(t.TempDir(), "one")
	if err := os.Rename(b.file(0), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, b.file(0)); err != nil {
		skip(t, "needs symlinks: "+err.Error())
	}
	tr := b.openOwn()
	b.mustNotRead(tr, 0)
	remove(t, tr, false)
	b.own.FollowSymlinks = true
	tr = b.openOwn()
	b.mustRead(tr, 0)
	writeFile(t, elsewhere, content(9, 32*kib))
	b.later()
	b.mustNotRead(tr, 0)
}

func TestFetchDoesNotTouchWhatIsShared(t *testing.T) {
	b := newOwnBench(t)
	b.openOwn()
	before := describe(t, b.own.Path)
	// Same name, same size, first piece the same: an older version of it.
	older := append(bytes.Clone(content(1, 16*kib)), content(5, 16*kib)...)
	info, all := torrentOf(t, "one", 16*kib, entryOf{data: older})
	tr := b.openSpec(Spec{Info: info, Dir: b.own.Path})
	if tr.Path() == b.file(0) {
		t.Fatal("a fetch took the path of a shared file")
	}
	putAll(t, tr, all)
	flush(t, tr)
	remove(t, tr, true)
	wantFile(t, b.file(0), content(1, 32*kib))
	if after := tree(t, b.own.Path); len(after) != 3 {
		t.Fatalf("before\n%s after %q", before, after)
	}
}
