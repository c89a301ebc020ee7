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

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"pgregory.net/rapid"
)

// What other programs do to the files of a transfer. The property tests run random
// histories on the disk in memory. These cases were seen in practice, each is
// tested on the real file system:
//
//	changed in place, mtime put back (VeraCrypt, tag editors)   TestInPlaceChangeWithItsTimePutBackIsNotServed
//	rsync --inplace -t                                          the same, written in small steps
//	an ordinary write since the last look, 250 ms ago at most   TestWriteSinceTheLastLookIsNotServed
//	a region of a part file, after its piece was checked        TestRegionOfAPartFileChangedByOthers
//	the same before the file gets its name                      TestPartFileChangedBeforeItsRename
//	chmod, a hard link, a restored copy                         TestWhatOnlyRestampsAFileIsServedOnceHashed
//	damage found by verify, then a restart                      TestWhatVerifyFoundStaysAcrossRestarts
//	records of version 1                                        TestOldRecordsAdoptWhatIsOlder

// If a user's file is changed after it was hashed, with its mtime put back, the
// copy of it is not durable.
func TestACopyOfAFileThatWasChangedIsHashed(t *testing.T) {
	sim := newSimDisk()
	b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), disk: sim, dir: "/dl"}
	b.restart()
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 40*kib)})
	n := sim.newFile()
	n.data = append(slices.Clone(all), "and more"...)
	sim.change(simChange{to: "/dl/f", node: n})
	tr := b.open(info)
	checkUnknown(t, tr)
	n.data[20*kib] ^= 1
	sim.touched(n, false) // the mtime is put back
	flush(t, tr)
	if tr.Durable(1) {
		t.Fatal("a piece is durable that was copied after the change")
	}
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 2 || tr.Durable(1) {
		t.Fatalf("%+v", p)
	}
}

// editor is another program on the disk in memory.
type editor struct {
	sim  *simDisk
	good map[string][]byte // what each file should hold, by path
	// spared tells whether a file is left alone; nil leaves none.
	spared func(path string) bool
}

