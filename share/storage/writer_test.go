package storage

import (
	"bytes"
	"errors"
	"testing"
)

// No file is made before a record says that it is about to be.
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

// A complete piece is not written again. Nothing is written after a fault or Close.
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
