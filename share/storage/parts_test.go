package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// notedClaims says that the paths in taken belong to other transfers, and notes what
// is claimed.
type notedClaims struct {
	taken []string
	more  []string
}

func (c *notedClaims) claimed(path string) bool { return slices.Contains(c.taken, path) }
func (c *notedClaims) claimMore(path string)    { c.more = append(c.more, path) }

// notedFlusher notes which entries it was asked to sync.
type notedFlusher struct{ synced []int }

func (f *notedFlusher) syncOpen(h *handle) error { f.synced = append(f.synced, h.index); return nil }

// notedSaver keeps what was saved last.
type notedSaver struct {
	saves int
	names []byte
	last  Record
	fail  error
	check func() // called by each save
}

func (s *notedSaver) save(_ context.Context, r Record) error {
	if s.check != nil {
		s.check()
	}
	if s.fail != nil {
		return s.fail
	}
	s.saves++
	s.last = r
	if r.Layout != nil {
		s.names = r.Layout
	}
	return nil
}

// rig is the parts of a transfer over a disk in memory, without a Transfer.
type rig struct {
	*memory
	parts
	t      *testing.T
	sim    *simDisk
	asked  *notedAgenda
	claims *notedClaims
	saved  *notedSaver

	all   []byte // the content
	clock time.Duration
}

// newRig makes the parts of a transfer of which nothing is on disk.
func newRig(t *testing.T, entries ...entryOf) *rig {
	m, asked := memoryOf(t, nil, entries...)
	p := &rig{memory: m, t: t, sim: newSimDisk(), asked: asked, claims: &notedClaims{}, saved: &notedSaver{}, clock: time.Hour}
	m.disk = p.sim
	for i := range m.files {
		m.files[i].state, m.files[i].created, m.files[i].stamp = absent, false, stamp{}
	}
	m.known = newPieces(m.numPieces())
	p.join(m, supplies{
		cache: newHandles(minHandles), claims: p.claims, saver: p.saved, clock: func() time.Duration { return p.clock },
		log: slog.New(slog.DiscardHandler), width: 2,
	})
	for _, e := range entries {
		p.all = append(p.all, e.data...)
	}
	return p
}

// complete puts entry i on the disk, complete under its final name.
func (p *rig) complete(i int) *simNode {
	f := &p.info.Files[i]
	n := p.put(p.layout.names[i].final, p.all[f.Offset:f.Offset+f.Length])
	p.files[i].state, p.files[i].created, p.files[i].stamp = final, true, stampOf(n.info(""))
	p.made = true
	return n
}

// hash hashes piece i, and fails where that cannot be done.
func (p *rig) hash(i int) bool {
	p.t.Helper()
	good, err := p.verifier.HashPiece(p.t.Context(), i)
	if err != nil {
		p.t.Fatalf("hashing piece %d: %v", i, err)
	}
	return good
}

// path is a path on the disk below the own folder.
func (p *rig) path(name string) string { return path.Join(p.dir, p.layout.base, name) }

// put makes a file of another program.
func (p *rig) put(name string, data []byte) *simNode {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if dir := path.Dir(p.path(name)); p.sim.names[dir] == nil {
		p.sim.change(simChange{to: dir, node: &simNode{dir: true}})
	}
	n := p.sim.newFile()
	n.data = slices.Clone(data)
	p.sim.change(simChange{to: p.path(name), node: n})
	return n
}

// edit changes a file as another program does.
func (p *rig) edit(n *simNode) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	n.data[0] ^= 0x55
	p.sim.touched(n, true)
}

// write writes to entry i as a block from a peer is written.
func (p *rig) write(i int, data []byte) {
	p.t.Helper()
	h, err := p.opened.acquire(i, true)
	if err != nil {
		p.t.Fatalf("opening entry %d: %v", i, err)
	}
	defer h.unpin()
	if _, err := h.file.WriteAt(data, 0); err != nil {
		p.t.Fatal(err)
	}
	p.wrote(i)
	if err := p.opened.noteStamp(i, h.file); err != nil {
		p.t.Fatal(err)
	}
}

// A file is made for a write alone, in a folder that is made with it.
func TestOpenFilesMakesAFileWhenItIsWritten(t *testing.T) {
	p := newRig(t, setOfThree()...)
	if _, err := p.opened.acquire(0, false); !errors.Is(err, errAbsent) {
		t.Fatalf("opened to be read: %v", err)
	}
	if len(p.sim.names) != 1 {
		t.Errorf("a read has made %d files and folders", len(p.sim.names)-1)
	}
	p.write(0, content(1, 100))
	if p.stateOf(0) != partial || p.sim.names[p.path(p.layout.names[0].part)] == nil {
		t.Errorf("state %d, and no part file", p.stateOf(0))
	}
	h, err := p.opened.acquire(0, false)
	if err != nil || !h.writable {
		t.Fatalf("the handle of an unfinished file serves reads alone: %v", err)
	}
	h.unpin()
}

