package storage

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Names on disk. These were seen: aux.c, con.log, a\x2db and "What is love..."
// arrived changed; data of a foreign torrent with "trailing." or con.txt was not
// found. What stays in a name is tested in share/metainfo.

func oddFiles() []entryOf {
	return []entryOf{
		{path: "nvkm/i2c/aux.c", data: content(1, 16*kib)}, {path: "con.txt", data: content(2, 16*kib)},
		{path: `dev-disk-by\x2duuid.swap`, data: content(3, 16*kib)}, {path: "trailing./What is love...", data: content(4, 16*kib)},
	}
}

func oddOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}
}

func TestOddNamesAreKeptAndFound(t *testing.T) {
	oddOnly(t)
	b := newBench(t)
	info, all := torrentOf(t, "odd. ", 16*kib, oddFiles()...)
	at := 0
	for _, e := range oddFiles() {
		writeFile(t, filepath.Join(b.dir, "odd. ", e.path), all[at:at+len(e.data)])
		at += len(e.data)
	}
	before := tree(t, b.dir)
	tr := b.open(info)
	if hashed := checkUnknown(t, tr); hashed != 4 {
		t.Errorf("%d pieces hashed", hashed)
	}
	for i := range info.NumPieces {
		if got := completion(tr, i); got != "complete" {
			t.Errorf("piece %d is %s", i, got)
		}
	}
	wantTree(t, b.dir, before...) // and no probe is left behind
	for i, e := range oddFiles() {
		if got := tr.layout.names[i].final; got != e.path {
			t.Errorf("%q is called %q", e.path, got)
		}
	}
}

// fatDisk cannot hold names that Windows forbids, or it cuts off their ends.
type fatDisk struct {
	disk
	refuses bool
}

func (d fatDisk) folder(dir, base string, make bool) (folder, error) {
	f, err := d.disk.folder(dir, base, make)
	return fatFolder{f, d.refuses}, err
}

type fatFolder struct {
	folder
	refuses bool
}

func (f fatFolder) open(name string, m mode) (file, error) {
	if f.refuses && strings.ContainsAny(name, `\<>:"|?*`) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return f.folder.open(strings.TrimRight(name, ". "), m)
}

func TestFileSystemsOfWindowsGetTheirNames(t *testing.T) {
	oddOnly(t)
	for _, refuses := range []bool{true, false} {
		b := newBench(t)
		b.store.disk = fatDisk{b.disk, refuses}
		info, _ := torrentOf(t, "odd. ", 16*kib, oddFiles()...)
		tr := b.open(info)
		want := []string{"nvkm/i2c/_aux.c", "_con.txt", "dev-disk-by_x2duuid.swap", "trailing/What is love"}
		for i, w := range want {
			if got := tr.layout.names[i].final; got != w {
				t.Errorf("refuses %v: file %d is called %q, want %q", refuses, i, got, w)
			}
		}
		if tr.layout.base != "odd" {
			t.Errorf("the folder is called %q", tr.layout.base)
		}
		for _, left := range tree(t, b.dir) {
			if refuses {
				t.Errorf("%q is left behind", left)
			}
		}
		if l, err := decodeLayout(tr.layout.encode(info), info); err != nil || l.names[1].final != "_con.txt" {
			t.Errorf("recorded as %v, %v", l, err)
		}
	}
}

// Names depend on what is there: a file of another transfer never gets in the way
// of ours, and a copy of the right size is used.
func TestNamesAreChosenByWhatIsThere(t *testing.T) {
	info, _ := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 100)}, entryOf{path: "b", data: content(2, 100)})
	never := func(string) bool { return false }
	for _, c := range []struct {
		name    string
		there   map[string]int // sizes by path; -1 is a folder
		claimed string
		adopt   bool
		base    string
		want    []diskName
	}{
		{"nothing", nil, "", false, "set", []diskName{{final: "a"}, {final: "b"}}},
		{"a file called like the folder", map[string]int{"/dl/set": 5}, "", false, "set (2)", []diskName{{final: "a"}, {final: "b"}}},
		{"the folder of a transfer", nil, "/dl/set", false, "set (2)", []diskName{{final: "a"}, {final: "b"}}},
		{"a copy of the right size", map[string]int{"/dl/set": -1, "/dl/set/a": 100}, "", false, "set", []diskName{{final: "a"}, {final: "b"}}},
		{"another file", map[string]int{"/dl/set": -1, "/dl/set/a": 7}, "", false, "set", []diskName{{final: "a (2)", user: "a"}, {final: "b"}}},
		{"another file, to be completed", map[string]int{"/dl/set": -1, "/dl/set/a": 7}, "", true, "set", []diskName{{final: "a"}, {final: "b"}}},
		{"a part of another program", map[string]int{"/dl/set": -1, "/dl/set/a.part": 7}, "", false, "set", []diskName{{final: "a"}, {final: "b"}}},
		{"the same, to be completed", map[string]int{"/dl/set": -1, "/dl/set/a.part": 7}, "", true, "set", []diskName{{final: "a", user: "a.part"}, {final: "b"}}},
		{"two in the way", map[string]int{"/dl/set": -1, "/dl/set/b": 7, "/dl/set/b (2)": 8}, "", false, "set", []diskName{{final: "a"}, {final: "b (3)", user: "b"}}},
	} {
		sim := newSimDisk()
		for p, size := range c.there {
			n := &simNode{dir: size < 0}
			if !n.dir {
				n.data = make([]byte, size)
			}
			sim.names[p] = n
		}
		claimed := func(path string) bool { return path == c.claimed }
		l := (&chooser{info: info, disk: sim, dir: "/dl", adopt: c.adopt, taken: claimed, claimed: claimed, within: never}).layout()
		if l.base != c.base {
			t.Errorf("%s: the folder is called %q, not %q", c.name, l.base, c.base)
		}
		for i, w := range c.want {
			w.part = l.names[i].part
			if l.names[i] != w || !strings.HasSuffix(w.part, partEnding(info.ID)) {
				t.Errorf("%s: file %d is called %+v, not %+v", c.name, i, l.names[i], w)
			}
		}
	}
}

// A layout that lacks a file is refused.
func TestALayoutWithoutAFileIsRefused(t *testing.T) {
	in := recordInfo()
	l := &layout{base: "set", names: []diskName{{final: "a"}, {}, {final: "d"}, {}}}
	if l, err := decodeLayout(l.encode(in), in); err == nil {
		t.Errorf("%+v", l)
	}
}

// A transfer that is recorded keeps the names of its record.
func TestOlderRecordsKeepTheirNames(t *testing.T) {
	oddOnly(t)
	info, _ := torrentOf(t, "odd", 16*kib, oddFiles()...)
	l := &layout{base: "odd", names: make([]diskName, len(info.Files))}
	for i := range l.names {
		l.names[i].final = defaultName(&info.Files[i])
	}
	b := l.encode(info)
	b[1] &^= layoutAsNamed
	got, err := decodeLayout(b, info)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"nvkm/i2c/_aux.c", "_con.txt", "dev-disk-by_x2duuid.swap", "trailing/What is love"} {
		if got.names[i].final != want {
			t.Errorf("%q, want %q", got.names[i].final, want)
		}
	}
}
