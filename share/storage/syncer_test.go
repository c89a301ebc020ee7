package storage

import "testing"

// The system reports a failed sync once. The next sync succeeds, and does not count
// until the data is written again.
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

// Names are synced in each folder, and again if that fails.
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