// What was written is synced before it is closed, since the system tells of a failed
// write only those who have the file open.
func TestOpenFilesSyncsBeforeItCloses(t *testing.T) {
	p := newRig(t, setOfThree()...)
	noted := &notedFlusher{}
	p.opened.flusher = noted
	p.write(0, content(1, 100))
	p.write(1, content(2, 100))
	p.unsynced.drop(1)
	p.opened.closeAll()
	if !slices.Equal(noted.synced, []int{0}) {
		t.Errorf("synced %v", noted.synced)
	}
	if open := len(p.opened.cache.ring); open != 0 {
		t.Errorf("%d are open", open)
	}
}

// A folder that was there and is gone is not made anew: the content would seem to be
// lost, where a disk is not mounted.
func TestOpenFilesMakesTheFolderOnce(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(0, content(1, 100))
	p.opened.closeAll()
	delete(p.sim.names, p.path(""))
	if _, err := p.opened.acquire(1, true); kindOf(err) != ErrMissing {
		t.Errorf("%v", err)
	}
}

// A part name that another program took is left to it.
func TestOpenFilesLeavesAPartNameThatIsTaken(t *testing.T) {
	p := newRig(t, setOfThree()...)
	old := p.layout.names[1].part
	other := p.put(old, []byte("somebody's"))
	if _, err := p.opened.acquire(1, true); !errors.Is(err, errPartTaken) {
		t.Fatalf("%v", err)
	}
	if p.layout.names[1].part == old || !p.relayout || !p.known.stale {
		t.Errorf("%s, to be recorded: %v", p.layout.names[1].part, p.relayout)
	}
	p.write(1, content(2, 100))
	if string(other.data) != "somebody's" {
		t.Error("it was written")
	}
}

// All of an unfinished file that another program changed is hashed again.
func TestOpenFilesSeesThatAPartWasChanged(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(2, content(3, 2300))
	s := p.pieces(2)
	p.known.have.setSpan(s)
	p.edit(p.sim.names[p.path(p.layout.names[2].part)])
	p.opened.closeAll()
	h, err := p.opened.acquire(2, true)
	if err != nil {
		t.Fatal(err)
	}
	h.unpin()
	if !p.known.unknown.hasAll(s) || p.known.have.hasAny(s) {
		t.Errorf("unknown %v, right %v", p.known.unknown.spans(), p.known.have.spans())
	}
}

// New names are free on disk, are no other entry's, and of a single file are claimed.
func TestNamingFindsFreeNames(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.put("a", nil)
	p.put("a (2)", nil)
	if err := p.fetch.naming.nextName(0); err != nil || p.layout.names[0].final != "a (3)" || len(p.claims.more) != 0 {
		t.Errorf("%q, claimed %q, %v", p.layout.names[0].final, p.claims.more, err)
	}
	p.layout.base = ""
	p.claims.taken = []string{"/dl/b (2)"}
	if err := p.fetch.naming.nextName(1); err != nil || p.layout.names[1].final != "b (3)" || !slices.Equal(p.claims.more, []string{"/dl/b (3)"}) {
		t.Errorf("%q, claimed %q, %v", p.layout.names[1].final, p.claims.more, err)
	}
}

// Files are noted as about to be made only where nothing is yet, and each under a
// name that is free.
func TestNamingNotesWhatIsAboutToBeMade(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(1, content(2, 100))
	p.known.stale = false
	taken := p.layout.names[2].part
	p.put(taken, nil)
	if err := p.fetch.naming.intendFiles(0, 2); err != nil {
		t.Fatal(err)
	}
	for i := range p.files {
		if f := &p.files[i]; !f.created || (f.state == absent) != (i != 1) {
			t.Errorf("entry %d: created %v, state %d", i, f.created, f.state)
		}
	}
	if p.layout.names[2].part == taken || !p.known.stale {
		t.Errorf("%s, to be recorded: %v", p.layout.names[2].part, p.known.stale)
	}
}

