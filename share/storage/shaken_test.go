package storage

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// arrivals writes blocks as peers send them. As the swarm does, it hashes them as they
// arrive: a piece is right when all its blocks were written, whatever is on disk by then.
type arrivals struct {
	t    *testing.T
	tr   *Transfer
	all  []byte
	came map[int]int // blocks of a piece that were written
}

const blocksOfPiece = 4

// next writes the next block of piece i.
func (a *arrivals) next(i int) {
	a.t.Helper()
	size := int(a.tr.info.PieceLength) / blocksOfPiece
	off := i*int(a.tr.info.PieceLength) + a.came[i]*size
	if _, err := a.tr.WriteAt(a.all[off:off+size], int64(off)); err != nil {
		a.t.Fatal(err)
	}
	if a.came[i]++; a.came[i] == blocksOfPiece {
		delete(a.came, i)
		if err := a.tr.MarkComplete(i); err != nil {
			a.t.Fatal(err)
		}
	}
}

// finish fetches what is missing until all of it is durable.
func (a *arrivals) finish() {
	a.t.Helper()
	for range 10 {
		for i := range a.tr.numPieces() {
			for completion(a.tr, i) == "missing" {
				a.next(i)
			}
		}
		flush(a.t, a.tr)
		checkUnknown(a.t, a.tr)
		flush(a.t, a.tr)
		if a.tr.Progress().Pieces == a.tr.numPieces() {
			return
		}
	}
	a.t.Fatalf("it does not end: %+v", a.tr.Progress())
}

// Of a piece of which some blocks were here, another program takes these away. The others
// arrive, and the hash of all that arrived is right.
func TestPieceThatLostItsFirstBlocks(t *testing.T) {
	for name, spoil := range map[string]func(part string) error{
		"cut off": func(part string) error { return os.Truncate(part, 10) },
		"changed": func(part string) error { return os.WriteFile(part, content(9, 30*kib), 0o644) },
	} {
		for _, looked := range []bool{false, true} {
			b := newBench(t)
			info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 80*kib)})
			tr := b.open(info)
			a := &arrivals{t, tr, all, map[int]int{}}
			a.next(1)
			a.next(1)
			if err := spoil(filepath.Join(b.dir, tr.layout.names[0].part)); err != nil {
				t.Fatal(err)
			}
			a.next(1) // finds out
			if looked {
				checkUnknown(t, tr)
			}
			a.next(1)
			if tr.Durable(1) || completion(tr, 1) == "complete" {
				t.Errorf("%s: the piece is %s", name, completion(tr, 1))
			}
			a.finish()
			wantFile(t, filepath.Join(b.dir, "f"), all)
		}
	}
}

// Whatever another program does to the part file, and whenever, what gets the final name is
// right.
func TestWhatArrivesWhileOthersWriteIsRight(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := newBench(t)
		info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 80*kib)})
		tr := b.open(info)
		a := &arrivals{t, tr, all, map[int]int{}}
		for range 30 {
			part := filepath.Join(b.dir, tr.layout.names[0].part)
			fi, err := os.Stat(part)
			size := r.IntN(80 * kib) // another one: some systems tell times only roughly
			there := err == nil && fi.Size() != int64(size)
			switch n := r.IntN(10); {
			case n < 7:
				if i := r.IntN(tr.numPieces()); completion(tr, i) == "missing" {
					a.next(i)
				}
			case n == 7:
				checkUnknown(t, tr)
			case n == 8 && there:
				if err := os.Truncate(part, int64(size)); err != nil {
					t.Fatal(err)
				}
			case n == 9 && there:
				if err := os.WriteFile(part, content(r.Uint64(), size), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if fi, err := os.Stat(filepath.Join(b.dir, "f")); err == nil && fi.Size() > 0 {
			wantFile(t, filepath.Join(b.dir, "f"), all)
			continue
		}
		a.finish()
		wantFile(t, filepath.Join(b.dir, "f"), all)
	}
}
