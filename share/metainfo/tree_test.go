package metainfo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

// v2 is hybrid without its v1 description.
func v2(changes dict) dict {
	return with(with(hybrid(nil), dict{"files": nil, "pieces": nil}), changes)
}

// fromLibtorrent reads what libtorrent 2.0.8 made of bytesOfLibtorrent.
func fromLibtorrent(t testing.TB, name string) *Torrent {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/made", name+".torrent"))
	if err != nil {
		t.Fatal(err)
	}
	tor, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

// bytesOfLibtorrent is the content of the torrents in testdata/made, with padding.
func bytesOfLibtorrent(t testing.TB, in *Info) []byte {
	t.Helper()
	seeds := map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 1, "sub/f": 6, "sub/g": 7}
	data := make([]byte, 0, in.Total)
	for _, f := range in.Files {
		seed, known := seeds[strings.Join(f.Path, "/")]
		if known == f.Pad {
			t.Fatalf("%v is unknown, or padding", f.Path)
		}
		for i := range int(f.Length) {
			if f.Pad {
				data = append(data, 0)
			} else {
				data = append(data, byte(i*i>>5+seed))
			}
		}
	}
	return data
}

// What libtorrent made is read as libtorrent reads it, and its hashes are right.
func TestOfLibtorrent(t *testing.T) {
	for name, ids := range map[string][]string{
		"v2":     {"35cfedac9a6aab321be1b230fec09444f871664f93771032fef0d283f0b891cb"},
		"hybrid": {"a737b4aab820b7430bd738bc2d023d0d9c6af418", "5f4a246d3661ec0a6adb2f728cd878bf1b586d1f57d03f3a67c16a7e5e4e5b02"},
	} {
		t.Run(name, func(t *testing.T) {
			tor := fromLibtorrent(t, name)
			in := tor.Info
			checkSound(t, in)
			checkEncode(t, tor)
			var got []string
			for _, id := range in.IDs() {
				got = append(got, id.String())
			}
			for i := range ids {
				if ids[i][:40] != got[i] {
					t.Errorf("the IDs are %v, want %v", got, ids)
				}
			}
			if v := ids[len(ids)-1]; hex.EncodeToString(in.V2[:]) != v || in.Hybrid != (name == "hybrid") {
				t.Errorf("hybrid %v, hash %x, want %s", in.Hybrid, in.V2, v)
			}
			if !tor.Layers.Complete() || tor.Layers.Missing() != nil {
				t.Errorf("layers are missing: %x", tor.Layers.Missing())
			}
			data := bytesOfLibtorrent(t, in)
			missing := NewLayers(in) // of two files that are equal
			if err := missing.Set(in.Files[5].Root, tor.Layers.Layer(in.Files[5].Root)); err != nil {
				t.Fatal(err)
			}
			for i := range in.NumPieces {
				at := int64(i) * in.PieceLength
				right := data[at : at+in.WireSize(i)]
				if v := verdict(in.NewSum(i, tor.Layers), right, 16<<10); v != Right {
					t.Errorf("the right bytes of piece %d: %d", i, v)
				}
				if v := verdict(in.NewSum(i, tor.Layers), data[at:at+in.PieceSize(i)], 16<<10); v != Right {
					t.Errorf("the right bytes of piece %d and its padding: %d", i, v)
				}
				want := Right
				if f := in.Files[in.fileOf(i)].Path[0]; name == "v2" && (f == "a" || f == "e") {
					want = Unknown
				}
				if v := verdict(in.NewSum(i, missing), right, 16<<10); v != want {
					t.Errorf("the right bytes of piece %d without its layer: %d", i, v)
				}
				wrong := slices.Clone(right)
				wrong[0] ^= 1
				if v := verdict(in.NewSum(i, tor.Layers), wrong, 16<<10); v != Wrong {
					t.Errorf("wrong bytes of piece %d: %d", i, v)
				}
			}
			if roots := missing.Missing(); len(roots) != 1 || roots[0] != in.Files[0].Root || missing.Complete() {
				t.Errorf("missing: %x", roots)
			}
			incomplete := &Torrent{Info: in, Layers: missing}
			if bytes.Contains(incomplete.Encode(), []byte("piece layers")) {
				t.Error("incomplete layers are written")
			}
			if err := missing.Set(in.Files[0].Root, slices.Repeat([]merkle.Hash{{1}}, 2)); share.KindOf(err) != share.Refused {
				t.Errorf("a wrong layer: %v", err)
			}
		})
	}
}