// What an error of the disk means: nothing, for a file, for the transfer.
func TestFaultsSortsErrors(t *testing.T) {
	p := newRig(t, setOfThree()...)
	if err := p.faults.failed(opRead, 0, 0, ErrHandles); !errors.Is(err, ErrHandles) || p.halt.err() != nil {
		t.Errorf("a read without handles: %v, stopped by %v", err, p.halt.err())
	}
	if err := p.faults.writeFailed(0, 0, ErrClosed); err != ErrClosed || p.halt.err() != nil {
		t.Errorf("a write after Close: %v, stopped by %v", err, p.halt.err())
	}
	p.files[0].state = final
	if err := p.faults.failed(opRead, 0, 0, ErrMissing); !errors.Is(err, ErrMissing) || p.troubles.of(0) == nil || p.halt.err() != nil {
		t.Errorf("a missing file: %v, stopped by %v", err, p.halt.err())
	}
	before := p.asked.posts
	err := p.faults.failed(opWrite, 1, 0, ErrFull)
	if !errors.Is(err, ErrFull) || p.halt.err() == nil || p.asked.posts == before || p.asked.probes == 0 {
		t.Errorf("a full disk: %v, stopped by %v", err, p.halt.err())
	}
	if again := p.faults.failed(opSync, 1, 0, ErrBroken); !errors.Is(again, ErrFull) {
		t.Errorf("while the disk is full: %v", again)
	}
}

// A user's file that is changed before it is decided about is no trouble: it is of no
// use any more.
func TestFaultsLosesAUsersFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	u := p.takeUser(0, "a")
	if err := p.faults.trouble(0, ErrChanged, stamp{}); !errors.Is(err, errAbsent) || !u.lost || p.troubles.count() != 0 {
		t.Errorf("%v, lost %v, %d in trouble", err, u.lost, p.troubles.count())
	}
	u.lost, u.settled = false, true
	if err := p.faults.trouble(0, ErrChanged, stamp{}); !errors.Is(err, ErrChanged) || u.lost || p.troubles.count() != 1 {
		t.Errorf("%v, lost %v, %d in trouble", err, u.lost, p.troubles.count())
	}
}

// A failed sync is told once by the system. The next one succeeds, and counts for
// nothing until the data was written again.
func TestSyncerDoesNotBelieveTheSecondSync(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(0, content(1, 1500))
	p.write(2, content(3, 2300))
	p.known.have.setSpan(Span{0, 4})
	p.sim.failing = true
	p.sim.background(func() bool { return true })
	p.sim.failing = false
	p.write(1, content(2, 200))
	files := p.unsynced.take()
	if err := p.syncs.syncFiles(files); err == nil {
		t.Fatal("the device has lost writes")
	}
	if !p.unsynced.failed(0) || !p.unsynced.failed(2) || p.unsynced.failed(1) || p.dirtyFile(1) {
		t.Error("it is not known which file could not be synced")
	}
	if err := p.syncs.syncFile(0); err == nil || !p.dirtyFile(0) {
		t.Errorf("the second sync: %v", err)
	}
	if !p.known.tainted.hasAll(Span{0, 4}) {
		t.Errorf("in doubt: %v", p.known.tainted.spans())
	}
}

// Names are synced in each folder, and again where that failed.
func TestSyncerSyncsFolders(t *testing.T) {
	p := newRig(t, entryOf{path: "s/a", data: content(1, 100)}, entryOf{path: "b", data: content(2, 100)})
	p.write(0, content(1, 100))
	delete(p.sim.names, "/dl/set")
	p.opened.closeAll()
	if err := p.syncs.syncDirs(); err == nil || p.unsynced.empty() {
		t.Fatalf("without the folder: %v", err)
	}
	p.sim.names["/dl/set"] = &simNode{dir: true}
	p.unsynced.take()
	if err := p.syncs.syncDirs(); err != nil || !p.unsynced.empty() {
		t.Errorf("%v, left %v", err, p.unsynced.dirs)
	}
}

// A complete file is compared with its stamp before it is read, and not more often
// than every lookEvery.
func TestWatcherLooksNowAndThen(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(0)
	if err := p.watch.lookIfDue(0); err != nil {
		t.Fatal(err)
	}
	p.edit(n)
	if err := p.watch.lookIfDue(0); err != nil {
		t.Errorf("it was looked at twice at once: %v", err)
	}
	p.clock += lookEvery
	if err := p.watch.lookIfDue(0); !errors.Is(err, ErrChanged) || p.troubles.of(0) == nil {
		t.Errorf("%v", err)
	}
}

// What a look finds: a file that is as it was, one that may be, another one, none.
func TestWatcherTellsWhatBecameOfAFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(2)
	s := p.pieces(2)
	p.known.have.setSpan(s)
	p.known.recorded.setSpan(s)
	for _, x := range []struct {
		what    string
		do      func()
		err     error
		doubt   bool
		trouble bool
	}{
		{"nothing", func() {}, nil, false, false},
		{"a chmod", func() { p.sim.touched(n, false) }, nil, true, false},
		{"a write", func() { p.edit(n) }, ErrChanged, true, true},
		{"removed", func() { delete(p.sim.names, p.path("c")) }, ErrMissing, true, true},
	} {
		x.do()
		if err := p.watch.look(2); !errors.Is(err, x.err) || p.files[2].doubt != x.doubt || (p.troubles.of(2) != nil) != x.trouble {
			t.Errorf("%s: %v, doubt %v, trouble %v", x.what, err, p.files[2].doubt, p.troubles.of(2))
		}
	}
}