// edit does one thing to one of the files.
func (e *editor) edit(t *rapid.T) {
	d := e.sim
	d.mu.Lock()
	defer d.mu.Unlock()
	var paths []string
	for p, n := range d.names {
		if !n.dir && (e.spared == nil || !e.spared(p)) {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return
	}
	slices.Sort(paths)
	p := rapid.SampledFrom(paths).Draw(t, "path")
	n := d.names[p]
	mtime := n.mtime
	keep := rapid.Bool().Draw(t, "mtime put back")
	what := rapid.SampledFrom([]string{"write", "write", "truncate", "replace", "restore", "restore in place", "chmod", "link", "remove"}).Draw(t, "edit")
	content := true
	own := func() { // a file of the disk shares no memory with what was written
		n.data = slices.Clone(n.data)
		n.dirty = map[int]bool{}
		for page := 0; page*simPage < max(len(n.data), 1); page++ {
			n.dirty[page] = true
		}
	}
	switch what {
	case "write":
		if len(n.data) > 0 {
			own()
			n.data[rapid.IntRange(0, len(n.data)-1).Draw(t, "at")] ^= 0x55
		}
	case "truncate":
		n.data = slices.Clone(n.data[:len(n.data)/2])
		own()
	case "replace", "restore":
		old := n
		n = d.newFile()
		n.data = slices.Clone(old.data)
		if what == "restore" {
			if good, ok := e.good[p]; ok {
				n.data = slices.Clone(good)
			}
		} else if len(n.data) > 0 {
			n.data[0] ^= 0x55
		}
		own()
		d.touched(old, false)
		d.change(simChange{to: p, node: n})
	case "restore in place":
		if good, ok := e.good[p]; ok {
			n.data = slices.Clone(good)
			own()
		}
	case "remove":
		d.touched(n, false)
		d.change(simChange{from: p, node: n})
	default:
		content = false
	}
	d.touched(n, content)
	if keep {
		n.mtime = mtime
	}
}

// onSim returns what is on the disk of piece p. Until a user's file is decided
// about, some bytes may be in its spill.
func onSim(sim *simDisk, tr *Transfer, root string, p int) []byte {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	got := make([]byte, tr.info.PieceSize(p))
	_, _ = tr.each(int64(p)*tr.info.PieceLength, got, func(i int, at int64, part []byte) (int, error) {
		if !tr.onDisk(i) {
			return len(part), nil
		}
		name := tr.name(i)
		if tr.users.spilled(i, p) {
			name = tr.layout.names[i].part
		}
		if n := sim.names[root+"/"+name]; n != nil && int64(len(n.data)) > at {
			copy(part, n.data[at:])
		}
		return len(part), nil
	})
	return got
}

// mustBeComplete checks, right after a look, that what is called durable is so.
func mustBeComplete(t *rapid.T, sim *simDisk, tr *Transfer, root string, all []byte) {
	t.Helper()
	if err := tr.Look(context.Background()); err != nil {
		t.Fatalf("looking: %v", err)
	}
	for _, s := range tr.DurablePieces() {
		for p := s.From; p < s.To; p++ {
			off := int64(p) * tr.info.PieceLength
			if !bytes.Equal(onSim(sim, tr, root, p), all[off:off+tr.info.PieceSize(p)]) {
				t.Fatalf("piece %d is called complete, and is not", p)
			}
		}
	}
}

func mustServeRight(t *rapid.T, tr *Transfer, all []byte) {
	t.Helper()
	off := rapid.IntRange(0, len(all)-1).Draw(t, "offset")
	got := make([]byte, min(rapid.IntRange(1, 2000).Draw(t, "length"), len(all)-off))
	if _, err := tr.ReadAt(got, int64(off)); err == nil && !bytes.Equal(got, all[off:off+len(got)]) {
		t.Fatalf("wrong bytes were served of %d at %d", len(got), off)
	}
}

// hashAll does what the engine does: unknown and doubtful pieces are hashed.
func hashAll(t *rapid.T, tr *Transfer) {
	t.Helper()
	for i := range tr.numPieces() {
		if completion(tr, i) == "unknown" || slices.Contains(tr.Doubtful(), i) {
			if _, err := tr.HashPiece(context.Background(), i); err != nil && share.KindOf(err) != share.Disk {
				t.Fatalf("hashing: %v", err)
			}
		}
	}
}

func editedTorrent(t testing.TB) (*metainfo.Info, []byte, []entryOf) {
	entries := []entryOf{
		{path: "a", data: content(1, 3100)},
		{path: "s/b", data: content(2, 700)},
		{path: "s/c", data: content(3, 2600)},
	}
	info, all := torrentOf(t, "set", 1500, entries...)
	return info, all, entries
}

// A share whose files others edit at any moment: no wrong byte is served, and
// nothing is called complete that is not. In half of the histories the clock of the
// disk has ticks.
func TestNoWrongByteOfAShareIsServed(t *testing.T) {
	info, all, entries := editedTorrent(t)
	checkThousand(t, func(t *testing.T, rt *rapid.T) {
		sim := newSimDisk()
		sim.coarse = rapid.Bool().Draw(rt, "coarse clock")
		b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), dir: "/dl", disk: sim}
		b.restart()
		e := &editor{sim: sim, good: map[string][]byte{}}
		sim.names["/dl/set"], sim.names["/dl/set/s"] = &simNode{dir: true}, &simNode{dir: true}
		own := &Own{Path: "/dl/set"}
		for _, x := range entries {
			n := sim.newFile()
			n.data, n.disk = slices.Clone(x.data), slices.Clone(x.data)
			sim.names["/dl/set/"+x.path] = n
			e.good["/dl/set/"+x.path] = x.data
			own.Sources = append(own.Sources, Source{Path: x.path, Info: n.info(x.path), Read: time.Unix(0, sim.now+rapid.Int64Range(0, 2).Draw(rt, "read")*int64(tick))})
			if own.Sources[len(own.Sources)-1].Read.UnixNano() != sim.now {
				sim.now += int64(tick)
			}
		}
		tr := b.openSpec(Spec{Info: info, Own: own})
		later := func() {
			sim.mu.Lock()
			sim.now += int64(time.Millisecond)
			sim.mu.Unlock()
			b.clock.add(100 * time.Millisecond)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"edit":   e.edit,
			"edit 2": e.edit,
			"read":   func(t *rapid.T) { mustServeRight(t, tr, all) },
			"read while others write": func(t *rapid.T) {
				sim.during = func() {
					if rapid.Bool().Draw(t, "now") {
						e.edit(t)
					}
				}
				mustServeRight(t, tr, all)
				sim.during = nil
			},
			"hash while others write": func(t *rapid.T) {
				sim.during = func() {
					if rapid.IntRange(0, 3).Draw(t, "now") == 0 {
						e.edit(t)
					}
				}
				hashAll(t, tr)
				sim.during = nil
			},
			"time":  func(*rapid.T) { later() },
			"hash":  func(t *rapid.T) { hashAll(t, tr) },
			"probe": func(t *rapid.T) { tr.probe(context.Background()) },
			"sync":  func(*rapid.T) { _ = tr.sync(context.Background()) },
			"verify": func(t *rapid.T) {
				_ = tr.Recheck(context.Background())
				hashAll(t, tr)
			},
			"close": func(*rapid.T) {
				_ = tr.Close(context.Background())
				b.restart()
				tr = b.openSpec(Spec{Info: info, Own: own})
			},
			"kill": func(*rapid.T) { b.crash(); tr = b.openSpec(Spec{Info: info, Own: own}) },
			"":     func(t *rapid.T) { mustBeComplete(t, sim, tr, "/dl/set", all) },
		})
		// What is restored is complete again.
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
		if p := tr.Progress(); p.Pieces != info.NumPieces || tr.Fault() != nil {
			rt.Fatalf("all is as it was, and yet: %+v, %v", p, tr.Fault())
		}
	})
}

