package storage

import (
	"errors"
	"slices"
	"testing"
)

// A file is made only to be written, and its folder with it.
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

// A file that was written is synced before it is closed: the system reports a
// failed write only to those who have the file open.
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

// A folder that was there and is gone is not made again: if its disk is not
// mounted, the content would seem to be lost.
func TestOpenFilesMakesTheFolderOnce(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(0, content(1, 100))
	p.opened.closeAll()
	delete(p.sim.names, p.path(""))
	if _, err := p.opened.acquire(1, true); kindOf(err) != ErrMissing {
		t.Errorf("%v", err)
	}
}

// A file of another program that has our part name is not touched.
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

// An unfinished file that another program changed is hashed again.
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
