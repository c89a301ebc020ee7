package storage

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
	"pgregory.net/rapid"
)

// sealedSet is a sealed share for tests.
type sealedSet struct {
	entries []entryOf
	info    *metainfo.Info // with the files
	blob    []byte
	seal    Seal
}

// newSealedSet seals a folder with records of each kind, two to a piece.
func newSealedSet(t testing.TB) *sealedSet {
	t.Helper()
	s := &sealedSet{entries: []entryOf{
		{path: "a", data: content(1, 310_000)},
		{path: "s/b", data: content(2, 700)},
		{path: "s/c", data: content(3, 180_000)},
	}}
	at := time.Unix(1_600_000_000, 0)
	m := &seal.Manifest{Entries: []seal.Entry{
		{Parent: -1, Name: "set", Folder: true, Mode: 0o755, Time: at},
		{Parent: 0, Name: "a", Mode: 0o644, Time: at, Size: 310_000},
		{Parent: 0, Name: "s", Folder: true, Mode: 0o755, Time: at},
		{Parent: 2, Name: "b", Mode: 0o600, Time: at, Size: 700},
		{Parent: 2, Name: "c", Mode: 0o644, Time: at, Size: 180_000},
	}}
	manifest, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.seal = Seal{Secret: seal.NewSecret(), Tags: filepath.Join(t.TempDir(), "tags")}
	sealer, err := seal.NewSealer(seal.Config{Secret: s.seal.Secret, Manifest: manifest}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := sealer.Layout()
	plain := make([]byte, l.Count()*seal.DataSize)
	h := metainfo.Holding{
		Manifest: manifest, Name: "set", Multi: true,
		First: l.Head().To * seal.DataSize, PieceLength: 2 * seal.DataSize, Total: int64(len(plain)),
	}
	off := h.First
	for _, e := range s.entries {
		off += int64(copy(plain[off:], e.data))
		h.Files = append(h.Files, metainfo.HeldFile{Path: strings.Split(e.path, "/"), Length: int64(len(e.data))})
	}
	var out bytes.Buffer
	if _, err := sealer.Stream(0, &out, nil).Write(plain); err != nil {
		t.Fatal(err)
	}
	s.blob = out.Bytes()
	name, err := seal.Name(s.seal.Secret)
	if err != nil {
		t.Fatal(err)
	}
	blob, _ := torrentOf(t, name, 2*seal.RecordSize, entryOf{data: s.blob})
	if s.info, err = blob.Holding(h); err != nil {
		t.Fatal(err)
	}
	if l.Kind(l.Count()-1) != seal.Padding || l.Count() < 9 {
		t.Fatalf("%d records are too few for these tests", l.Count())
	}
	return s
}

// right tells what the torrent says of a piece of the blob.
func (s *sealedSet) right(p int, b []byte) bool {
	return sha1.Sum(b) == s.info.Sealed.Blob.PieceHash(p)
}

func (s *sealedSet) piece(p int) (off int64, b []byte) {
	off = int64(p) * s.info.Sealed.Blob.PieceLength
	return off, s.blob[off : off+s.info.Sealed.Blob.PieceSize(p)]
}

// witness sees every record that leaves.
type witness struct {
	set *sealedSet
	iv  map[[16]byte][sha1.Size]byte // what was encrypted under it
}

// saw takes record n, whole.
func (w *witness) saw(t *rapid.T, n int64, rec []byte) {
	iv, sum := [16]byte(rec), sha1.Sum(rec)
	if was, ok := w.iv[iv]; ok && was != sum {
		t.Fatalf("an IV was used for two records, one of them %d", n)
	}
	w.iv[iv] = sum
}

// serve reads a part of the blob as a peer does.
func (w *witness) serve(t *rapid.T, tr *Transfer) {
	t.Helper()
	off := rapid.IntRange(0, len(w.set.blob)/blockSize-1).Draw(t, "block") * blockSize
	got := make([]byte, min(rapid.SampledFrom([]int{1000, blockSize, seal.RecordSize}).Draw(t, "length"), len(w.set.blob)-off))
	n, err := tr.Sealed().ReadAt(got, int64(off))
	if !bytes.Equal(got[:n], w.set.blob[off:off+n]) {
		t.Fatalf("what was sent of %d bytes at %d is not what the torrent says", n, off)
	}
	if err == nil && n < len(got) {
		t.Fatalf("%d of %d bytes and no error", n, len(got))
	}
}

// copies looks at what is sealed to be hashed, right or wrong.
func (w *witness) copies(t *rapid.T, tr *Transfer, p int) {
	t.Helper()
	var out bytes.Buffer
	size := w.set.info.Sealed.Blob.PieceSize(p)
	if n, err := tr.Sealed().CopyPiece(p, size, &out); err != nil || n != size {
		return
	}
	for k := int64(0); k*seal.RecordSize < size; k++ {
		w.saw(t, int64(p)*2+k, out.Bytes()[k*seal.RecordSize:(k+1)*seal.RecordSize])
	}
}

// Over random histories of edits while a share is sealed and seeded, no record is sent
// that the torrent's hash would refuse, and no IV is used with two plaintexts.
func TestNothingWrongOfASealedShareIsSent(t *testing.T) {
	set := newSealedSet(t)
	rapid.Check(t, func(rt *rapid.T) {
		sim := newSimDisk()
		b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), dir: "/dl", disk: sim}
		b.restart()
		_ = os.Remove(set.seal.Tags)
		e := &editor{sim: sim, good: map[string][]byte{}}
		sim.names["/dl/set"], sim.names["/dl/set/s"] = &simNode{dir: true}, &simNode{dir: true}
		own := &Own{Path: "/dl/set"}
		for _, x := range set.entries {
			n := sim.newFile()
			n.data, n.disk = slices.Clone(x.data), slices.Clone(x.data)
			sim.names["/dl/set/"+x.path] = n
			e.good["/dl/set/"+x.path] = x.data
			own.Sources = append(own.Sources, Source{Path: x.path, Info: n.info(x.path), Read: time.Unix(0, sim.now+2*int64(tick))})
		}
		spec := Spec{Info: set.info, Own: own, Seal: set.seal}
		tr := b.openSpec(spec)
		w := &witness{set: set, iv: map[[16]byte][sha1.Size]byte{}}
		later := func() {
			sim.mu.Lock()
			sim.now += int64(time.Millisecond)
			sim.mu.Unlock()
			b.clock.add(100 * time.Millisecond)
		}
		pieces := rapid.IntRange(0, set.info.NumPieces-1)
		rt.Repeat(map[string]func(*rapid.T){
			"edit":   e.edit,
			"edit 2": e.edit,
			"send":   func(t *rapid.T) { w.serve(t, tr) },
			"send 2": func(t *rapid.T) { w.serve(t, tr) },
			"send while others write": func(t *rapid.T) {
				sim.during = func() {
					if rapid.Bool().Draw(t, "now") {
						e.edit(t)
					}
				}
				w.serve(t, tr)
				sim.during = nil
			},
			"hash": func(t *rapid.T) { hashAll(t, tr) },
			"copy": func(t *rapid.T) { w.copies(t, tr, pieces.Draw(t, "piece")) },
			"time": func(*rapid.T) { later() },
			"probe": func(t *rapid.T) {
				tr.probe(context.Background())
				_ = tr.sync(context.Background())
			},
			"verify": func(t *rapid.T) {
				_ = tr.Recheck(context.Background())
				hashAll(t, tr)
			},
			"lose tags": func(t *rapid.T) { _ = os.Truncate(set.seal.Tags, rapid.Int64Range(0, 300).Draw(t, "size")) },
			"kill":      func(*rapid.T) { b.crash(); tr = b.openSpec(spec) },
		})
		for p, good := range e.good {
			n := sim.newFile()
			n.data = slices.Clone(good)
			sim.names[p] = n
		}
		for range 4 {
			later()
			tr.probe(context.Background())
			if err := tr.Look(context.Background()); err != nil {
				rt.Fatal(err)
			}
			hashAll(rt, tr)
			_ = tr.sync(context.Background())
		}
		got := make([]byte, len(set.blob))
		if n, err := tr.Sealed().ReadAt(got, 0); n != len(got) || !bytes.Equal(got, set.blob) {
			rt.Fatalf("all is as it was, and %d of %d bytes can be sent: %v, %v", n, len(got), err, tr.Fault())
		}
		tr.closeSealed()
	})
}

