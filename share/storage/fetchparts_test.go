package storage

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// fetchPiece writes piece i as it comes from peers, and hashes it.
func (p *rig) fetchPiece(i int) {
	p.t.Helper()
	off := int64(i) * p.info.PieceLength
	if _, err := p.fetch.writer.write(p.all[off:off+p.info.PieceSize(i)], off); err != nil {
		p.t.Fatalf("writing piece %d: %v", i, err)
	}
	if !p.hash(i) {
		p.t.Fatalf("piece %d is wrong", i)
	}
}

// batch syncs and records what is complete, and returns what was pending.
func (p *rig) batch() *batch {
	p.t.Helper()
	b := p.startBatch(nil, p.unsynced.failures)
	if b == nil {
		p.t.Fatal("there is nothing to sync")
	}
	err := p.syncs.syncFiles(b.dirty)
	p.endSyncs(b, err)
	if err = cmpErr(err, p.syncs.syncDirs()); err != nil {
		p.t.Fatal(err)
	}
	p.watch.stampFiles(b.dirty)
	if err := p.records.record(p.t.Context(), b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// progress is what was saved last.
func (p *rig) progress() *progress {
	p.t.Helper()
	got, err := decodeProgress(p.saved.last.Progress, p.info)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// fileOn is the content of a file, or nil.
func (p *rig) fileOn(name string) []byte {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if n := p.sim.names[p.path(name)]; n != nil {
		return append([]byte{}, n.data...)
	}
	return nil
}

// A piece is durable once the record of it was saved, and not when that failed.
func TestRecorderSavesBeforeAPieceIsDurable(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	p.saved.check = func() {
		if p.known.isDurable(0) {
			t.Error("it is durable before that was saved")
		}
	}
	p.batch()
	p.saved.check = nil
	if !p.known.isDurable(0) || !p.progress().recorded.has(0) || p.known.stale {
		t.Errorf("durable %v, stale %v", p.known.isDurable(0), p.known.stale)
	}
	p.fetchPiece(1)
	p.saved.fail = errors.New("no")
	b := p.startBatch(nil, 0)
	if err := p.records.record(t.Context(), b); err == nil || p.known.isDurable(1) || !p.known.stale || p.halt.fault == nil || p.halt.fault.op != opRecord {
		t.Errorf("%v; durable %v, to be saved again %v", err, p.known.isDurable(1), p.known.stale)
	}
}

// Names are saved with the record after they changed, until that succeeded.
func TestRecorderSavesNamesThatChanged(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.relayout, p.known.stale = true, true
	p.saved.fail = errors.New("no")
	_ = p.records.unrecordNow()
	if !p.relayout {
		t.Error("the names are forgotten")
	}
	p.saved.fail = nil
	if err := p.records.unrecordNow(); err != nil || p.relayout || p.saved.names == nil {
		t.Errorf("%v, saved %v", err, p.saved.names)
	}
	saves := p.saved.saves
	if err := p.records.unrecordNow(); err != nil || p.saved.saves != saves {
		t.Errorf("%v, %d saves for nothing", err, p.saved.saves-saves)
	}
}

// No file is made before the record says that it is about to be.
func TestWriterRecordsBeforeItMakes(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.saved.check = func() {
		if len(p.sim.names) > 1 {
			t.Error("something is on the disk")
		}
	}
	p.fetchPiece(1)
	got := p.progress()
	if len(got.files) != 3 || got.files[0].state != absent || !got.files[0].created {
		t.Errorf("recorded %+v", got.files)
	}
	for i := range p.files {
		if p.stateOf(i) != partial {
			t.Errorf("entry %d: state %d", i, p.stateOf(i))
		}
	}
}

// The ledger never calls a piece durable while it is written.
func TestWriterTakesBackWhatItChanges(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	p.batch()
	if err := p.fetch.writer.mayWrite(Span{0, 1}); err != nil || p.progress().recorded.has(0) || p.known.isDurable(0) {
		t.Errorf("%v, recorded %v", err, p.progress().recorded.spans())
	}
}

// What is complete is not written again, and nothing is while the transfer stands
// still or a file is in trouble.
func TestWriterRefuses(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	if n, err := p.fetch.writer.write(make([]byte, 1000), 0); n != 1000 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got := p.fileOn(p.layout.names[0].part); !bytes.Equal(got[:1000], p.all[:1000]) {
		t.Error("a complete piece was written")
	}
	_ = p.faults.failed(opWrite, 0, 0, ErrFull)
	if _, err := p.fetch.writer.write(p.all[1000:2000], 1000); !errors.Is(err, ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	if _, err := p.fetch.writer.write(p.all, 1); err == nil {
		t.Error("beyond the end")
	}
	p.closed = true
	if _, err := p.fetch.writer.write(p.all[1000:2000], 1000); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// usersFile puts a file of the user's where entry i is to be, and has it hashed.
func (p *rig) usersFile(i int, data []byte) {
	n := p.put(p.layout.names[i].final, data)
	p.takeUser(i, p.layout.names[i].final)
	p.rehash(i, stampOf(n.info("")))
	for k := p.pieces(i).From; k < p.pieces(i).To; k++ {
		p.hash(k)
	}
}

// A file of the user's that is right is used where it is.
func TestSettlerUsesWhatIsRight(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	p.usersFile(0, p.all[:3000])
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := p.userOf(0); u == nil || !u.settled || len(p.outcomes) != 0 {
		t.Errorf("%+v, told %v", u, p.outcomes)
	}
}

// Beside a file of the user's that is not right goes one of ours, with what is right
// of it, and the user's stays as it is.
func TestSettlerPutsAFileBeside(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	edited := slices.Clone(p.all[:3000])
	edited[1500] ^= 0x55
	p.usersFile(0, edited)
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.fileOn("a"), edited) || p.userOf(0) != nil || p.stateOf(0) != partial || p.layout.names[0].final != "a (2)" {
		t.Errorf("state %d, %q", p.stateOf(0), p.layout.names[0].final)
	}
	got := p.fileOn(p.layout.names[0].part)
	if len(got) != 3000 || !bytes.Equal(got[:1000], p.all[:1000]) || !bytes.Equal(got[2000:], p.all[2000:3000]) {
		t.Error("what is right was not copied")
	}
	if len(p.outcomes) != 1 || p.outcomes[0].Beside != "/dl/set/a (2)" || p.outcomes[0].Right != 2000 {
		t.Errorf("told %+v", p.outcomes)
	}
	if p.known.have.has(1) || p.known.recorded.hasAny(Span{0, 3}) {
		t.Errorf("right %v, recorded %v", p.known.have.spans(), p.known.recorded.spans())
	}
}

// Where that was asked for, the user's file is completed in place.
func TestSettlerTakesOverWhereAsked(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	p.layout.adopt = true
	p.usersFile(0, p.all[:2000])
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.stateOf(0) != partial || p.layout.names[0].part != "a" || p.files[0].created || !p.known.have.hasAll(Span{0, 2}) {
		t.Errorf("state %d, %+v, made by us: %v", p.stateOf(0), p.layout.names[0], p.files[0].created)
	}
	if len(p.outcomes) != 1 || p.outcomes[0].Beside != "" {
		t.Errorf("told %+v", p.outcomes)
	}
}

// After a failed sync, what can be read is written again and counts once it was
// synced; what the device has lost is fetched again.
func TestHealerWritesAgain(t *testing.T) {
	p := newRig(t, setOfThree()...)
	for i := range p.numPieces() {
		p.fetchPiece(i)
	}
	p.sim.failing = true
	p.sim.background(func() bool { return true })
	p.sim.failing = false
	if err := p.syncs.syncFiles(p.unsynced.take()); err == nil {
		t.Fatal("the device has lost writes")
	}
	p.halt.fault = nil // a probe has succeeded
	p.sim.names[p.path(p.layout.names[2].part)].data[2000] ^= 1
	p.known.stale = false
	failures := p.unsynced.failures
	healed, err := p.fetch.healer.heal(t.Context(), failures)
	if err != nil {
		t.Fatal(err)
	}
	if got := healed.spans(); !slices.Equal(got, []Span{{0, 3}}) || p.known.have.has(3) || p.unsynced.sick {
		t.Errorf("healed %v, right %v", got, p.known.have.spans())
	}
	if p.known.isDurable(0) {
		t.Error("it counts before it was synced again")
	}
}

// A file gets its final name when all of it is recorded, and that it is about to is
// recorded before.
func TestPublisherNamesWhatIsRecorded(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	p.fetchPiece(1)
	p.batch()
	if ready := p.fetch.publisher.readyToName(newBitmap(p.numPieces())); len(ready) != 0 {
		t.Fatalf("left over are %v", ready)
	}
	pending := newBitmap(p.numPieces())
	pending.setSpan(Span{0, 2})
	ready := p.fetch.publisher.readyToName(pending)
	if !slices.Equal(ready, []int{0, 1}) {
		t.Fatalf("complete are %v", ready)
	}
	p.known.stale = true
	if err := p.records.unrecordNow(); err != nil || !p.progress().files[0].naming {
		t.Fatalf("%v; what is recorded: %+v", err, p.progress().files)
	}
	p.put("b", []byte("somebody's"))
	if err := p.fetch.publisher.publish(t.Context(), ready); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.fileOn("a"), p.all[:1500]) || string(p.fileOn("b")) != "somebody's" || !bytes.Equal(p.fileOn("b (2)"), p.all[1500:1700]) {
		t.Errorf("%q", p.layout.names)
	}
	if p.stateOf(0) != final || p.stateOf(1) != final || p.files[0].naming || p.fileOn(p.layout.names[0].part) != nil {
		t.Errorf("states %d and %d", p.stateOf(0), p.stateOf(1))
	}
}

// Files without bytes are made when all else is durable, and not over what is there.
func TestPublisherMakesWhatIsEmpty(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 500)}, entryOf{path: "none"}, entryOf{path: "s/none"})
	if err := p.fetch.publisher.finishIfComplete(t.Context()); err != nil || len(p.sim.names) != 1 {
		t.Fatalf("too early: %v, %d files", err, len(p.sim.names)-1)
	}
	p.fetchPiece(0)
	p.batch()
	p.put("none", []byte("somebody's"))
	if err := p.fetch.publisher.finishIfComplete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if string(p.fileOn("none")) != "somebody's" || p.fileOn("s/none") == nil || p.stateOf(1) == final || p.stateOf(2) != final || !p.emptied {
		t.Errorf("states %d and %d", p.stateOf(1), p.stateOf(2))
	}
}

