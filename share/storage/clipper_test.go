package storage

import "testing"

// The part file of an unwanted file is deleted, and its piece stays durable for the
// wanted file.
func TestClipperDeletesWhatIsNotWanted(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 1500)}, entryOf{path: "b", data: content(2, 500)})
	p.fetchPiece(0)
	p.fetchPiece(1)
	p.batch()
	p.complete(0)
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
