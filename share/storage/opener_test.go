package storage

import (
	"slices"
	"testing"
)

// opener returns an opener over a Store that has no other transfer.
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

// A transfer that is opened again trusts files that are as recorded, and holds
// files that are missing.
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