// A fetch whose files others edit: no wrong byte is served, nothing is called
// complete that is not, and at the end everything is there.
func TestNoWrongByteOfAFetchIsServed(t *testing.T) {
	info, all, entries := editedTorrent(t)
	checkThousand(t, func(t *testing.T, rt *rapid.T) {
		sim := newSimDisk()
		b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), dir: "/dl", disk: sim}
		b.restart()
		e := &editor{sim: sim, good: map[string][]byte{}}
		for _, x := range entries {
			e.good["/dl/set/"+x.path] = x.data
		}
		tr := b.open(info)
		// A spill has no stamp: a write to it goes unnoticed until it is hashed.
		e.spared = func(path string) bool {
			for i := range tr.users.all() {
				if path == "/dl/set/"+tr.layout.names[i].part {
					return true
				}
			}
			return false
		}
		pieces := rapid.IntRange(0, info.NumPieces-1)
		fetch := func(t *rapid.T, p int) {
			if completion(tr, p) != "missing" {
				return
			}
			off := int64(p) * info.PieceLength
			if _, err := tr.WriteAt(all[off:off+info.PieceSize(p)], off); err != nil {
				return
			}
			_, _ = tr.HashPiece(context.Background(), p)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"fetch":   func(t *rapid.T) { fetch(t, pieces.Draw(t, "piece")) },
			"fetch 2": func(t *rapid.T) { fetch(t, pieces.Draw(t, "piece")) },
			"fetch 3": func(t *rapid.T) { fetch(t, pieces.Draw(t, "piece")) },
			"edit":    e.edit,
			"read":    func(t *rapid.T) { mustServeRight(t, tr, all) },
			"read while others write": func(t *rapid.T) {
				sim.during = func() {
					if rapid.Bool().Draw(t, "now") {
						e.edit(t)
					}
				}
				mustServeRight(t, tr, all)
				sim.during = nil
			},
			"time":    func(*rapid.T) { b.clock.add(100 * time.Millisecond) },
			"hash":    func(t *rapid.T) { hashAll(t, tr) },
			"probe":   func(t *rapid.T) { tr.probe(context.Background()) },
			"sync":    func(*rapid.T) { _ = tr.sync(context.Background()) },
			"sync 2":  func(*rapid.T) { _ = tr.sync(context.Background()) },
			"recheck": func(t *rapid.T) { _ = tr.Recheck(context.Background()); hashAll(t, tr) },
			"close": func(*rapid.T) {
				_ = tr.Close(context.Background())
				b.restart()
				tr = b.open(info)
			},
			"kill": func(*rapid.T) { b.crash(); tr = b.open(info) },
			// Not after each step: the next write has to notice edits, too.
			"look": func(t *rapid.T) { mustBeComplete(t, sim, tr, "/dl/set", all) },
		})
		for range 8 {
			b.clock.add(time.Second)
			tr.probe(context.Background())
			_ = tr.Recheck(context.Background())
			hashAll(rt, tr)
			for p := range info.NumPieces {
				fetch(rt, p)
			}
			_ = tr.sync(context.Background())
		}
		if p := tr.Progress(); p.Pieces != info.NumPieces || tr.Fault() != nil {
			rt.Fatalf("at the end: %+v of %d, %v", p, info.NumPieces, tr.Fault())
		}
		mustBeComplete(rt, sim, tr, "/dl/set", all)
	})
}

