package storage

import (
	"slices"
	"testing"
)

// After a failed sync, what can be read is written again and counts after the next
// sync. What is wrong is fetched again.
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
