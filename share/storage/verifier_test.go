package storage

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// A hash says that a piece is right or wrong. If the disk cannot read it, nothing
// changes.
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

// Only right pieces are read for peers. A piece in doubt is hashed first.
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
