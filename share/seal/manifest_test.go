package seal

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

// anyManifest draws a share with everything that a manifest can hold.
func anyManifest(t *rapid.T) *Manifest {
	m := new(Manifest)
	name := rapid.OneOf(rapid.StringMatching(`[A-Ca-c]{1,2}`), rapid.String(), rapid.Just(strings.Repeat("é", 127))).Filter(share.IsName)
	left := 30
	var add func(parent int, name string, deep int)
	add = func(parent int, as string, deep int) {
		i := len(m.Entries)
		e := Entry{
			Parent: parent, Name: as, Folder: rapid.Bool().Draw(t, "folder"), Mode: fs.FileMode(rapid.IntRange(0, 0o777).Draw(t, "mode")),
			Time: time.Unix(0, rapid.Int64Range(-9_000_000_000_000_000_000, 9_000_000_000_000_000_000).Draw(t, "time")).UTC(), Offset: m.Contents,
		}
		if !e.Folder {
			e.Size = rapid.Int64Range(0, 200_000).Draw(t, "size")
		}
		m.Contents += e.Size
		m.Entries = append(m.Entries, e)
		left--
		if !e.Folder || left <= 0 || deep == 8 {
			return
		}
		names := rapid.SliceOfNDistinct(name, 0, 5, func(s string) string { return s }).Draw(t, "names")
		slices.Sort(names)
		for _, n := range names {
			add(i, n, deep+1)
		}
	}
	add(-1, name.Draw(t, "root"), 0)
	return m
}

func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anyManifest(t)
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseManifest(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatalf("want -, got +:\n%s", diff)
		}
		if n := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); n > 0 {
			if again, err := ParseManifest(b[:n]); err == nil && len(again.Entries) == len(m.Entries) {
				t.Fatal("a part of it is the same")
			}
		}
	})
}

func TestManifestPath(t *testing.T) {
	m := Manifest{Entries: []Entry{{Parent: -1, Name: "r", Folder: true}, {Name: "a", Folder: true}, {Parent: 1, Name: "f"}}}
	if got := m.Path(2); !slices.Equal(got, []string{"r", "a", "f"}) {
		t.Errorf("got %q", got)
	}
}

// What a sharer must not publish, because no reader would take it.
func TestEncodeRefuses(t *testing.T) {
	root := Entry{Parent: -1, Name: "r", Folder: true}
	for name, list := range map[string][]Entry{
		"nothing":                        {},
		"a name that leads elsewhere":    {root, {Name: "../x"}},
		"a long name":                    {root, {Name: strings.Repeat("x", 300)}},
		"a negative size":                {root, {Name: "a", Size: -1}},
		"too large":                      {root, {Name: "a", Size: MaxContents}, {Name: "b", Size: 1}},
		"a file in itself":               {root, {Parent: 1, Name: "a"}},
		"a folder that comes later":      {root, {Parent: 2, Name: "a"}, {Name: "b", Folder: true}},
		"names out of order":             {root, {Name: "b"}, {Name: "a"}},
		"a folder that is over":          {root, {Name: "a", Folder: true}, {Name: "b", Folder: true}, {Parent: 1, Name: "c"}},
		"a folder that is over, further": {root, {Name: "a", Folder: true}, {Name: "b"}, {Parent: 1, Name: "c"}},
		"no root":                        {{Parent: -2, Name: "a"}},
	} {
		m := Manifest{Entries: list}
		if b, err := m.Encode(); share.KindOf(err) != share.Usage {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	late := Manifest{Entries: []Entry{{Parent: -1, Name: "f", Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}}}
	b, err := late.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseManifest(b); err != nil || m.Entries[0].Time.Unix() != 0 {
		t.Errorf("a time that does not fit is read as %v, %v", m, err)
	}
}

func TestManifestLimits(t *testing.T) {
	build := func(n int, name func(i int) string) []byte {
		b := []byte{0, folderEntry, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'r'}
		for i := range n {
			s := name(i)
			b = append(b, 1, folderEntry, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(s)))
			b = append(b, s...)
		}
		return b
	}
	short := func(i int) string { return fmt.Sprintf("%06d", i) }
	if m, err := ParseManifest(build(MaxEntries-1, short)); err != nil || len(m.Entries) != MaxEntries {
		t.Errorf("as many entries as there may be: %v", err)
	}
	if _, err := ParseManifest(build(MaxEntries, short)); err == nil {
		t.Error("one entry too many was accepted")
	}
	if _, err := ParseManifest(make([]byte, MaxManifest+1)); err == nil || !strings.Contains(err.Error(), "more than 16777216") {
		t.Errorf("a manifest that is too long: %v", err)
	}
}

// One manifest has one form, and what is read obeys every rule that files are made by.
func FuzzManifest(f *testing.F) {
	for _, v := range readVectors(f).Shares {
		f.Add([]byte(unhex(f, v.Manifest)))
	}
	for _, v := range readVectors(f).Refused {
		f.Add([]byte(unhex(f, v.Manifest)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			if share.KindOf(err) != share.Refused {
				t.Errorf("%v is not Refused", err)
			}
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded as %x, %v", again, err)
		}
		paths, total := map[string]bool{}, int64(0)
		for i, e := range m.Entries {
			path := m.Path(i)
			for _, name := range path {
				if !share.IsName(name) {
					t.Fatalf("a path has the name %q", name)
				}
			}
			whole := strings.Join(path, "/")
			if paths[whole] || i > 0 && !paths[strings.Join(path[:len(path)-1], "/")] || len(path) > MaxDepth+1 || len(whole) > len(path[0])+1+MaxPath {
				t.Fatalf("the path %q", whole)
			}
			paths[whole] = true
			if e.Offset != total || e.Size < 0 || e.Mode != e.Mode.Perm() || e.Folder && e.Size != 0 {
				t.Fatalf("entry %+v at %d", e, total)
			}
			total += e.Size
		}
		if total != m.Contents || total > MaxContents {
			t.Fatalf("%d bytes in all, not %d", m.Contents, total)
		}
		if _, err := NewLayout(int64(len(b)), m.Contents); err != nil {
			t.Fatal(err)
		}
	})
}