// A file in trouble is trusted at once when it is as it was, and hashed when it is
// another one that keeps still.
func TestWatcherProbesTroubles(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(2)
	s := p.pieces(2)
	p.known.have.setSpan(s)
	delete(p.sim.names, p.path("c"))
	_ = p.watch.look(2)
	p.sim.names[p.path("c")] = n
	if p.watch.probeTroubles(); p.troubles.count() != 0 || p.known.unknown.hasAny(s) || p.known.held.hasAny(s) {
		t.Errorf("it is as it was: %d in trouble, unknown %v", p.troubles.count(), p.known.unknown.spans())
	}
	p.edit(n)
	_ = p.watch.look(2)
	p.edit(n)
	if p.watch.probeTroubles(); p.troubles.count() != 1 {
		t.Error("it is hashed while somebody writes to it")
	}
	if p.watch.probeTroubles(); p.troubles.count() != 0 || !p.known.unknown.hasAll(s) {
		t.Errorf("it keeps still: %d in trouble, unknown %v", p.troubles.count(), p.known.unknown.spans())
	}
}

// A file under a part name is only ours if that was recorded.
func TestWatcherFindsWhatIsOurs(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.put(p.layout.names[0].part, []byte("part"))
	p.put("b", []byte("user's"))
	if found := p.watch.find(0); found.state != absent {
		t.Errorf("a file with the part name that nobody recorded: state %d", found.state)
	}
	p.files[0].created = true
	if found := p.watch.find(0); found.state != partial || found.stamp.size != 4 {
		t.Errorf("a part file: state %d", found.state)
	}
	if found := p.watch.find(1); found.state != users || found.name != "b" {
		t.Errorf("the user's file: state %d, %q", found.state, found.name)
	}
}

// What is fetched of a piece beside a user's file is read from the spill, all else
// from the file.
func TestReaderReadsAroundTheUsersFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.complete(0)
	p.put("c", bytes.Repeat([]byte("u"), 2300))
	p.files[2].state, p.files[2].stamp = users, stamp{}
	u := p.takeUser(2, "c")
	u.spill, u.made, u.head = true, true, true
	p.put(p.layout.names[2].part, bytes.Repeat([]byte("s"), 300))
	got := make([]byte, 1300)
	if _, err := p.reader.readFile(2, 0, got); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("s", 300) + strings.Repeat("u", 1000); string(got) != want {
		t.Errorf("%q", got)
	}
	if n, err := p.reader.read(got, 1600); err == nil || n != 0 {
		t.Errorf("%d bytes of an entry that is not there: %v", n, err)
	}
}

// The verdicts on pieces: right, wrong, and not known where the disk does not read.
func TestVerifierNotesVerdicts(t *testing.T) {
	p := newRig(t, setOfThree()...)
	for i := range p.files {
		p.complete(i)
	}
	p.edit(p.sim.names[p.path("c")])
	p.files[2].stamp = stampOf(p.sim.names[p.path("c")].info(""))
	p.known.reverify(Span{0, 4})
	for i, want := range []bool{true, false, true, true} {
		if good := p.hash(i); good != want || p.known.have.has(i) != want || p.known.unknown.has(i) {
			t.Errorf("piece %d: %v, unknown %v", i, good, p.known.unknown.has(i))
		}
	}
	p.sim.dead = true
	if _, err := p.verifier.HashPiece(t.Context(), 0); !errors.Is(err, ErrBroken) || !p.known.have.has(0) {
		t.Errorf("%v, and right before: %v", err, p.known.have.has(0))
	}
}

// Only what is right is read for peers; what is in doubt is hashed before.
func TestVerifierReadsWhatIsRight(t *testing.T) {
	p := newRig(t, setOfThree()...)
	for i := range p.files {
		p.complete(i)
	}
	got := make([]byte, 1200)
	if _, err := p.verifier.ReadAt(got, 0); !errors.Is(err, errAbsent) {
		t.Errorf("before it is known to be right: %v", err)
	}
	for i := range p.numPieces() {
		p.hash(i)
	}
	if _, err := p.verifier.ReadAt(got, 0); err != nil || !bytes.Equal(got, p.all[:1200]) {
		t.Errorf("%v", err)
	}
	n := p.sim.names[p.path("a")]
	n.data[1100] ^= 0x55 // with its mtime put back
	p.sim.touched(n, false)
	p.clock += lookEvery
	if _, err := p.verifier.ReadAt(got, 0); err == nil {
		t.Error("a wrong byte was read")
	}
	if !p.known.have.has(0) || p.known.have.has(1) {
		t.Errorf("right are %v", p.known.have.spans())
	}
	if n, err := p.verifier.ReadAt(got, p.info.Total); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}
