package storage

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share/metainfo"
)

// oldRecord is a record as version 1 wrote it: the files in order, each with its
// state and flags as it is on disk now.
func oldRecord(t *testing.T, b *bench, info *metainfo.Info, recorded []int, flags ...byte) Record {
	t.Helper()
	layout := appendString([]byte{1, layoutAsNamed}, info.Name)
	layout = binary.AppendUvarint(layout, uint64(len(info.Files)))
	for range info.Files {
		layout = append(layout, nameOnDisk)
	}
	layout = append(layout, 0)

	have := newBitmap(info.NumPieces)
	for _, p := range recorded {
		have.set(p)
	}
	p := have.appendTo([]byte{1, folderMade})
	p = append(p, 0) // nothing unknown
	p = binary.AppendUvarint(p, uint64(len(flags)))
	last := int64(0)
	for i, f := range flags {
		name := filepath.Join(b.dir, info.Name, defaultName(&info.Files[i]))
		if f&stateMask == partial {
			name += partSuffix
		}
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		step := byte(1)
		if i == 0 {
			step = 0
		}
		p = append(p, step, f|fileSized)
		p = binary.AppendUvarint(p, uint64(fi.Size()))
		p = binary.AppendVarint(p, fi.ModTime().UnixNano()-last)
		last = fi.ModTime().UnixNano()
	}
	return Record{ID: info.ID, Layout: layout, Progress: p}
}

// A record of version 1 is continued: what it found is the user's, what it had
// renamed is the transfer's own, and so is its NAME.part.
func TestUpgradeKnowsWhoseFilesAre(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "set", 16*kib,
		entryOf{path: "found", data: content(1, 16*kib)},
		entryOf{path: "fetched", data: content(2, 16*kib)},
		entryOf{path: "begun", data: content(3, 32*kib)})
	writeFile(t, filepath.Join(b.dir, "set/found"), content(1, 16*kib))
	writeFile(t, filepath.Join(b.dir, "set/fetched"), content(2, 16*kib))
	writeFile(t, filepath.Join(b.dir, "set/begun.part"), content(3, 16*kib))
	b.ledger.records[info.ID] = oldRecord(t, b, info, []int{0, 1, 2}, final|fileWasBefore, final, partial)
	tr := b.open(info)
	checkUnknown(t, tr)
	if p := tr.Progress(); p.Pieces < 3 {
		t.Fatalf("after the upgrade: %+v", p)
	}
	wantTree(t, b.dir, "set/", "set/begun.part", "set/fetched", "set/found")
	put(t, tr, all, 3)
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/begun", "set/fetched", "set/found")
	wantFile(t, tr.FilePath(2), content(3, 32*kib))
	b.crash()
	tr = b.open(info)
	if kept := remove(t, tr, true); len(kept) != 1 || kept[0].Path != filepath.Join(b.dir, "set/found") {
		t.Fatalf("kept %+v", kept)
	}
	wantTree(t, b.dir, "set/", "set/found")
}

// Another program's NAME.part is neither read nor written.
func TestPartOfAnotherProgram(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "movie.mkv", 16*kib, entryOf{data: content(1, 40*kib)})
	path := filepath.Join(b.dir, "movie.mkv.part")
	writeFile(t, path, content(2, 20*kib))
	tr := b.open(info)
	putAll(t, tr, all)
	flush(t, tr)
	wantFile(t, path, content(2, 20*kib))
	remove(t, tr, true)
	wantTree(t, b.dir, "movie.mkv.part")
	wantFile(t, path, content(2, 20*kib))
}

// A later transfer continues what a removed one has left, and --data deletes it.
func TestALaterTransferGoesOnWithWhatWasLeft(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 64*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	put(t, tr, all, 2)
	flush(t, tr)
	part := partPath(tr, 0)
	if kept := remove(t, tr, false); len(kept) != 1 || kept[0].Path != part || !kept[0].Part {
		t.Fatalf("kept %+v", kept)
	}
	b.restart()
	tr = b.open(info)
	checkUnknown(t, tr)
	flush(t, tr)
	if p := tr.Progress(); p.Pieces != 2 || partPath(tr, 0) != part {
		t.Fatalf("going on at %s with %+v", partPath(tr, 0), p)
	}
	remove(t, tr, true)
	wantTree(t, b.dir)
}

