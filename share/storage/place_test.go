package storage

import (
	"errors"
	"io/fs"
	"testing"
)

// placeOnSim is a place of files a and b in /dl/set, and the files that are there.
func placeOnSim(there ...string) (*place, *simDisk) {
	sim := newSimDisk()
	sim.names["/dl/set"] = &simNode{dir: true}
	for _, name := range there {
		sim.names["/dl/"+name] = sim.newFile()
	}
	names := []diskName{{final: "a", part: "a.p", user: "old a"}, {final: "b"}}
	return &place{disk: sim, dir: "/dl", layout: &layout{base: "set", names: names}}, sim
}

func TestPlaceFindsNamesThatNothingHas(t *testing.T) {
	never := func(string) bool { return false }
	l, _ := placeOnSim("set/a (2)")
	l.layout.names[1].final = "a (3)"
	if v, err := l.freeFinal(0, "a", never); v != "a (4)" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	ending := partEnding(l.id)
	l, _ = placeOnSim("set/a" + ending)
	if v, err := l.freePart(0); v != "a (2)"+ending || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	for name, want := range map[string]bool{"a": true, "a.p": true, "old a": true, "b": true, "c": false} {
		if l.uses(name) != want {
			t.Errorf("%q is used: %v", name, !want)
		}
	}
	// A single file has those of other transfers beside it.
	l = &place{disk: newSimDisk(), dir: "/dl", layout: &layout{names: []diskName{{final: "a"}}}}
	if v, err := l.freeFinal(0, "a", func(p string) bool { return p == "/dl/a (2)" }); v != "a (3)" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// If the disk does not answer, no name is free.
func TestPlaceAsksTheDisk(t *testing.T) {
	l, sim := placeOnSim()
	l.disk = deafDisk{sim}
	if v, err := l.freePart(0); !errors.Is(err, ErrBroken) {
		t.Errorf("%q, %v", v, err)
	}
}

type deafDisk struct{ disk }

func (deafDisk) lstat(string, string, string) (fs.FileInfo, error) {
	return nil, diskError("%w", ErrBroken)
}

func TestPlaceKnowsWhereAFileIs(t *testing.T) {
	l, _ := placeOnSim("set/a", "set/old a")
	for state, want := range map[uint8]string{absent: "a", partial: "a.p", final: "a", users: "old a"} {
		if got := l.nameIn(0, state); got != want {
			t.Errorf("in state %d it is %q, not %q", state, got, want)
		}
	}
	if got := l.full("a"); got != "/dl/set/a" {
		t.Error(got)
	}
	if _, err := l.stat("old a"); err != nil {
		t.Error(err)
	}
	if _, err := l.stat("none"); !absentFile(err) {
		t.Error(err)
	}
	if fi, err := l.statFolder(); err != nil || !fi.IsDir() {
		t.Error(err)
	}
}

// Where inodes change by themselves, another inode means nothing.
func TestPlaceComparesByWhatTheFileSystemKeeps(t *testing.T) {
	l, sim := placeOnSim()
	was, now := stamp{1, 2, 3, 4}, stamp{1, 2, 3, 5}
	if got := l.compare(was, now); got != restamped {
		t.Errorf("with inodes: %d", got)
	}
	l = &place{disk: forgetfulDisk{sim}, dir: "/dl"}
	if got := l.compare(was, now); got != sameFile {
		t.Errorf("without inodes: %d", got)
	}
	if now.ctime++; l.compare(was, now) != restamped {
		t.Error("a change time counts without inodes, too")
	}
}

type forgetfulDisk struct{ disk }

func (forgetfulDisk) traits(string) traits { return traits{times: true} }
