package storage

import (
	"bytes"
	"slices"
	"testing"
)

// A file gets its final name once all of it is recorded, and a record says so
// first.
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

// Files of 0 bytes are made once everything else is durable, and do not replace
// what is there.
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
