package metainfo

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shoalnet/shoal/share"
)

func TestParseInfo(t *testing.T) {
	b := enc(multi(
		with(file(10, "bin", "run"), dict{"attr": "x"}),
		with(file(16374, ".pad", "16374"), dict{"attr": "p"}),
		file(0, "empty"),
		file(20000, "large"),
		dict{"attr": "l", "path": path("link"), "symlink path": path("bin", "run")},
		file(7, "_____padding_file_0_x"),
	))
	in, err := ParseInfo(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{Path: []string{"bin", "run"}, Length: 10, Exec: true},
		{Path: []string{".pad", "16374"}, Length: 16374, Offset: 10, Pad: true},
		{Path: []string{"empty"}, Offset: 16384},
		{Path: []string{"large"}, Length: 20000, Offset: 16384},
		{Path: []string{"link"}, Offset: 36384, Symlink: true},
		{Path: []string{"_____padding_file_0_x"}, Length: 7, Offset: 36384, Pad: true},
	}
	if diff := cmp.Diff(want, in.Files); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if in.Name != "folder" || !in.Multi || in.Private || in.Hybrid || in.NumPieces != 3 || in.Total != 36391 || in.Size() != 20010 {
		t.Errorf("got %+v", in)
	}
	if !bytes.Equal(in.Bytes(), b) || in.PieceSize(2) != 36391-2*16384 || string(in.PieceHash(1)[0]) != "0" {
		t.Error("the dictionary is not kept")
	}
	b[5] ^= 1
	if bytes.Equal(in.Bytes(), b) {
		t.Error("the dictionary is not copied")
	}
	checkSound(t, in)
}

func TestEmptyFolders(t *testing.T) {
	pad := dict{"attr": "p"}
	in, err := ParseInfo(enc(multi(
		file(1, "a"),
		with(file(0, "b", "..", "c", ".pad", "0"), pad),
		with(file(0, ".pad", "0"), pad),           // no folder: the root is not empty
		with(file(0, "d", ".pad", "1"), pad),      // not a mark
		file(0, "e", ".pad", "0"),                 // a file
		with(file(3, "f", ".pad", "0"), pad),      // padding
		with(file(0, "..", "", ".pad", "0"), pad), // names nothing
		with(file(0, "CON", "\x1b", ".pad", "0"), pad),
	)))
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]string{{"b", "c"}, {"CON", "_"}}; !cmp.Equal(want, in.Folders) {
		t.Errorf("got %q, want %q", in.Folders, want)
	}
	checkSound(t, in)
}

func TestPrivate(t *testing.T) {
	for value, want := range map[any]bool{nil: false, 0: false, 1: true, 2: true} {
		in, err := ParseInfo(enc(single(dict{"private": value})))
		if err != nil || in.Private != want {
			t.Errorf("private %v: %v", value, err)
		}
	}
}

func TestNameOfTorrent(t *testing.T) {
	for _, tt := range []struct{ name, utf8, want any }{
		{"a", nil, "a"},
		{"a", "b", "b"},
		{nil, "b", "b"},
		{"a", "", "a"},
		{"a", "\xff", "a"},
		{"..", nil, ""},
		{"", nil, ""},
		{"ok", "..", ""},
		{"/", nil, "_"},
	} {
		b := enc(single(dict{"name": tt.name, "name.utf-8": tt.utf8}))
		in, err := ParseInfo(b)
		if err != nil {
			t.Errorf("%q, %q: %v", tt.name, tt.utf8, err)
			continue
		}
		if tt.want == "" {
			tt.want = in.ID.String()
		}
		if in.Name != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.name, tt.utf8, in.Name, tt.want)
		}
	}
}