// The part file of a file that is not wanted goes, and its piece stays durable for
// the wanted one.
func TestClipperDeletesWhatIsNotWanted(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 1500)}, entryOf{path: "b", data: content(2, 500)})
	p.fetchPiece(0)
	p.fetchPiece(1)
	p.batch()
	wantA := func(i int) bool { return i == 0 }
	if err := p.fetch.clipper.clip(wantA); err != nil {
		t.Fatal(err)
	}
	if p.fileOn(p.layout.names[1].part) != nil || p.stateOf(1) != absent || !p.known.clipped.has(1) || !p.known.isDurable(1) {
		t.Errorf("state %d, clipped %v", p.stateOf(1), p.known.clipped.spans())
	}
	if known, _ := p.known.completion(1); known {
		t.Error("the piece is offered to peers")
	}
	if !p.progress().clipped.has(1) {
		t.Error("that is not recorded")
	}
}

// opener of the rig, over a Store that has nothing else.
func (p *rig) opener() *opener {
	p.t.Helper()
	s, err := newStore(Config{Ledger: newMemLedger()}, p.sim)
	if err != nil {
		p.t.Fatal(err)
	}
	return &opener{memory: p.memory, store: s, watch: &p.watch, faults: &p.faults}
}

// A new transfer takes a file that is there for the user's, and all of it has to be
// hashed.
func TestOpenerPlansAroundWhatIsThere(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.put("c", p.all[1700:])
	p.sim.names[p.path("")] = &simNode{dir: true}
	p.layout = nil
	p.opener().plan(Spec{}, nil)
	if p.stateOf(2) != users || p.stateOf(0) != absent || !slices.Equal(p.known.unknown.spans(), []Span{{2, 4}}) {
		t.Errorf("states %d and %d, unknown %v", p.stateOf(2), p.stateOf(0), p.known.unknown.spans())
	}
}

