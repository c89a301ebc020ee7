package engine

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// A share is found by its provisional ID, by the one that it will have and by the
// one that it has, at every stage.
func TestRegisterFindsShares(t *testing.T) {
	r := newRegister()
	provisional, id := share.ID{1}, share.ID{2}
	tr := &transfer{row: row{id: provisional}}
	found := func(stage string, one, two *transfer) {
		t.Helper()
		if a, b := r.find(provisional), r.find(id); a != one || b != two {
			t.Errorf("%s: %v and %v", stage, a, b)
		}
	}
	found("nothing", nil, nil)
	r.add(tr)
	found("not hashed", tr, nil)
	for range 2 {
		if !r.hash(tr, id) {
			t.Error("it is not to have its ID")
		}
	}
	if r.hash(new(transfer), id) {
		t.Error("two shares are to have one ID")
	}
	found("hashed", tr, tr)
	r.replace(tr, id)
	tr.id = id
	r.add(tr)
	r.unhash(id)
	found("made", tr, tr)
	if !r.has(tr) || r.has(&transfer{row: row{id: id}}) {
		t.Error("another is taken for it")
	}
	r.drop(tr)
	found("removed", nil, nil)

	// Its content has another name, which is the key of one that stopped.
	n := names{V1: id, V2: share.V2{4}}
	other := &transfer{row: row{id: n.V2.ID()}}
	r.add(other)
	r.add(tr)
	if r.rival(tr, n) != other || r.rival(other, names{V1: id}) != tr || r.rival(tr, names{V1: id}) != nil {
		t.Error("it is not known who has a name")
	}
	r.name(tr, n)
	if r.find(other.id) != other || r.named(other.id) != tr || r.first([]share.ID{{9}, id}) != tr {
		t.Error("a stopped one is taken for the other")
	}
	if r.drop(tr) != other || r.named(other.id) != other {
		t.Error("the one that stopped does not have its key back")
	}
	r.drop(other)
	r.add(tr)
	found("with two names", tr, tr)
	if r.find(n.V2.ID()) != tr || r.drop(tr) != nil || r.find(n.V2.ID()) != nil {
		t.Error("it is not found by its other name, or when it is gone")
	}
	tr.options.Names = nil

	// Removed before it was made.
	r.add(tr)
	tr.making.made = &metainfo.Made{Torrent: &metainfo.Torrent{Info: &metainfo.Info{ID: share.ID{3}}}}
	r.hash(tr, share.ID{3})
	r.drop(tr)
	if r.find(share.ID{3}) != nil {
		t.Error("it is found although removed")
	}
}

func TestRegisterForgetsFailures(t *testing.T) {
	r := newRegister()
	for i := range 2 * maxFailures {
		id := share.ID{byte(i), byte(i >> 8)}
		r.fail(share.Transfer{ID: id, Name: "f"})
		if r.failed[id].Name != "f" || len(r.failed) > maxFailures {
			t.Fatalf("after %d: %d are known, among them %+v", i+1, len(r.failed), r.failed[id])
		}
	}
}

func TestRegisterSortsByAge(t *testing.T) {
	r := newRegister()
	now := time.Unix(1_700_000_000, 0)
	for i := range 20 {
		r.add(&transfer{row: row{id: share.ID{byte(20 - i)}, added: now.Add(time.Duration(i/2) * time.Second)}})
	}
	all := r.sorted()
	for i, tr := range all[1:] {
		if was := all[i]; tr.added.Before(was.added) || tr.added.Equal(was.added) && tr.id[0] < was.id[0] {
			t.Errorf("%v comes after %v", tr.id, was.id)
		}
	}
	if len(all) != 20 {
		t.Errorf("%d of 20", len(all))
	}
}