// However the blocks of a sealed share come, in any order, wrong ones and those of other
// records among them, and whatever happens to the files: nothing that was not shared is
// read or sent, and in the end all is there.
func TestSealedFetchOfRandomBlocks(t *testing.T) {
	set := newSealedSet(t)
	rapid.Check(t, func(rt *rapid.T) {
		sim := newSimDisk()
		b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), dir: "/dl", disk: sim}
		b.restart()
		_ = os.Remove(set.seal.Tags)
		e := &editor{sim: sim, good: map[string][]byte{}}
		for _, x := range set.entries {
			e.good["/dl/set/"+x.path] = x.data
		}
		spec := Spec{Info: set.info, Dir: b.dir, Seal: set.seal}
		tr := b.openSpec(spec)
		w := &witness{set: set, iv: map[[16]byte][sha1.Size]byte{}}
		came := map[int]map[int][]byte{} // what peers sent, by piece and block, as the swarm knows it
		block := func(t *rapid.T, p, k int, data []byte) {
			if completion(tr, p) != "missing" {
				delete(came, p)
				return
			}
			off, _ := set.piece(p)
			if _, err := tr.Sealed().WriteAt(data, off+int64(k)*blockSize); err != nil {
				return
			}
			if came[p] == nil {
				came[p] = map[int][]byte{}
			}
			came[p][k] = data
		}
		// judge does what the swarm does when all of a piece came. edited tells that the
		// files may not be what was written.
		edited := false
		judge := func(t *rapid.T, p int) {
			_, all := set.piece(p)
			if len(came[p]) < len(all)/blockSize {
				return
			}
			var sent, back bytes.Buffer
			for k := range len(all) / blockSize {
				sent.Write(came[p][k])
			}
			if _, err := tr.Sealed().CopyPiece(p, int64(len(all)), &back); err == nil && !edited && !bytes.Equal(back.Bytes(), sent.Bytes()) {
				t.Fatalf("piece %d is read back otherwise than it came", p)
			}
			if !set.right(p, back.Bytes()) {
				_ = tr.Sealed().MarkNotComplete(p)
				return
			}
			delete(came, p)
			if err := tr.Sealed().MarkComplete(p); err != nil && !errors.Is(err, ErrClosed) {
				t.Fatalf("piece %d: %v", p, err)
			}
		}
		pieces := rapid.IntRange(0, set.info.NumPieces-1)
		draw := func(t *rapid.T) (p, k int, right []byte) {
			p = pieces.Draw(t, "piece")
			_, all := set.piece(p)
			k = rapid.IntRange(0, len(all)/blockSize-1).Draw(t, "block")
			return p, k, all[k*blockSize : (k+1)*blockSize]
		}
		fetch := func(t *rapid.T, p int) {
			_, all := set.piece(p)
			for k := range len(all) / blockSize {
				block(t, p, k, all[k*blockSize:(k+1)*blockSize])
			}
			judge(t, p)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"block":   func(t *rapid.T) { p, k, right := draw(t); block(t, p, k, right); judge(t, p) },
			"piece":   func(t *rapid.T) { fetch(t, pieces.Draw(t, "piece")) },
			"piece 2": func(t *rapid.T) { fetch(t, pieces.Draw(t, "piece")) },
			"record": func(t *rapid.T) {
				p := pieces.Draw(t, "piece")
				off, all := set.piece(p)
				n := rapid.IntRange(0, len(all)/seal.RecordSize-1).Draw(t, "record")
				if completion(tr, p) != "missing" {
					return
				}
				if _, err := tr.Sealed().WriteAt(all[n*seal.RecordSize:(n+1)*seal.RecordSize], off+int64(n)*seal.RecordSize); err != nil {
					return
				}
				if came[p] == nil {
					came[p] = map[int][]byte{}
				}
				for k := range seal.RecordSize / blockSize {
					at := n*seal.RecordSize + k*blockSize
					came[p][at/blockSize] = all[at : at+blockSize]
				}
				judge(t, p)
			},
			"wrong block": func(t *rapid.T) {
				p, k, right := draw(t)
				wrong := bytes.Clone(right)
				wrong[rapid.IntRange(0, blockSize-1).Draw(t, "at")] ^= 1
				block(t, p, k, wrong)
				judge(t, p)
			},
			"piece, then a wrong block of it": func(t *rapid.T) {
				p, k, right := draw(t)
				_, all := set.piece(p)
				for i := range len(all) / blockSize {
					block(t, p, i, all[i*blockSize:(i+1)*blockSize])
				}
				wrong := bytes.Clone(right)
				wrong[0] ^= 1
				block(t, p, k, wrong)
				judge(t, p)
			},
			"block of another place": func(t *rapid.T) {
				p, k, _ := draw(t)
				_, _, other := draw(t)
				block(t, p, k, other)
				judge(t, p)
			},
			"edit":  func(t *rapid.T) { edited = true; e.edit(t) },
			"send":  func(t *rapid.T) { w.serve(t, tr) },
			"time":  func(*rapid.T) { b.clock.add(100 * time.Millisecond) },
			"hash":  func(t *rapid.T) { hashAll(t, tr) },
			"sync":  func(*rapid.T) { _ = tr.sync(context.Background()) },
			"probe": func(t *rapid.T) { tr.probe(context.Background()) },
			"close": func(*rapid.T) {
				_ = tr.Close(context.Background())
				b.restart()
				tr, came = b.openSpec(spec), map[int]map[int][]byte{}
			},
			"kill": func(*rapid.T) { b.crash(); tr, came = b.openSpec(spec), map[int]map[int][]byte{} },
			"look": func(t *rapid.T) { mustBeComplete(t, sim, tr, "/dl/set", set.plain()) },
		})
		for range 8 {
			b.clock.add(time.Second)
			tr.probe(context.Background())
			_ = tr.Recheck(context.Background())
			hashAll(rt, tr)
			for p := range set.info.NumPieces {
				fetch(rt, p)
			}
			_ = tr.sync(context.Background())
		}
		if p := tr.Progress(); p.Pieces != set.info.NumPieces || tr.Fault() != nil || p.Bytes != set.info.Size() {
			rt.Fatalf("at the end: %+v of %d, %v", p, set.info.NumPieces, tr.Fault())
		}
		mustBeComplete(rt, sim, tr, "/dl/set", set.plain())
		got := make([]byte, len(set.blob))
		if n, err := tr.Sealed().ReadAt(got, 0); n != len(got) || !bytes.Equal(got, set.blob) {
			rt.Fatalf("all is there, and %d of %d bytes can be sent: %v", n, len(got), err)
		}
		tr.closeSealed()
	})
}

