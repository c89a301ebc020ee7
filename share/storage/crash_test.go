package storage

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"pgregory.net/rapid"
)

// Rules of sync and its parts, and the tests that fail without each rule. Each was
// left out once, with all tests of the package run:
//
//	syncOpen refuses to retry a failed sync  TestAFailedSyncIsNotBelievedWhenRetried
//	dropTainted                              TestWhatAFailedSyncLeftInDoubtIsDropped
//	heal writes again before a sync counts   TestNothingDurableIsEverWrong, TestRunHealsAfterAFailedSync,
//	                                         TestAFailedSyncIsNotBelievedWhenRetried
//	sync syncs folders before it records     TestNothingDurableIsEverWrong
//	dropSpills and Remove sync them, too     TestRandomHistories
//	the next process syncs what it finds     TestAPartOfAnEarlierProcessIsSyncedBeforeItCounts
//
// The random tests find the first two only by luck. Whether the state database
// syncs is tested as a setting only: with synchronous(OFF)
// TestTheStateReachesTheDisk of cmd/internal/node fails, as it asks each
// connection. No test cuts the power under SQLite.
//
// Rules of watcher, verifier and writer:
//
//	unchanged, the look after a read         TestNoWrongByteOfAShareIsServed, TestNoWrongByteOfAFetchIsServed
//	readable, asked again after the read     both, and TestInPlaceChangeWithItsTimePutBackIsNotServed
//	probeTrouble closes the handle           TestNoWrongByteOfAShareIsServed, TestConcurrentUse
//	begin waits until a change would show    TestNoWrongByteOfAShareIsServed, TestNoWrongByteOfAFetchIsServed
//	checkPart, before each write             TestNoWrongByteOfAFetchIsServed, TestRegionOfAPartFileChangedByOthers

// checkThousand checks prop with 1,000 random histories.
func checkThousand(t *testing.T, prop func(t *testing.T, rt *rapid.T)) {
	for i := range 10 { // of 100 each, which is what rapid checks
		t.Run(strconv.Itoa(i), func(t *testing.T) { rapid.Check(t, func(rt *rapid.T) { prop(t, rt) }) })
	}
}

// crashTest drives a transfer over a disk that fails and loses power.
//
//	piece   |0        |1        |2        |3        |4   ...
//	file    |a.........|b..|c.............|pad|d.........|e|f|g|h|i...
//
// Pieces, files and the pages of the disk begin and end at different places.
type crashTest struct {
	*bench
	sim  *simDisk
	info *metainfo.Info
	all  []byte
	tr   *Transfer
}

func newCrashTest(t *testing.T) *crashTest {
	entries := []entryOf{
		{path: "a", data: content(1, 3100)},
		{path: "s/b", data: content(2, 700)},
		{path: "s/c", data: content(3, 4000)},
		{path: ".pad/600", data: make([]byte, 600), attr: "p"},
		{path: "d", data: content(4, 2900)},
		{path: "none"},
	}
	// More files than handles, so that handles with unsynced writes are closed.
	for i, name := range []string{"e", "f", "g", "h", "i", "j", "k"} {
		entries = append(entries, entryOf{path: "t/" + name, data: content(uint64(10+i), 500+90*i)})
	}
	c := &crashTest{bench: &bench{t: t, ledger: newMemLedger(), clock: newClock(), dir: "/dl"}, sim: newSimDisk()}
	c.bench.disk = c.sim
	c.cfg.MaxHandles = 1
	c.syncs = 1 // else histories do not repeat
	c.info, c.all = torrentOf(t, "set", 1500, entries...)
	c.restart()
	c.tr = c.open(c.info)
	return c
}

