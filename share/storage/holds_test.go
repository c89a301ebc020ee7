package storage

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Names on disk. Instances that were met: aux.c, con.log, a\x2db and
// "What is love..." arrived changed; data of a foreign torrent with trailing. or
// con.txt was not found. What stays in a name is tested in share/metainfo.

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

// fatDisk cannot hold what Windows forbids, or takes the end off names.
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

// The names of transfers that are recorded stay as they were recorded.
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