// change writes to a file in place, in steps, and puts its mtime back if asked to.
func change(t *testing.T, path string, at int64, with []byte, steps int, putBack bool) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for len(with) > 0 {
		n := (len(with) + steps - 1) / steps
		if _, err := f.WriteAt(with[:n], at); err != nil {
			t.Fatal(err)
		}
		at, with, steps = at+int64(n), with[n:], max(steps-1, 1)
	}
	if putBack {
		if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInPlaceChangeWithItsTimePutBackIsNotServed(t *testing.T) {
	for name, steps := range map[string]int{"at once": 1, "as rsync --inplace -t": 7} {
		t.Run(name, func(t *testing.T) {
			b := newOwnBench(t)
			tr := b.openOwn()
			b.mustRead(tr, 0) // the file is open, and was looked at just now
			change(t, b.file(0), 100, content(9, 5000), steps, true)
			got := make([]byte, 10)
			if _, err := tr.ReadAt(got, 100); err == nil {
				t.Fatal("what was changed was served")
			}
			b.mustNotRead(tr, 0)
			b.mustRead(tr, 2)
			if err := tr.Fault(); !errors.Is(err, ErrChanged) {
				t.Fatalf("the fault is %v", err)
			}
			if p := tr.Progress(); p.Pieces != 2 {
				t.Fatalf("%+v", p)
			}
			// Unchanged, with a new mtime: it is hashed, and served again.
			change(t, b.file(0), 100, b.all[100:5100], steps, false)
			tr.probe(context.Background())
			tr.probe(context.Background())
			checkUnknown(t, tr)
			b.mustRead(tr, 0)
		})
	}
}

func TestWriteSinceTheLastLookIsNotServed(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	b.mustRead(tr, 0)
	change(t, b.file(0), 0, content(9, 10), 1, false) // the clock of the store stands still
	b.mustNotRead(tr, 0)
	if err := tr.Fault(); !errors.Is(err, ErrChanged) {
		t.Fatalf("the fault is %v", err)
	}
}

func TestRegionOfAPartFileChangedByOthers(t *testing.T) {
	for _, putBack := range []bool{false, true} {
		b := newBench(t)
		info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 80*kib)})
		tr := b.open(info)
		put(t, tr, all, 0)
		put(t, tr, all, 1)
		part := filepath.Join(b.dir, tr.layout.names[0].part)
		change(t, part, 20*kib, content(9, 100), 1, putBack)
		put(t, tr, all, 2) // the next write finds out
		if got := completion(tr, 1); got != "unknown" {
			t.Fatalf("the piece that another program wrote to is %s", got)
		}
		flush(t, tr)
		checkUnknown(t, tr)
		if tr.Durable(1) || completion(tr, 1) != "missing" {
			t.Fatalf("the piece that another program wrote to is %s", completion(tr, 1))
		}
		putAll(t, tr, all)
		flush(t, tr)
		wantFile(t, filepath.Join(b.dir, "f"), all)
		if p := tr.Progress(); p.Pieces != 5 {
			t.Fatalf("%+v", p)
		}
	}
}

func TestPartFileChangedBeforeItsRename(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 80*kib)})
	tr := b.open(info)
	putAll(t, tr, all)
	part := filepath.Join(b.dir, tr.layout.names[0].part)
	change(t, part, 20*kib, content(9, 100), 1, true)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces == 5 {
		t.Fatal("what another program changed is called complete")
	}
	if _, err := os.Stat(part); err != nil {
		t.Fatalf("it has its final name: %v", err)
	}
	checkUnknown(t, tr)
	put(t, tr, all, 1)
	flush(t, tr)
	wantTree(t, b.dir, "f")
	wantFile(t, filepath.Join(b.dir, "f"), all)
	if p := tr.Progress(); p.Pieces != 5 {
		t.Fatalf("%+v", p)
	}
}