// mishap does what may go wrong, or happen, between two calls of a sync.
func (c *crashTest) mishap(t *rapid.T, f *simFile, syncing bool, pick func() bool) {
	open := false
	for i := range c.tr.files {
		h := c.tr.opened.entries[i].Load()
		open = open || h != nil && h.file == file(f)
	}
	if !open {
		return // it is being closed, for which its file is locked
	}
	what := []string{"", "", "lost", "lost when evicted", "evict"}
	if syncing { // a file that is written is locked
		what = append(what, "hash", "write")
	}
	switch rapid.SampledFrom(what).Draw(t, "mishap") {
	case "lost":
		c.sim.failing = true
		c.sim.background(pick)
		c.sim.failing = false
	case "lost when evicted": // the sync of a handle that has to make room fails
		c.sim.failing = true
		c.store.handles.shrink(&c.tr.opened, rapid.IntRange(1, minHandles).Draw(t, "handles"))
		c.sim.failing = false
	case "evict":
		c.sim.evict(pick)
	case "hash":
		_, _ = c.tr.HashPiece(context.Background(), rapid.IntRange(0, c.info.NumPieces-1).Draw(t, "piece"))
	case "write":
		p := rapid.IntRange(0, c.info.NumPieces-1).Draw(t, "piece")
		c.tr.mu.Lock()
		waits := c.tr.known.stale        // a write would wait for the batch under way
		for i := range c.tr.filesOf(p) { // and so it would to record that it makes or leaves a file
			f := &c.tr.files[i]
			waits = waits || f.state == absent && !f.created || f.state >= final
		}
		c.tr.mu.Unlock()
		if !waits && completion(c.tr, p) == "missing" {
			off := int64(p) * c.info.PieceLength
			if _, err := c.tr.WriteAt(c.all[off:off+c.info.PieceSize(p)], off); err == nil {
				_, _ = c.tr.HashPiece(context.Background(), p)
			}
		}
	}
}

// hashMeanwhile hashes a piece while a sync reads another one to write it again.
func (c *crashTest) hashMeanwhile(t *rapid.T) func() {
	busy := false
	return func() {
		if !busy && rapid.Bool().Draw(t, "hash meanwhile") {
			busy = true
			_, _ = c.tr.HashPiece(context.Background(), rapid.IntRange(0, c.info.NumPieces-1).Draw(t, "piece"))
			busy = false
		}
	}
}

// mustHold checks the promise: after a power cut now, every piece that is durable
// or that the ledger would have trusted is right.
func (c *crashTest) mustHold(t *rapid.T) {
	t.Helper()
	for _, s := range c.tr.DurablePieces() {
		for p := s.From; p < s.To; p++ {
			c.mustBeOnDevice(t, p)
		}
	}
}

func (c *crashTest) mustBeOnDevice(t *rapid.T, p int) {
	t.Helper()
	off := int64(p) * c.info.PieceLength
	want := c.all[off : off+c.info.PieceSize(p)]
	got := make([]byte, len(want))
	_, _ = c.tr.each(off, got, func(i int, at int64, part []byte) (int, error) {
		if !c.tr.onDisk(i) {
			return len(part), nil
		}
		names := c.tr.layout.names[i]
		where := []string{names.final, names.part}
		if u := c.tr.users.of(i); u != nil { // it was left to the user
			if where = []string{names.user}; c.tr.users.spilled(i, p) {
				where = []string{names.part}
			}
		}
		for _, name := range where {
			if n := c.sim.durable["/dl/set/"+name]; n != nil && int64(len(n.disk)) > at {
				copy(part, n.disk[at:])
				break
			}
		}
		return len(part), nil
	})
	if !bytes.Equal(got, want) {
		t.Fatalf("piece %d is called durable, and is not on the device", p)
	}
}

func (c *crashTest) hashUnknown(t *rapid.T) {
	for i := range c.tr.numPieces() {
		if completion(c.tr, i) == "unknown" {
			if _, err := c.tr.HashPiece(context.Background(), i); err != nil && share.KindOf(err) != share.Disk {
				t.Fatalf("hashing: %v", err)
			}
		}
	}
}

// A failed fsync is not believed when it is repeated: the system reported the
// failure once, and has forgotten it.
func TestAFailedSyncIsNotBelievedWhenRetried(t *testing.T) {
	sim := newSimDisk()
	b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), disk: sim, dir: "/dl"}
	b.restart()
	info, all := twoPieces(t)
	tr := b.open(info)
	put(t, tr, all, 0)
	sim.failing = true
	tr.opened.closeFile(0) // as when its handle has to make room
	sim.failing = false
	if err := tr.syncs.syncFiles([]int{0}); !errors.Is(err, ErrBroken) || !tr.dirtyFile(0) {
		t.Fatalf("a sync after one that failed: %v", err)
	}
	tr.opened.closeFile(0)
	if !tr.dirtyFile(0) {
		t.Fatal("closing the file synced what is lost")
	}
	flush(t, tr) // which finds the fault, and ends it
	tr.probe(context.Background())
	if p := tr.Progress(); p.Pieces != 1 || !bytes.Equal(sim.names["/dl/"+tr.layout.names[0].part].disk[:16*kib], all[:16*kib]) {
		t.Fatalf("%+v", p)
	}
}