// plain is the content with what no file has, as zeros.
func (s *sealedSet) plain() []byte {
	out := make([]byte, s.info.Total)
	for i, e := range s.entries {
		copy(out[s.info.Files[i].Offset:], e.data)
	}
	return out
}

// A piece that is as the torrent says, and was not sealed with the key, never counts:
// whoever made the torrent lied.
func TestForgedPieceIsRefused(t *testing.T) {
	set := newSealedSet(t)
	// The torrent is one of other bytes.
	name, _ := seal.Name(set.seal.Secret)
	forged := content(9, len(set.blob))
	copy(forged[:2*seal.RecordSize], set.blob)
	blob, _ := torrentOf(t, name, 2*seal.RecordSize, entryOf{data: forged})
	view := *set.info
	view.Sealed = &metainfo.Sealed{Blob: blob, Manifest: set.info.Sealed.Manifest}
	view.ID = blob.ID
	b := newBench(t)
	var told error
	spec := set.seal
	spec.Forged = func(err error) { told = err }
	tr := b.openSpec(Spec{Info: &view, Dir: b.dir, Seal: spec})
	off := 2 * int64(2*seal.RecordSize)
	p := forged[off : off+2*seal.RecordSize]
	if _, err := tr.Sealed().WriteAt(p, off); err != nil {
		t.Fatal(err)
	}
	var back bytes.Buffer
	if n, err := tr.Sealed().CopyPiece(2, int64(len(p)), &back); err != nil || n != int64(len(p)) || !bytes.Equal(back.Bytes(), p) {
		t.Errorf("read back: %d bytes, %v", n, err)
	}
	if err := tr.Sealed().MarkComplete(2); share.KindOf(err) != share.Refused || told == nil {
		t.Errorf("%v, told %v", err, told)
	}
	if _, complete := tr.Completion(2); complete {
		t.Error("it counts")
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A spool holds what it was given, in memory and beyond.
func TestSpool(t *testing.T) {
	s := spool{dir: t.TempDir()}
	defer s.close()
	slots := map[int]byte{}
	for i := range nearSlots + 20 {
		slot, err := s.take()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := slots[slot]; ok {
			t.Fatalf("slot %d was given twice", slot)
		}
		slots[slot] = byte(i)
		for off := int64(0); off < seal.RecordSize; off += blockSize {
			if err := s.write(slot, bytes.Repeat([]byte{byte(i)}, blockSize), off); err != nil {
				t.Fatal(err)
			}
		}
	}
	var rec rawRecord
	for slot, fill := range slots {
		if err := s.read(slot, rec[:]); err != nil || !bytes.Equal(rec[:], bytes.Repeat([]byte{fill}, len(rec))) {
			t.Errorf("slot %d: %v", slot, err)
		}
		s.give(slot)
	}
	if slot, err := s.take(); err != nil || slots[slot] != byte(slot) && slot >= len(slots) {
		t.Errorf("slot %d, %v", slot, err)
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
		t.Errorf("%d files are to be seen, %v", len(left), err)
	}
}

// The tags of a closed file are an error, those that were never set are zeros, and those
// that were flushed are there for the next.
func TestTags(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tags")
	x := tags{path: name}
	var got [2 * seal.TagSize]byte
	if _, err := x.ReadAt(got[:], 0); err != nil || got != [2 * seal.TagSize]byte{} {
		t.Errorf("nothing is there: %v, %v", got, err)
	}
	x.set(5, [][seal.TagSize]byte{{1}, {2}})
	for range 2 {
		if _, err := x.ReadAt(got[:], 5*seal.TagSize); err != nil || got[0] != 1 || got[seal.TagSize] != 2 {
			t.Errorf("%v, %v", got, err)
		}
		if err := x.flush(); err != nil || len(x.fresh) > 0 {
			t.Errorf("%v, %d are fresh", err, len(x.fresh))
		}
	}
	x.close()
	if _, err := x.ReadAt(got[:], 0); err == nil {
		t.Error("it is closed")
	}
	y := tags{path: name}
	defer y.close()
	if _, err := y.ReadAt(got[:], 6*seal.TagSize); err != nil || got[0] != 2 || got[seal.TagSize] != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
}
