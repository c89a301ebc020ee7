package storage

import (
	"bytes"
	"slices"
	"testing"
)

// removeCase is one file and what becomes of it when its data is removed.
type removeCase struct {
	name    string
	file    removable
	have    bool // its piece was right
	content []byte
	user    string // the name of the user's file
	keeps   bool
}

// What the transfer made is deleted if it is unchanged. Everything else stays.
func TestRemoverDeletesOnlyWhatTheTransferMade(t *testing.T) {
	right := content(1, 1000)
	wrong := bytes.Clone(right)
	wrong[5] ^= 1
	same := stamp{1000, 50, 60, 70}
	for _, c := range []removeCase{
		{name: "unfinished", file: removable{state: partial, created: true}, content: wrong},
		{name: "complete", file: removable{state: final, created: true, stamp: same}, have: true, content: right},
		{name: "complete, of an old record", file: removable{state: final, created: true, stamp: stamp{size: 1000, mtime: 50}}, have: true, content: right},
		{name: "written since", file: removable{state: final, created: true, stamp: stamp{1000, 49, 60, 70}}, have: true, content: right, keeps: true},
		{name: "another file in its place", file: removable{state: final, created: true, stamp: stamp{1000, 50, 60, 71}}, have: true, content: right, keeps: true},
		{name: "its mode changed", file: removable{state: final, created: true, stamp: stamp{1000, 50, 59, 70}}, have: true, content: right},
		{name: "changed, and its mtime put back", file: removable{state: final, created: true, stamp: stamp{1000, 50, 59, 70}}, have: true, content: wrong, keeps: true},
		{name: "changed, as a hash has found", file: removable{state: final, created: true, suspect: true, stamp: same}, content: wrong, keeps: true},
		{name: "shorter", file: removable{state: final, created: true, stamp: same}, have: true, content: right[:10], keeps: true},
		{name: "completed in place", file: removable{state: final, stamp: same}, have: true, content: right, keeps: true},
		{name: "being completed in place", file: removable{state: partial, stamp: same}, content: wrong, keeps: true},
		{name: "the user's", file: removable{state: users, stamp: same}, have: true, content: right, user: "f", keeps: true},
		{name: "the user's, beside a spill", file: removable{state: users, spill: true, stamp: same}, content: right, user: "f", keeps: true},
	} {
		info, _ := torrentOf(t, "set", 1000, entryOf{path: "f", data: right}, entryOf{path: "g", data: content(2, 10)})
		sim := newSimDisk()
		l := &place{disk: sim, dir: "/dl", layout: &layout{base: "set", names: []diskName{{final: "f", part: "f.p", user: c.user}, {final: "g", part: "g.p"}}}}
		sim.names["/dl/set"] = &simNode{dir: true}
		put := func(name string, data []byte) {
			sim.names["/dl/set/"+name] = &simNode{data: data, mtime: 50, ctime: 60, inode: 70}
		}
		if put(l.nameIn(0, c.file.state), c.content); c.file.spill {
			put("f.p", wrong)
		}
		put("theirs", nil)
		r := &remover{geometry: geometry{info}, place: l, newSum: func(p int) Sum { return info.NewSum(p, nil) }, files: []removable{c.file, {}}, have: newBitmap(info.NumPieces)}
		if c.have {
			r.have.set(0)
		}
		kept, err := r.delete()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var left []string
		for p, n := range sim.names {
			if !n.dir && p != "/dl/set/theirs" {
				left = append(left, p)
			}
		}
		if want := "/dl/set/" + l.nameIn(0, c.file.state); c.keeps != slices.Equal(left, []string{want}) || !c.keeps && len(left) > 0 {
			t.Errorf("%s: %q is left", c.name, left)
		}
		if c.keeps != (len(kept) == 1) {
			t.Errorf("%s: told of %+v", c.name, kept)
		}
		if sim.names["/dl/set/theirs"] == nil || sim.names["/dl/set"] == nil {
			t.Errorf("%s: another's file is gone", c.name)
		}
	}
}

// Without data the unfinished files stay for a later transfer, and spills are
// deleted.
func TestRemoverLeavesWhatIsUnfinished(t *testing.T) {
	info, _ := torrentOf(t, "set", 1000, entryOf{path: "f", data: content(1, 10)}, entryOf{path: "g", data: content(2, 10)})
	l, sim := placeOnSim("set/f.p", "set/g.p", "set/g")
	l.layout.names = []diskName{{final: "f", part: "f.p"}, {final: "g", part: "g.p", user: "g"}}
	r := &remover{geometry: geometry{info}, place: l, newSum: func(p int) Sum { return info.NewSum(p, nil) }, files: []removable{{state: partial, created: true}, {state: users, spill: true}}}
	kept, err := r.leave()
	if err != nil || len(kept) != 1 || kept[0].Path != "/dl/set/f.p" || !kept[0].Part {
		t.Errorf("%+v, %v", kept, err)
	}
	if sim.names["/dl/set/g.p"] != nil || sim.names["/dl/set/f.p"] == nil || sim.names["/dl/set/g"] == nil {
		t.Error("not what was to stay")
	}
	rec := r.record()
	got, p := decoded(t, rec, info)
	if got.left != "/dl" || len(p.files) != 1 || p.files[0].index != 0 || p.files[0].state != partial {
		t.Errorf("%+v, %+v", got, p)
	}
}