// A piece that was hashed while another one was written again was not written again
// itself: it does not count with this batch.
func TestWhatAFailedSyncLeftInDoubtIsDropped(t *testing.T) {
	sim := newSimDisk()
	b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), disk: sim, dir: "/dl"}
	b.restart()
	info, all := twoPieces(t)
	tr := b.open(info)
	put(t, tr, all, 0)
	if _, err := tr.WriteAt(all[16*kib:], 16*kib); err != nil { // and not hashed yet
		t.Fatal(err)
	}
	sim.failing = true
	if err := tr.sync(context.Background()); err == nil {
		t.Fatal("the sync did not fail")
	}
	sim.failing = false
	hashed := false
	sim.during = func() {
		if !hashed {
			hashed = true
			if good, err := tr.HashPiece(context.Background(), 1); !good || err != nil {
				t.Errorf("hashing: %v, %v", good, err)
			}
		}
	}
	_ = tr.sync(context.Background())
	sim.during = nil
	if !hashed {
		t.Fatal("nothing was written again")
	}
	part := sim.names["/dl/"+tr.layout.names[0].part]
	if tr.Durable(1) && !bytes.Equal(part.disk[16*kib:20*kib], all[16*kib:]) {
		t.Fatal("a piece is called durable that a failed sync has lost")
	}
	tr.probe(context.Background())
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 2 {
		t.Fatalf("%+v", p)
	}
}

// What a process wrote before it was killed is synced by the next one before it
// counts, even if the record has the part file as it is.
func TestAPartOfAnEarlierProcessIsSyncedBeforeItCounts(t *testing.T) {
	c := newCrashTest(t)
	whole := func(p int) []byte {
		off := int64(p) * c.info.PieceLength
		return c.all[off : off+c.info.PieceSize(p)]
	}
	for _, p := range []int{3, c.info.NumPieces - 1} { // the second write records the stamp after the first
		if _, err := c.tr.WriteAt(whole(p), int64(p)*c.info.PieceLength); err != nil {
			t.Fatal(err)
		}
	}
	c.crash()
	c.tr = c.open(c.info)
	if good, err := c.tr.HashPiece(context.Background(), 3); !good || err != nil {
		t.Fatalf("hashing: %v, %v", good, err)
	}
	flush(t, c.tr)
	c.sim.cut(func() bool { return false })
	c.crash()
	c.tr = c.open(c.info)
	if !c.tr.Durable(3) {
		t.Fatal("the piece is not durable")
	}
	mustRead(t, c.tr, whole(3), 3*c.info.PieceLength)
}

// mustRead reads verified content.
func mustRead(t *testing.T, tr *Transfer, want []byte, off int64) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := tr.ReadAt(got, off); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("reading at %d: %v", off, err)
	}
}

