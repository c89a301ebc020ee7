package storage

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shoalnet/shoal/share/metainfo"
	"pgregory.net/rapid"
)

// recordInfo is what the records of these tests are about.
func recordInfo() *metainfo.Info {
	in := infoOf("a", "b/c", "d", "e")
	in.NumPieces, in.PieceLength, in.Total = 100, 10, 995
	in.Files[3].Pad = true
	for i, length := range []int64{23, 461, 506, 5} {
		in.Files[i].Length = length
		if i > 0 {
			in.Files[i].Offset = in.Files[i-1].Offset + in.Files[i-1].Length
		}
	}
	return in
}

func drawName(t *rapid.T, label string) string {
	return rapid.StringMatching(`[a-z]{1,5}(/[a-z]{1,5}){0,2}`).Draw(t, label)
}

func TestRecordsReadAsTheyWereWritten(t *testing.T) {
	in := recordInfo()
	options := cmp.AllowUnexported(layout{}, diskName{}, progress{}, fileRecord{}, stamp{}, part{})
	rapid.Check(t, func(t *rapid.T) {
		l := &layout{own: rapid.Bool().Draw(t, "own"), adopt: rapid.Bool().Draw(t, "adopt"), left: rapid.StringMatching(`(/[a-z]{3})?`).Draw(t, "left"), base: rapid.StringMatching(`[a-z ]{0,3}`).Draw(t, "base"), names: make([]diskName, 4)}
		for i := range l.names[:3] {
			n := &l.names[i]
			n.final = defaultName(&in.Files[i])
			if rapid.Bool().Draw(t, "named") {
				n.final = drawName(t, "final")
			}
			switch rapid.IntRange(0, 2).Draw(t, "user") {
			case 0:
				n.user = n.final
			case 1:
				n.user = drawName(t, "user")
			}
			switch rapid.IntRange(0, 2).Draw(t, "part") {
			case 0:
				n.part = defaultPart(n.final, in.ID)
			case 1:
				n.part = drawName(t, "part")
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "folders") {
			l.folders = append(l.folders, drawName(t, "folder"))
		}
		got, err := decodeLayout(l.encode(in), in)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(l, got, options); d != "" {
			t.Fatal(d)
		}

		p := &progress{made: rapid.Bool().Draw(t, "made"), emptied: rapid.Bool().Draw(t, "emptied"), found: rapid.Bool().Draw(t, "found"), recorded: newBitmap(100), unknown: newBitmap(100), clipped: newBitmap(100), parts: clips{}, files: []fileRecord{}}
		for range rapid.IntRange(0, 5).Draw(t, "pieces") {
			p.recorded.set(rapid.IntRange(0, 99).Draw(t, "recorded"))
			p.unknown.set(rapid.IntRange(0, 99).Draw(t, "unknown"))
			p.clipped.set(rapid.IntRange(0, 99).Draw(t, "clipped"))
		}
		p.clipped.each(func(k int) bool {
			for i := range (geometry{in}).filesOf(k) {
				if rapid.Bool().Draw(t, "part") {
					p.parts[k] = append(p.parts[k], part{i, sha256.Sum256([]byte{rapid.Byte().Draw(t, "sum")})})
				}
			}
			return true
		})
		for i := range in.Files {
			if rapid.Bool().Draw(t, "there") {
				p.files = append(p.files, fileRecord{
					index: i, state: uint8(rapid.IntRange(1, 3).Draw(t, "state")),
					suspect: rapid.Bool().Draw(t, "suspect"), failed: rapid.Bool().Draw(t, "failed"),
					created: rapid.Bool().Draw(t, "created"), naming: rapid.Bool().Draw(t, "naming"),
					spill: rapid.Bool().Draw(t, "spill"), head: rapid.Bool().Draw(t, "head"), tail: rapid.Bool().Draw(t, "tail"),
					stamp: stamp{size: rapid.Int64Range(0, 1<<62).Draw(t, "size"), mtime: rapid.Int64Range(-1<<62, 1<<61).Draw(t, "mtime")},
				})
				if last := &p.files[len(p.files)-1]; rapid.Bool().Draw(t, "change") {
					last.stamp.ctime = rapid.Int64Range(1, 1<<62).Draw(t, "ctime")
					last.stamp.inode = rapid.Uint64().Draw(t, "inode")
				}
			}
		}
		gotProgress, err := decodeProgress(p.encode(in), in)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p, gotProgress, options); d != "" {
			t.Fatal(d)
		}
	})
}

// A record of version 1, as it was written for one file: without change times,
// inodes and owners.
func TestRecordsOfVersion1AreRead(t *testing.T) {
	in := recordInfo()
	b := append([]byte{1, folderMade}, newBitmap(0).appendTo(nil)...)
	b = newBitmap(0).appendTo(b)
	b = append(b, 1, 2, byte(final)|fileSized|fileWasBefore, 5, 14)
	p, err := decodeProgress(b, in)
	if err != nil {
		t.Fatal(err)
	}
	want := []fileRecord{{index: 2, state: users, stamp: stamp{size: 5, mtime: 7}}}
	if d := cmp.Diff(want, p.files, cmp.AllowUnexported(fileRecord{}, stamp{})); d != "" || !p.made {
		t.Fatal(d)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	in := recordInfo()
	l := &layout{base: "set", names: []diskName{{"a", "a.part", ""}, {"b/c", "b/x.part", "b/c"}, {final: "d (2)"}, {}}, folders: []string{"void"}}
	p := &progress{made: true, recorded: newBitmap(100), unknown: newBitmap(100), files: []fileRecord{{index: 1, state: partial, stamp: stamp{size: 5, mtime: 7}}, {index: 2, state: final, created: true, stamp: stamp{5, 7, 9, 11}}}}
	p.recorded.set(99)
	p.clipped, p.parts = newBitmap(100), clips{}
	p.clipped.set(2)
	p.clipped.set(48)
	p.parts[48] = []part{{1, [32]byte{1}}, {2, [32]byte{2}}}
	f.Add(l.encode(in), p.encode(in))
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if l, err := decodeLayout(a, in); err == nil {
			for _, n := range l.names {
				for _, name := range []string{n.final, n.part, n.user} {
					if name != "" && !isLocal(name) {
						t.Fatalf("the name %q", name)
					}
				}
			}
			again, err := decodeLayout(l.encode(in), in)
			if err != nil || !bytes.Equal(again.encode(in), l.encode(in)) {
				t.Fatalf("encoding again: %v", err)
			}
		}
		if p, err := decodeProgress(b, in); err == nil {
			if _, err := decodeProgress(p.encode(in), in); err != nil {
				t.Fatalf("encoding again: %v", err)
			}
		}
	})
}
