package storage

import (
	"errors"
	"testing"
)

// A piece is durable once its record is saved, and not if that fails.
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

// Names that changed are saved with the next record that succeeds.
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
