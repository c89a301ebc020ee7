package storage

import (
	"bytes"
	"slices"
	"testing"
)

// usersFile puts a file of the user's where entry i is to be, and has it hashed.
func (p *rig) usersFile(i int, data []byte) {
	n := p.put(p.layout.names[i].final, data)
	p.takeUser(i, p.layout.names[i].final)
	p.rehash(i, stampOf(n.info("")))
	for k := p.pieces(i).From; k < p.pieces(i).To; k++ {
		p.hash(k)
	}
}

// A user's file that is right is used where it is.
func TestSettlerUsesWhatIsRight(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	p.usersFile(0, p.all[:3000])
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := p.userOf(0); u == nil || !u.settled || len(p.outcomes) != 0 {
		t.Errorf("%+v, told %v", u, p.outcomes)
	}
}

// If a user's file is wrong, a file of ours goes beside it, with the right pieces.
// The user's file does not change.
func TestSettlerPutsAFileBeside(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	edited := slices.Clone(p.all[:3000])
	edited[1500] ^= 0x55
	p.usersFile(0, edited)
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.fileOn("a"), edited) || p.userOf(0) != nil || p.stateOf(0) != partial || p.layout.names[0].final != "a (2)" {
		t.Errorf("state %d, %q", p.stateOf(0), p.layout.names[0].final)
	}
	got := p.fileOn(p.layout.names[0].part)
	if len(got) != 3000 || !bytes.Equal(got[:1000], p.all[:1000]) || !bytes.Equal(got[2000:], p.all[2000:3000]) {
		t.Error("what is right was not copied")
	}
	if len(p.outcomes) != 1 || p.outcomes[0].Beside != "/dl/set/a (2)" || p.outcomes[0].Right != 2000 {
		t.Errorf("told %+v", p.outcomes)
	}
	if p.known.have.has(1) || p.known.recorded.hasAny(Span{0, 3}) {
		t.Errorf("right %v, recorded %v", p.known.have.spans(), p.known.recorded.spans())
	}
}

// With adopt, the user's file is completed in place.
func TestSettlerTakesOverWhereAsked(t *testing.T) {
	p := newRig(t, entryOf{path: "a", data: content(1, 3000)}, entryOf{path: "b", data: content(2, 100)})
	p.layout.adopt = true
	p.usersFile(0, p.all[:2000])
	if err := p.fetch.settler.settleUsers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.stateOf(0) != partial || p.layout.names[0].part != "a" || p.files[0].created || !p.known.have.hasAll(Span{0, 2}) {
		t.Errorf("state %d, %+v, made by us: %v", p.stateOf(0), p.layout.names[0], p.files[0].created)
	}
	if len(p.outcomes) != 1 || p.outcomes[0].Beside != "" {
		t.Errorf("told %+v", p.outcomes)
	}
}
