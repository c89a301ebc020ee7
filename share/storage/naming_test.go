package storage

import (
	"slices"
	"testing"
)

// New names are free on disk and used by no other entry. Those of a single file are
// claimed.
func TestNamingFindsFreeNames(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.put("a", nil)
	p.put("a (2)", nil)
	if err := p.fetch.naming.nextName(0); err != nil || p.layout.names[0].final != "a (3)" || len(p.claims.more) != 0 {
		t.Errorf("%q, claimed %q, %v", p.layout.names[0].final, p.claims.more, err)
	}
	p.layout.base = ""
	p.claims.taken = []string{"/dl/b (2)"}
	if err := p.fetch.naming.nextName(1); err != nil || p.layout.names[1].final != "b (3)" || !slices.Equal(p.claims.more, []string{"/dl/b (3)"}) {
		t.Errorf("%q, claimed %q, %v", p.layout.names[1].final, p.claims.more, err)
	}
}

// Only absent files are noted as about to be made, and each has a free name.
func TestNamingNotesWhatIsAboutToBeMade(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.write(1, content(2, 100))
	p.known.stale = false
	taken := p.layout.names[2].part
	p.put(taken, nil)
	if err := p.fetch.naming.intendFiles(0, 2); err != nil {
		t.Fatal(err)
	}
	for i := range p.files {
		if f := &p.files[i]; !f.created || (f.state == absent) != (i != 1) {
			t.Errorf("entry %d: created %v, state %d", i, f.created, f.state)
		}
	}
	if p.layout.names[2].part == taken || !p.known.stale {
		t.Errorf("%s, to be recorded: %v", p.layout.names[2].part, p.known.stale)
	}
}