func TestNothingDurableIsEverWrong(t *testing.T) {
	checkThousand(t, func(t *testing.T, rt *rapid.T) {
		c := newCrashTest(t)
		pick := func() bool { return rapid.Bool().Draw(rt, "pick") }
		pieces := rapid.IntRange(0, c.info.NumPieces-1)
		onlyDisk := func(err error) {
			if err != nil && share.KindOf(err) != share.Disk {
				rt.Fatalf("an error that is not of the disk: %v", err)
			}
		}
		write := func(p int, data []byte) {
			if completion(c.tr, p) != "missing" {
				return
			}
			off := int64(p) * c.info.PieceLength
			if _, err := c.tr.WriteAt(data, off); err != nil {
				onlyDisk(err)
				return
			}
			_, err := c.tr.HashPiece(context.Background(), p)
			onlyDisk(err)
		}
		piece := func(p int) []byte {
			off := int64(p) * c.info.PieceLength
			return c.all[off : off+c.info.PieceSize(p)]
		}
		reopen := func() {
			c.tr = c.open(c.info)
			c.hashUnknown(rt)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"right":   func(*rapid.T) { p := pieces.Draw(rt, "piece"); write(p, piece(p)) },
			"right 2": func(*rapid.T) { p := pieces.Draw(rt, "piece"); write(p, piece(p)) },
			"wrong":   func(*rapid.T) { p := pieces.Draw(rt, "piece"); write(p, make([]byte, len(piece(p)))) },
			"not yet hashed": func(*rapid.T) {
				p := pieces.Draw(rt, "piece")
				if completion(c.tr, p) == "missing" {
					_, err := c.tr.WriteAt(piece(p), int64(p)*c.info.PieceLength)
					onlyDisk(err)
				}
			},
			"half": func(*rapid.T) {
				p := pieces.Draw(rt, "piece")
				if completion(c.tr, p) == "missing" {
					_, err := c.tr.WriteAt(piece(p)[:len(piece(p))/2], int64(p)*c.info.PieceLength)
					onlyDisk(err)
				}
			},
			"sync": func(*rapid.T) { onlyDisk(c.tr.sync(context.Background())) },
			"failing sync": func(*rapid.T) {
				c.sim.failing = true
				onlyDisk(c.tr.sync(context.Background()))
				c.sim.failing = false
			},
			"sync with mishaps": func(t *rapid.T) {
				c.sim.mishap = func(f *simFile, syncing bool) { c.mishap(t, f, syncing, pick) }
				c.sim.during = c.hashMeanwhile(t)
				onlyDisk(c.tr.sync(context.Background()))
				c.sim.mishap, c.sim.during = nil, nil
			},
			"sync with mishaps 2": func(t *rapid.T) {
				c.sim.mishap = func(f *simFile, syncing bool) { c.mishap(t, f, syncing, pick) }
				c.sim.during = c.hashMeanwhile(t)
				onlyDisk(c.tr.sync(context.Background()))
				c.sim.mishap, c.sim.during = nil, nil
			},
			"writeback":         func(*rapid.T) { c.sim.background(pick) },
			"failing writeback": func(*rapid.T) { c.sim.failing = true; c.sim.background(pick); c.sim.failing = false },
			"evict":             func(*rapid.T) { c.sim.evict(pick) },
			"probe":             func(*rapid.T) { c.tr.probe(context.Background()); c.hashUnknown(rt) },
			"full":              func(*rapid.T) { c.sim.full = !c.sim.full },
			"ledger fails": func(*rapid.T) {
				c.ledger.fail = diskError("no")
				onlyDisk(c.tr.sync(context.Background()))
				c.ledger.fail = nil
			},
			"time": func(*rapid.T) { c.clock.add(time.Second) },
			"reads": func(*rapid.T) {
				p := pieces.Draw(rt, "piece")
				got := make([]byte, len(piece(p)))
				if _, err := c.tr.ReadAt(got, int64(p)*c.info.PieceLength); err == nil && completion(c.tr, p) == "complete" {
					c.sim.mu.Lock()
					defer c.sim.mu.Unlock()
				}
			},
			"verify": func(*rapid.T) {
				p := pieces.Draw(rt, "piece")
				_, err := c.tr.HashPiece(context.Background(), p)
				onlyDisk(err)
			},
			"recheck": func(*rapid.T) { onlyDisk(c.tr.Recheck(context.Background())); c.hashUnknown(rt) },
			"mend":    func(*rapid.T) { onlyDisk(c.tr.Mend(context.Background())); c.hashUnknown(rt) },
			"close":   func(*rapid.T) { onlyDisk(c.tr.Close(context.Background())); c.restart(); reopen() },
			"kill":    func(*rapid.T) { c.crash(); reopen() },
			"power cut": func(*rapid.T) {
				c.sim.cut(pick)
				c.crash()
				// Nothing has been hashed yet: this is what the ledger says.
				c.tr = c.open(c.info)
				c.mustHold(rt)
				c.hashUnknown(rt)
			},
			"": func(*rapid.T) {
				c.mustHold(rt)
				// Run records a failed sync at once.
				if since, ok := c.store.dirty[&c.tr.job]; ok && since.IsZero() {
					c.tr.batchDue(context.Background())
				}
			},
		})

		// At the end the disk works again, and everything can be fetched.
		c.sim.full = false
		for range 8 {
			c.tr.probe(context.Background())
			onlyDisk(c.tr.Recheck(context.Background()))
			c.hashUnknown(rt)
			for p := range c.info.NumPieces {
				write(p, piece(p))
			}
			onlyDisk(c.tr.sync(context.Background()))
		}
		if p := c.tr.Progress(); p.Pieces != c.info.NumPieces || c.tr.Fault() != nil {
			rt.Fatalf("at the end: %+v of %d pieces, fault %v", p, c.info.NumPieces, c.tr.Fault())
		}
		c.mustHold(rt)
		for i, f := range c.info.Files {
			if !f.Pad && c.sim.durable["/dl/set/"+c.tr.layout.names[i].final] == nil {
				rt.Fatalf("%v is not there under its name", f.Path)
			}
		}
	})
}
