package storage

import (
	"errors"
	"testing"
)

// A complete file is compared with its stamp when it is read, at most once per
// lookEvery.
func TestWatcherLooksNowAndThen(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(0)
	if err := p.watch.lookIfDue(0); err != nil {
		t.Fatal(err)
	}
	p.edit(n)
	if err := p.watch.lookIfDue(0); err != nil {
		t.Errorf("it was looked at twice at once: %v", err)
	}
	p.clock += lookEvery
	if err := p.watch.lookIfDue(0); !errors.Is(err, ErrChanged) || p.troubles.of(0) == nil {
		t.Errorf("%v", err)
	}
}

// What a look finds: a file that is unchanged, may have changed, has changed, or is
// missing.
func TestWatcherTellsWhatBecameOfAFile(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(2)
	s := p.pieces(2)
	p.known.have.setSpan(s)
	p.known.recorded.setSpan(s)
	for _, x := range []struct {
		what    string
		do      func()
		err     error
		doubt   bool
		trouble bool
	}{
		{"nothing", func() {}, nil, false, false},
		{"a chmod", func() { p.sim.touched(n, false) }, nil, true, false},
		{"a write", func() { p.edit(n) }, ErrChanged, true, true},
		{"removed", func() { delete(p.sim.names, p.path("c")) }, ErrMissing, true, true},
	} {
		x.do()
		if err := p.watch.look(2); !errors.Is(err, x.err) || p.files[2].doubt != x.doubt || (p.troubles.of(2) != nil) != x.trouble {
			t.Errorf("%s: %v, doubt %v, trouble %v", x.what, err, p.files[2].doubt, p.troubles.of(2))
		}
	}
}

// A file in trouble is trusted at once if it is as it was. If it is another one, it
// is hashed once it stops changing.
func TestWatcherProbesTroubles(t *testing.T) {
	p := newRig(t, setOfThree()...)
	n := p.complete(2)
	s := p.pieces(2)
	p.known.have.setSpan(s)
	delete(p.sim.names, p.path("c"))
	_ = p.watch.look(2)
	p.sim.names[p.path("c")] = n
	if p.watch.probeTroubles(); p.troubles.count() != 0 || p.known.unknown.hasAny(s) || p.known.held.hasAny(s) {
		t.Errorf("it is as it was: %d in trouble, unknown %v", p.troubles.count(), p.known.unknown.spans())
	}
	p.edit(n)
	_ = p.watch.look(2)
	p.edit(n)
	if p.watch.probeTroubles(); p.troubles.count() != 1 {
		t.Error("it is hashed while somebody writes to it")
	}
	if p.watch.probeTroubles(); p.troubles.count() != 0 || !p.known.unknown.hasAll(s) {
		t.Errorf("it keeps still: %d in trouble, unknown %v", p.troubles.count(), p.known.unknown.spans())
	}
}

// A file with a part name is ours only if that is recorded.
func TestWatcherFindsWhatIsOurs(t *testing.T) {
	p := newRig(t, setOfThree()...)
	p.put(p.layout.names[0].part, []byte("part"))
	p.put("b", []byte("user's"))
	if found := p.watch.find(0); found.state != absent {
		t.Errorf("a file with the part name that nobody recorded: state %d", found.state)
	}
	p.files[0].created = true
	if found := p.watch.find(0); found.state != partial || found.stamp.size != 4 {
		t.Errorf("a part file: state %d", found.state)
	}
	if found := p.watch.find(1); found.state != users || found.name != "b" {
		t.Errorf("the user's file: state %d, %q", found.state, found.name)
	}
}
