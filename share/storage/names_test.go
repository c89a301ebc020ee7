package storage

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"golang.org/x/text/cases"
	"pgregory.net/rapid"
)

// infoOf is an info dictionary with these files, of which mapNames reads
// nothing else.
func infoOf(paths ...string) *metainfo.Info {
	in := &metainfo.Info{Multi: true}
	for _, p := range paths {
		length := int64(1)
		if strings.HasPrefix(p, "empty ") {
			length, p = 0, p[6:]
		}
		in.Files = append(in.Files, metainfo.File{Path: strings.Split(p, "/"), Length: length})
	}
	return in
}

func TestMapNames(t *testing.T) {
	long, e := strings.Repeat("x", 255), partEnding(share.ID{})
	for _, c := range []struct {
		exact bool
		in    []string
		final []string
		part  []string
	}{
		{in: []string{"a", "b/c"}, final: []string{"a", "b/c"}, part: []string{"a" + e, "b/c" + e}},
		{in: []string{"a.txt", "A.TXT", "a.txt"}, final: []string{"a.txt", "A (2).TXT", "a (3).txt"}},
		{exact: true, in: []string{"a.txt", "A.TXT", "a.txt"}, final: []string{"a.txt", "A.TXT", "a (2).txt"}},
		{in: []string{"\u00e9", "e\u0301", "\u00c9"}, final: []string{"\u00e9", "e\u0301 (2)", "\u00c9 (3)"}},
		{in: []string{"a", "a/b", "a/c"}, final: []string{"a", "a (2)/b", "a (2)/c"}},
		{in: []string{"a/b", "a", "A/c"}, final: []string{"a/b", "a (2)", "A (3)/c"}},
		{in: []string{"a", "a" + e}, final: []string{"a", "a" + e}, part: []string{"a (2)" + e, "a" + e + e}},
		{in: []string{"a (2)", "a", "a"}, final: []string{"a (2)", "a", "a (3)"}},
		{in: []string{"stra\u00dfe", "STRASSE"}, final: []string{"stra\u00dfe", "STRASSE (2)"}},
		{in: []string{long, long}, final: []string{long, long[:251] + " (2)"},
			part: []string{long[:255-len(e)] + e, long[:251-len(e)] + " (2)" + e}},
		{in: []string{"empty e"}, final: []string{"e"}, part: []string{""}},
		{in: []string{".hidden", ".HIDDEN"}, final: []string{".hidden", ".HIDDEN (2)"}},
	} {
		got, _, _ := mapNames(infoOf(c.in...), c.exact, nil)
		for i, g := range got {
			if g.final != c.final[i] {
				t.Errorf("%q: file %d is called %q, not %q", c.in, i, g.final, c.final[i])
			}
			if c.part != nil && g.part != c.part[i] {
				t.Errorf("%q: part %d is called %q, not %q", c.in, i, g.part, c.part[i])
			}
		}
	}
}

func TestMapNamesRoundWhatIsThere(t *testing.T) {
	there := func(name string, e entry) bool { return !e.folder && strings.HasPrefix(name, "a") && len(name) == 1 }
	got, _, renamed := mapNames(infoOf("a", "b"), false, there)
	if got[0].final != "a (2)" || got[1].final != "b" || renamed {
		t.Errorf("got %q, renamed %v", got, renamed)
	}
}

// checkNames fails unless all names can be on one disk at the same time.
func checkNames(t interface{ Fatalf(string, ...any) }, in *metainfo.Info, exact bool) {
	names, folders, _ := mapNames(in, exact, nil)
	m := namer{part: partEnding(in.ID), exact: exact, fold: cases.Fold()}
	files, dirs := map[string]string{}, map[string]string{}
	key := func(p string) string {
		elements := strings.Split(p, "/")
		for i, e := range elements {
			if e == "" || e == "." || e == ".." || len(e) > maxName || !utf8.ValidString(e) {
				t.Fatalf("%q has the element %q", p, e)
			}
			elements[i] = m.key(e)
		}
		return strings.Join(elements, "/")
	}
	addDirs := func(p string) {
		for d := p; d != "."; d = path.Dir(d) {
			if old, ok := dirs[key(d)]; ok && old != d {
				t.Fatalf("the folders %q and %q are one", d, old)
			}
			dirs[key(d)] = d
		}
	}
	for i, n := range names {
		if f := in.Files[i]; f.Pad || f.Symlink {
			if n != (diskName{}) {
				t.Fatalf("%q is on disk as %q", f.Path, n)
			}
			continue
		}
		for _, p := range []string{n.final, n.part} {
			if p == "" {
				continue
			}
			if old, ok := files[key(p)]; ok {
				t.Fatalf("%q and %q are one file", p, old)
			}
			files[key(p)] = p
			addDirs(path.Dir(p))
		}
	}
	for _, f := range folders {
		addDirs(f)
	}
	for k, d := range dirs {
		if f, ok := files[k]; ok {
			t.Fatalf("%q is a file and %q a folder", f, d)
		}
	}
}

func TestNamesNeverCollide(t *testing.T) {
	part := partEnding(share.ID{})
	element := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "A", "a" + part, strings.ToUpper("a" + part), "a (2)", "a (2)" + part, "\u00e9", "e\u0301", "\u00c9", "b", "\u212a", "k", "\u0131", "I",
			"a\u200d", strings.Repeat("a", 255), strings.Repeat("A", 251) + ".txt", strings.Repeat("\u00e9", 127)}),
		rapid.StringMatching(`[a-cA-C. ()2]{1,6}x`))
	rapid.Check(t, func(t *rapid.T) {
		in := &metainfo.Info{Multi: true}
		for range rapid.IntRange(1, 20).Draw(t, "files") {
			f := metainfo.File{Path: rapid.SliceOfN(element, 1, 4).Draw(t, "path")}
			f.Length = rapid.Int64Range(0, 2).Draw(t, "length")
			f.Pad = rapid.IntRange(0, 9).Draw(t, "pad") == 0
			in.Files = append(in.Files, f)
		}
		for range rapid.IntRange(0, 3).Draw(t, "folders") {
			in.Folders = append(in.Folders, rapid.SliceOfN(element, 1, 3).Draw(t, "folder"))
		}
		checkNames(t, in, rapid.Bool().Draw(t, "exact"))
	})
}

func FuzzMapNames(f *testing.F) {
	f.Add("a\na/b\nA", false)
	f.Add("x.shoal-000000.part\nx\nX.SHOAL-000000.PART\nx/y", true)
	f.Add("\u00e9\ne\u0301\n"+strings.Repeat("z", 255), false)
	f.Fuzz(func(t *testing.T, list string, exact bool) {
		in := &metainfo.Info{Multi: true}
		for _, line := range strings.Split(list, "\n") {
			var p []string
			for _, e := range strings.Split(line, "/") {
				// What metainfo would have refused or cleaned.
				if e != "" && e != "." && e != ".." && len(e) <= maxName && utf8.ValidString(e) {
					p = append(p, e)
				}
			}
			if len(p) > 0 && len(p) < 100 && len(in.Files) < 500 {
				in.Files = append(in.Files, metainfo.File{Path: p, Length: 1})
			}
		}
		checkNames(t, in, exact)
	})
}