// A transfer that is opened again trusts what is as it was recorded, and holds what
// is missing.
func TestOpenerComparesWithTheRecord(t *testing.T) {
	p := newRig(t, setOfThree()...)
	for i := range p.numPieces() {
		p.fetchPiece(i)
	}
	p.relayout = true
	b := p.batch()
	if err := p.fetch.publisher.publish(t.Context(), p.fetch.publisher.readyToName(b.pending)); err != nil {
		t.Fatal(err)
	}
	rec := &Record{ID: p.info.ID, Layout: p.saved.names, Progress: p.saved.last.Progress}
	delete(p.sim.names, p.path("c"))
	next := newRig(t, setOfThree()...)
	next.sim, next.disk = p.sim, p.sim
	if err := next.opener().restore(rec, Spec{}); err != nil {
		t.Fatal(err)
	}
	if next.stateOf(0) != final || next.troubles.of(2) == nil || next.troubles.count() != 1 {
		t.Errorf("state %d, %v in trouble", next.stateOf(0), next.troubles.list())
	}
	if next.known.isDurable(1) || !next.known.isDurable(0) || next.known.unknown.count() != 0 {
		t.Errorf("durable %v, unknown %v", next.known.durable().spans(), next.known.unknown.spans())
	}
	if err := next.opener().restore(&Record{Layout: rec.Layout, Progress: rec.Progress[:3]}, Spec{}); err == nil {
		t.Error("a record that ends too soon")
	}
}

// A probe finds out whether the disk works again, and leaves nothing.
func TestProberTriesTheDisk(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.fetchPiece(0)
	before := len(p.sim.names)
	try := prober{memory: p.memory, opened: &p.opened}
	p.sim.full = true
	if err := try.attempt(&fault{op: opWrite, file: -1}); kindOf(err) != ErrFull {
		t.Errorf("a full disk: %v", err)
	}
	p.sim.full = false
	p.sim.dead = true
	if err := try.attempt(&fault{op: opRead, file: 0}); kindOf(err) != ErrBroken {
		t.Errorf("a disk that does not read: %v", err)
	}
	p.sim.dead = false
	for _, o := range []op{opRead, opWrite, opSync, opRecord} {
		if err := try.attempt(&fault{op: o, file: 0}); err != nil {
			t.Errorf("op %d: %v", o, err)
		}
	}
	if len(p.sim.names) != before {
		t.Errorf("%d files are left", len(p.sim.names)-before)
	}
}