func TestWhatOnlyRestampsAFileIsServedOnceHashed(t *testing.T) {
	for name, touch := range map[string]func(t *testing.T, path string){
		"chmod": func(t *testing.T, path string) {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"hard link": func(t *testing.T, path string) {
			if err := os.Link(path, path+".link"); err != nil {
				t.Skip(err)
			}
		},
		"restored copy": func(t *testing.T, path string) {
			fi, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path+".new", content(1, 32*kib))
			if err := errors.Join(os.Chtimes(path+".new", fi.ModTime(), fi.ModTime()), os.Rename(path+".new", path)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newOwnBench(t)
			tr := b.openOwn()
			b.mustRead(tr, 1)
			touch(t, b.file(0))
			if err := tr.Look(context.Background()); err != nil {
				t.Fatal(err)
			}
			if p := tr.Progress(); p.Pieces != 2 || p.Doubtful != 2 || tr.Fault() != nil {
				t.Fatalf("%+v, %v", p, tr.Fault())
			}
			if got := completion(tr, 0); got != "complete" {
				t.Fatalf("a piece in doubt is %s", got)
			}
			b.mustRead(tr, 0)
			if p := tr.Progress(); p.Pieces != 3 || p.Doubtful != 1 {
				t.Fatalf("after a read: %+v", p)
			}
			// After a kill before everything was hashed, the next run is not sure
			// either.
			b.crash()
			tr = b.openOwn()
			if p := tr.Progress(); p.Pieces != 2 || p.Doubtful != 2 {
				t.Fatalf("after a restart: %+v", p)
			}
			if n := checkDoubtful(t, tr); n != 2 {
				t.Fatalf("%d pieces were hashed", n)
			}
			flush(t, tr)
			if p := tr.Progress(); p.Pieces != 4 || tr.Fault() != nil {
				t.Fatalf("%+v, %v", p, tr.Fault())
			}
			b.crash()
			if p := b.openOwn().Progress(); p.Pieces != 4 {
				t.Fatalf("after another restart: %+v", p)
			}
		})
	}
}

func TestWhatVerifyFoundStaysAcrossRestarts(t *testing.T) {
	b := newOwnBench(t)
	tr := b.openOwn()
	change(t, b.file(0), 0, content(9, 10), 1, true)
	if err := tr.Recheck(context.Background()); err != nil {
		t.Fatal(err)
	}
	checkUnknown(t, tr)
	flush(t, tr)
	for range 2 {
		if err := tr.Fault(); !errors.Is(err, ErrChanged) || tr.Progress().Pieces != 2 {
			t.Fatalf("%+v, %v", tr.Progress(), err)
		}
		b.crash()
		tr = b.openOwn()
	}
	change(t, b.file(0), 0, b.all[:10], 1, true)
	tr.probe(context.Background())
	tr.probe(context.Background())
	checkUnknown(t, tr)
	if p := tr.Progress(); tr.Fault() != nil || p.Unknown != 0 {
		t.Fatalf("it is as it was, and yet: %+v, %v", p, tr.Fault())
	}
}

// asVersion1 removes the change times from the record of info.
func (b *bench) asVersion1(info *metainfo.Info) {
	b.t.Helper()
	r := b.ledger.records[info.ID]
	p, err := decodeProgress(r.Progress, info)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range p.files {
		f := &p.files[i]
		f.created, f.doubt = false, false
		f.stamp.ctime, f.stamp.inode = 0, 0
	}
	p.clipped = nil
	clipped := 2 + len(p.unknown.appendTo(p.recorded.appendTo(nil))) // where they are: version 1 has none
	r.Progress = p.encode(info)
	r.Progress = append(r.Progress[:clipped], r.Progress[clipped+1:]...)
	r.Progress[0] = 1
	b.ledger.records[info.ID] = r
}

func TestOldRecordsAdoptWhatIsOlder(t *testing.T) {
	b := newOwnBench(t)
	old := time.Now().Add(-24 * time.Hour)
	for i := range b.own.Sources {
		if err := os.Chtimes(b.file(i), old, old); err != nil {
			t.Fatal(err)
		}
	}
	b.statSources()
	flush(t, b.openOwn())
	b.crash()
	b.asVersion1(b.info)
	since := time.Now().Add(time.Second)
	tr := b.openSpec(Spec{Info: b.info, Own: b.own, Since: since})
	if p := tr.Progress(); p.Pieces != 4 {
		t.Fatalf("nothing was changed since the record was written: %+v", p)
	}
	b.crash()
	tr = b.openSpec(Spec{Info: b.info, Own: b.own, Since: old.Add(time.Hour)})
	if p := tr.Progress(); p.Pieces != 0 || p.Doubtful != 4 {
		t.Fatalf("files may have been changed since: %+v", p)
	}
}