func TestV2(t *testing.T) {
	in, err := ParseInfo(enc(v2(dict{"private": 1})))
	if err != nil {
		t.Fatal(err)
	}
	checkSound(t, in)
	paths := func(in *Info) string {
		var s []string
		for _, f := range in.Files {
			s = append(s, fmt.Sprintf("%s %d", strings.Join(f.Path, "/"), f.Length))
		}
		return in.Name + ": " + strings.Join(s, ", ")
	}
	if got, want := paths(in), "folder: 0 0, a 100, .pad/16284 16284, b/c 20000, b/d 0, .pad/12768 12768, e 7, f 0"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if !in.Private || in.HasV1() || in.Hybrid || in.NumPieces != 4 || in.WireSize(2) != 20000-16384 || in.WireSize(3) != 7 || in.Size() != 20107 {
		t.Errorf("got %+v", in)
	}
	for want, tree := range map[string]dict{
		"a.txt: a.txt 5":                      {"a.txt": leafOf(5, 'r')},
		"folder: d/a.txt 5":                   {"d": dict{"a.txt": leafOf(5, 'r')}},
		"folder: _____padding_file_0 5, z 0":  {"_____padding_file_0": leafOf(5, 'r'), "z": leafOf(0, 0)},
		"folder: e 5, .pad/16379 16379, _b 5": {"..": dict{"e": leafOf(5, 'r')}, "/b": leafOf(5, 'r')},
		"folder: l 0, x 1":                    {"l": dict{"": dict{"attr": "l", "symlink path": path("x")}}, "x": leafOf(1, 'r')},
		"folder: a 16384, b 16385, c 0":       {"a": leafOf(16384, 'r'), "b": leafOf(16385, 's'), "c": leafOf(0, 0)},
	} {
		in, err := ParseInfo(enc(v2(dict{"file tree": tree})))
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		checkSound(t, in)
		if got := paths(in); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	in, err = ParseInfo(enc(v2(dict{"file tree": dict{"..": leafOf(5, 'r')}})))
	if err != nil || in.Name != in.ID.String() || in.Multi {
		t.Errorf("a file named ..: %+v, %v", in, err)
	}
	in, err = ParseInfo(enc(v2(dict{"file tree": dict{"run": dict{"": dict{"attr": "x", "length": 1, "pieces root": strings.Repeat("r", 32)}}}})))
	if err != nil || !in.Files[0].Exec || in.Files[0].Root[0] != 'r' {
		t.Errorf("a program: %+v, %v", in, err)
	}
}

func TestRefusedV2(t *testing.T) {
	tree := func(changes dict) dict { return v2(dict{"file tree": changes}) }
	props := func(p dict) dict { return tree(dict{"a": dict{"": p}}) }
	root := strings.Repeat("r", 32)
	deep := leafOf(5, 'r')
	for range maxInfoDepth {
		deep = dict{"d": deep}
	}
	for name, info := range map[string]dict{
		"no tree":                 v2(dict{"file tree": nil}),
		"an empty tree":           tree(dict{}),
		"no name":                 v2(dict{"name": nil}),
		"no piece length":         v2(dict{"piece length": nil}),
		"an odd piece length":     v2(dict{"piece length": 16385}),
		"a small piece length":    v2(dict{"piece length": 8192}),
		"a large piece length":    v2(dict{"piece length": 1 << 30}),
		"a tree of version 1":     v2(dict{"meta version": 1}),
		"version 3":               v2(dict{"meta version": 3}),
		"no data":                 tree(dict{"a": leafOf(0, 0), "b": leafOf(0, 0)}),
		"one link":                props(dict{"attr": "l", "symlink path": path("b")}),
		"a file too large":        props(dict{"length": MaxPieces*16384 + 1, "pieces root": root}),
		"too many pieces":         tree(dict{"a": leafOf(1, 'r'), "b": leafOf(MaxPieces*16384-16383, 's')}),
		"an overflow":             tree(dict{"a": leafOf(1<<62, 'r'), "b": leafOf(1<<62, 's'), "c": leafOf(1<<62, 't')}),
		"one root, two lengths":   tree(dict{"a": leafOf(5, 'r'), "b": leafOf(6, 'r')}),
		"pieces of a wrong type":  v2(dict{"pieces": 5}),
		"deeper than a path goes": tree(deep),
	} {
		if _, err := ParseInfo(enc(info)); share.KindOf(err) != share.Refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := ParseInfo(enc(tree(dict{"a": leafOf(1, 'r'), "b": leafOf(MaxPieces*16384-16384, 's')}))); err != nil {
		t.Errorf("as many pieces as there may be: %v", err)
	}
}

// The files of a deep folder share its path in the dictionary, and not in memory.
func TestTreeOfLongPaths(t *testing.T) {
	leaves := dict{}
	for i := range 50_000 {
		leaves[fmt.Sprint(i)] = leafOf(0, 0)
	}
	leaves["data"] = leafOf(1, 'r')
	deep := leaves
	for range 40 {
		deep = dict{strings.Repeat("d", 90): deep}
	}
	b := enc(v2(dict{"file tree": deep}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ParseInfo(b)
	runtime.ReadMemStats(&after)
	if share.KindOf(err) != share.Refused || !strings.Contains(err.Error(), "paths") {
		t.Errorf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2*maxPaths {
		t.Errorf("took %d bytes of memory for %d", used, len(b))
	}
}