// Photos that share pieces with missing neighbours: the spill is deleted, they
// stay.
func TestPhotosBesideMissingNeighbours(t *testing.T) {
	b := newBench(t)
	info, all := torrentOf(t, "photos", 16*kib,
		entryOf{path: "a", data: content(1, 20*kib)},
		entryOf{path: "b", data: content(2, 20*kib)},
		entryOf{path: "c", data: content(3, 20*kib)})
	mine := filepath.Join(b.dir, "photos/b")
	writeFile(t, mine, content(2, 20*kib))
	was, err := os.Stat(mine)
	if err != nil {
		t.Fatal(err)
	}
	tr := b.open(info)
	checkUnknown(t, tr)
	put(t, tr, all, 1)
	wantTree(t, b.dir, "photos/", "photos/a~", "photos/b", "photos/b~")
	for p := range info.NumPieces {
		if completion(tr, p) == "missing" {
			put(t, tr, all, p)
		}
	}
	flush(t, tr)
	flush(t, tr)
	wantTree(t, b.dir, "photos/", "photos/a", "photos/b", "photos/c")
	b.crash()
	tr = b.open(info)
	remove(t, tr, true)
	wantTree(t, b.dir, "photos/", "photos/b")
	wantFile(t, mine, content(2, 20*kib))
	now, err := os.Stat(mine)
	if err != nil || !os.SameFile(was, now) || !now.ModTime().Equal(was.ModTime()) {
		t.Fatalf("it was touched: %v", err)
	}
}

// decoded is what a record tells.
func decoded(t testing.TB, r Record, info *metainfo.Info) (*layout, *progress) {
	t.Helper()
	l, err := decodeLayout(r.Layout, info)
	if err != nil {
		t.Fatal(err)
	}
	p, err := decodeProgress(r.Progress, info)
	if err != nil {
		t.Fatal(err)
	}
	return l, p
}

// asVersion1 tells whether version 1 could have recorded the same.
func asVersion1(l *layout, p *progress) bool {
	if l.left != "" || !p.clipped.empty() {
		return false
	}
	for _, f := range p.files {
		n := &l.names[f.index]
		switch {
		case f.spill || f.naming || f.doubt:
			return false
		case f.state == partial && !f.created:
			return false
		case f.state == users && (f.created || n.user != n.final):
			return false
		}
	}
	return true
}

// encodeLayout1 is how version 1 wrote a layout.
func encodeLayout1(l *layout, info *metainfo.Info) []byte {
	b := appendString([]byte{1, layoutAsNamed}, l.base)
	b = binary.AppendUvarint(b, uint64(len(l.names)))
	for i, n := range l.names {
		if n.final == "" {
			b = append(b, 0)
			continue
		}
		how := byte(nameOnDisk)
		if n.final != defaultName(&info.Files[i]) {
			how |= nameGiven
		}
		switch n.part {
		case "":
			how |= partNone
		case n.final + partSuffix:
		default:
			how |= partGiven
		}
		b = append(b, how)
		if how&nameGiven != 0 {
			b = appendString(b, n.final)
		}
		if how&partGiven != 0 {
			b = appendString(b, n.part)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(l.folders)))
	for _, f := range l.folders {
		b = appendString(b, f)
	}
	return b
}

// encodeProgress1 is how version 1 wrote a progress that asVersion1 allows.
func encodeProgress1(p *progress, info *metainfo.Info) []byte {
	var flags byte
	if p.made {
		flags |= folderMade
	}
	if p.emptied {
		flags |= emptyMade
	}
	b := p.unknown.appendTo(p.recorded.appendTo([]byte{1, flags}))
	var body []byte
	n, index, mtime := uint64(0), 0, int64(0)
	for _, f := range p.files {
		if f.state == absent {
			continue // version 1 did not say what it was about to make
		}
		how := f.state
		if f.state == users || f.state == final && !f.created {
			how = final | fileWasBefore
		}
		if f.suspect {
			how |= fileSuspect
		}
		if f.failed {
			how |= fileFailed
		}
		body = append(binary.AppendUvarint(body, uint64(f.index-index)), how|fileSized)
		body = binary.AppendUvarint(body, uint64(f.stamp.size))
		body = binary.AppendVarint(body, f.stamp.mtime-mtime)
		n, index, mtime = n+1, f.index, f.stamp.mtime
	}
	return append(binary.AppendUvarint(b, n), body...)
}