// What libtorrent takes, although it is odd: keys in any order, keys that nothing
// reads or that say nothing of the content with values of any type, and links with
// a length.
func TestOddInfo(t *testing.T) {
	for name, info := range map[string]any{
		"keys unsorted":              raw("d6:pieces20:" + hashes(1) + "12:piece lengthi16384e4:name1:n5:filesld4:pathl1:ae6:lengthi5eeee"),
		"unknown keys unsorted":      single(dict{"x": raw("d1:bi1e1:ai1ee")}),
		"unknown keys repeated":      single(dict{"x": raw("d1:ai1e1:ai1ee")}),
		"source a number":            single(dict{"source": 5}),
		"sha1 a number":              single(dict{"sha1": 1}),
		"symlink path a string":      single(dict{"symlink path": "x"}),
		"attr a number":              single(dict{"attr": 1}),
		"name.utf-8 a number":        single(dict{"name.utf-8": 1}),
		"attr of a file a list":      multi(with(file(5, "a"), dict{"attr": list{}})),
		"sha1 of a file a number":    multi(with(file(5, "a"), dict{"sha1": 1})),
		"path.utf-8 a string":        multi(with(file(5, "a"), dict{"path.utf-8": "x"})),
		"link path a string":         multi(with(file(5, "a"), dict{"symlink path": "x"})),
		"a link with a length":       multi(file(5, "a"), with(file(5, "b"), dict{"attr": "l", "symlink path": path("a")})),
		"link of negative length":    with(multi(file(5, "a")), dict{"files": list{file(5, "a"), with(file(-5, "b"), dict{"attr": "l"})}}),
		"link of endless length":     with(multi(file(5, "a")), dict{"files": list{file(5, "a"), with(file(math.MaxInt64, "b"), dict{"attr": "l"})}}),
		"attr in a tree a number":    v2(dict{"file tree": dict{"a": dict{"": with(leafOf(5, 'r')[""].(dict), dict{"attr": 1})}}}),
		"link with bytes, in a tree": v2(dict{"file tree": dict{"a": leafOf(5, 'r'), "b": dict{"": with(leafOf(5, 's')[""].(dict), dict{"attr": "l"})}}}),
	} {
		b := enc(info)
		in, err := ParseInfo(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkSound(t, in)
		if n := in.Size(); n != 5 && n != 40000 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// What is as deep as an info dictionary may be can be kept in a torrent.
func TestDeepInfo(t *testing.T) {
	nested := func(n int) raw { return raw(strings.Repeat("l", n) + strings.Repeat("e", n)) }
	in, err := ParseInfo(enc(single(dict{"x": nested(maxInfoDepth - 1)})))
	if err != nil {
		t.Fatal(err)
	}
	checkEncode(t, &Torrent{Info: in})
	if _, err := ParseInfo(enc(single(dict{"x": nested(maxInfoDepth)}))); share.KindOf(err) != share.Refused {
		t.Errorf("one deeper: %v", err)
	}
}

func TestRefusedInfo(t *testing.T) {
	many := func(n int, f func(i int) any) list {
		var l list
		for i := range n {
			l = append(l, f(i))
		}
		return l
	}
	for name, info := range map[string]any{
		"not a dictionary":        list{},
		"empty":                   dict{},
		"no name":                 single(dict{"name": nil}),
		"name of another type":    single(dict{"name": 1}),
		"no length":               single(dict{"length": nil}),
		"negative length":         single(dict{"length": -40000}),
		"no data":                 single(dict{"length": 0, "pieces": ""}),
		"a file and files":        single(dict{"files": list{file(40000, "a")}}),
		"files of another type":   single(dict{"length": nil, "files": dict{}}),
		"no piece length":         single(dict{"piece length": nil}),
		"piece length zero":       single(dict{"piece length": 0}),
		"piece length negative":   single(dict{"piece length": -16384}),
		"piece length too great":  single(dict{"piece length": MaxPieceLength + 1, "pieces": hashes(1)}),
		"no pieces":               single(dict{"pieces": nil}),
		"too few pieces":          single(dict{"pieces": hashes(2)}),
		"too many pieces":         single(dict{"pieces": hashes(4)}),
		"piece hashes cut":        single(dict{"pieces": hashes(3)[:59]}),
		"total over 64 bits":      with(multi(file(5, "a"), file(math.MaxInt64, "b"), file(math.MaxInt64, "c")), dict{"pieces": hashes(1)}),
		"version 3":               single(dict{"meta version": 3}),
		"version 0":               single(dict{"meta version": 0}),
		"file tree in version 1":  single(dict{"meta version": 1, "file tree": dict{}}),
		"private of another type": single(dict{"private": "1"}),
		"only a pad file":         single(dict{"attr": "p"}),
		"only a link":             single(dict{"attr": "l"}),
		"no files":                with(multi(), dict{"files": list{}, "pieces": hashes(1)}),
		"nothing but padding":     multi(with(file(5, "a"), dict{"attr": "p"})),
		"file is not a dict":      with(multi("a"), dict{"pieces": hashes(1)}),
		"file without length":     multi(file(5, "a"), dict{"path": path("b")}),
		"file without path":       multi(file(5, "a"), dict{"length": 0}),
		"no path but a string":    multi(file(5, "a"), dict{"length": 0, "path.utf-8": "b"}),
		"file length repeated":    multi(file(5, "a"), raw("d6:lengthi1e6:lengthi1e4:pathl1:bee")),
		"path of another type":    multi(file(5, "a"), dict{"length": 0, "path": "b"}),
		"path of numbers":         multi(file(5, "a"), file(0, 1)),
		"path of 101 elements":    multi(file(5, many(101, func(int) any { return "a" })...)),
		"path of 4,001 bytes":     multi(file(5, many(20, func(int) any { return strings.Repeat("a", 200) })...)),
		"33 equal names":          multi(many(33, func(int) any { return file(1, "a") })...),
		"33 names equal to Windows or a Mac": multi(many(33, func(i int) any {
			return file(1, []any{"\u00c9", "e\u0301", "\u00e9", "E\u0301"}[i%4])
		})...),
		"501 pairs of equal names": multi(many(1002, func(i int) any { return file(1, fmt.Sprint(i%501)) })...),
	} {
		_, err := ParseInfo(enc(info))
		if share.KindOf(err) != share.Refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTooMuchInfo(t *testing.T) {
	info := single(dict{"x": strings.Repeat("a", MaxInfo)})
	if _, err := ParseInfo(enc(info)); share.KindOf(err) != share.Refused {
		t.Errorf("over the limit from peers: %v", err)
	}
	if _, err := Parse(enc(dict{"info": info})); err != nil {
		t.Errorf("the same in a torrent file: %v", err)
	}
	if _, err := Parse(enc(dict{"info": single(dict{"x": strings.Repeat("a", MaxTorrent)})})); share.KindOf(err) != share.Refused {
		t.Errorf("over the limit of a torrent file: %v", err)
	}
}

// Many empty files before many pieces cost nothing: the files of a piece are found
// without visiting the others.
func TestEmptyFilesBeforeManyPieces(t *testing.T) {
	var l list
	for i := range 50000 {
		l = append(l, file(0, fmt.Sprint(i)))
	}
	in, err := ParseInfo(enc(multi(append(l, file(20000*16384, "data"))...)))
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, in)
}

// A path.utf-8 that is not UTF-8 does not win over the path.
func TestPathThatClaimsToBeUTF8(t *testing.T) {
	in, err := ParseInfo(enc(multi(with(file(5, "a"), dict{"path.utf-8": path("\xff")}), with(file(6, "b"), dict{"path.utf-8": path("bé")}))))
	if err != nil {
		t.Fatal(err)
	}
	if got := in.Files[0].Path[0] + " " + in.Files[1].Path[0]; got != "a bé" {
		t.Errorf("got %q", got)
	}
}
