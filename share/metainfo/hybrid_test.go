package metainfo

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

func leafOf(length int, root byte) dict {
	props := dict{"length": length}
	if length > 0 {
		props["pieces root"] = strings.Repeat(string(root), 32)
	}
	return dict{"": props}
}

func pad(n int) dict { return with(file(n, ".pad", "p"), dict{"attr": "p"}) }

// hybrid has an empty file first, between, inside padding and last.
func hybrid(changes dict) dict {
	return with(with(multi(
		file(0, "0"),
		file(100, "a"), pad(16284),
		file(20000, "b", "c"), file(0, "b", "d"), pad(12768),
		file(7, "e"),
		file(0, "f"),
	), dict{
		"meta version": 2,
		"file tree": dict{
			"0": leafOf(0, 0),
			"a": leafOf(100, 'r'),
			"b": dict{"c": leafOf(20000, 's'), "d": leafOf(0, 0)},
			"e": leafOf(7, 't'),
			"f": leafOf(0, 0),
		},
	}), changes)
}

func TestHybrid(t *testing.T) {
	for name, info := range map[string]dict{
		"with empty files": hybrid(nil),
		"with a tail pad":  hybrid(dict{"files": append(hybrid(nil)["files"].(list), pad(16377))}),
		"of one file": with(single(nil), dict{"meta version": 2,
			"file tree": dict{"a.txt": leafOf(40000, 'r')}}),
		"with a link": with(multi(file(5, "a"), dict{"attr": "l", "path": path("b"), "symlink path": path("a")}), dict{
			"meta version": 2,
			"file tree":    dict{"a": leafOf(5, 'r'), "b": dict{"": dict{"attr": "l", "symlink path": path("a")}}}}),
	} {
		in, err := ParseInfo(enc(info))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !in.Hybrid {
			t.Errorf("%s: not a hybrid", name)
		}
		checkSound(t, in)
	}
}

func TestRefusedHybrid(t *testing.T) {
	tree := func(changes dict) dict {
		return hybrid(dict{"file tree": with(hybrid(nil)["file tree"].(dict), changes)})
	}
	files := func(fs ...any) dict {
		m := multi(fs...)
		return hybrid(dict{"files": m["files"], "pieces": m["pieces"]})
	}
	props := func(p dict) dict { return tree(dict{"a": dict{"": p}}) }
	for name, info := range map[string]dict{
		"no file tree":         hybrid(dict{"file tree": nil}),
		"empty file tree":      hybrid(dict{"file tree": dict{}}),
		"file missing":         tree(dict{"f": nil}),
		"file too many":        tree(dict{"g": leafOf(0, 0)}),
		"other name":           tree(dict{"f": nil, "g": leafOf(0, 0)}),
		"other length":         tree(dict{"a": leafOf(101, 'r')}),
		"file is a folder":     tree(dict{"a": dict{"a": leafOf(100, 'r')}}),
		"empty folder":         tree(dict{"g": dict{}}),
		"file and folder":      tree(dict{"a": dict{"": dict{"length": 100, "pieces root": strings.Repeat("r", 32)}, "x": leafOf(0, 0)}}),
		"empty name":           tree(dict{"b": dict{"c": leafOf(20000, 's'), "d": leafOf(0, 0), "": dict{}}}),
		"negative length":      props(dict{"length": -100}),
		"no length":            props(dict{"pieces root": strings.Repeat("r", 32)}),
		"no root":              props(dict{"length": 100}),
		"short root":           props(dict{"length": 100, "pieces root": strings.Repeat("r", 31)}),
		"zero root":            props(dict{"length": 100, "pieces root": strings.Repeat("\x00", 32)}),
		"root of an empty one": tree(dict{"f": dict{"": dict{"length": 0, "pieces root": strings.Repeat("r", 32)}}}),
		"a pad in the tree":    props(dict{"attr": "p", "length": 100, "pieces root": strings.Repeat("r", 32)}),
		"root is a number":     props(dict{"length": 100, "pieces root": 1}),
		"piece length odd":     hybrid(dict{"piece length": 16385}),
		"piece length small":   hybrid(dict{"piece length": 8192, "pieces": hashes(7)}),
		"not padded":           files(file(0, "0"), file(100, "a"), file(20000, "b", "c"), file(0, "b", "d"), pad(12668), file(7, "e"), file(0, "f")),
		"a piece of padding":   files(file(0, "0"), file(100, "a"), pad(16284), pad(16384), file(20000, "b", "c"), file(0, "b", "d"), pad(12768), file(7, "e"), file(0, "f")),
		"other order":          files(file(0, "0"), file(20000, "b", "c"), pad(12768), file(100, "a"), pad(16284), file(0, "b", "d"), file(7, "e"), file(0, "f")),
		"unsorted tree":        hybrid(dict{"file tree": raw("d1:ad0:d6:lengthi0eee1:0d0:d6:lengthi0eeee")}),
	} {
		if _, err := ParseInfo(enc(info)); share.KindOf(err) != share.Refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// rootOf computes a pieces root from the definition.
func rootOf(data []byte) []byte {
	var row [][]byte
	for len(data) > 0 {
		n := min(merkle.BlockSize, len(data))
		row = append(row, sha(data[:n]))
		data = data[n:]
	}
	for len(row)&(len(row)-1) != 0 {
		row = append(row, make([]byte, 32))
	}
	for len(row) > 1 {
		for i := range len(row) / 2 {
			row[i] = sha(row[2*i], row[2*i+1])
		}
		row = row[:len(row)/2]
	}
	return row[0]
}

// What is made as a hybrid is one: mustMake reads it as v1, here the roots are
// compared with the files.
func TestMakeHybrid(t *testing.T) {
	files := map[string][]byte{
		"a/block":         random(16<<10, 1),
		"a/block and one": random(16<<10+1, 2),
		"a/empty":         nil,
		"a.b":             []byte("x"),
		"again":           random(300_000, 3),
		"big":             random(300_000, 3),
		"hollow/":         nil,
		"last":            random(5<<20+7, 4),
		"z":               nil,
	}
	root := plant(t, files)
	if err := os.Chmod(filepath.Join(root, "last"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := mustMake(t, root, MakeOptions{})
	for _, o := range []MakeOptions{{}, {PieceLength: 16 << 10}, {PieceLength: 32 << 10, Workers: 1}, {PieceLength: 8 << 20}, {PieceLength: 2 * heldBytes}} {
		o.Hybrid = true
		made := mustMake(t, root, o)
		if !made.Info.Hybrid || made.Info.Size() != plain.Info.Size() || len(made.Info.Folders) != 1 {
			t.Errorf("pieces of %d: hybrid %v, %d bytes, %d empty folders", o.PieceLength, made.Info.Hybrid, made.Info.Size(), len(made.Info.Folders))
		}
		for _, f := range made.Info.Files {
			if f.Pad {
				continue
			}
			if data := files[strings.Join(f.Path, "/")]; f.Length != int64(len(data)) || len(data) > 0 && !bytes.Equal(f.Root[:], rootOf(data)) {
				t.Errorf("pieces of %d: %v has %d bytes and the root %x", made.Info.PieceLength, f.Path, f.Length, f.Root)
			}
		}
		same, err := Same(t.Context(), root, o, made.Torrent)
		if err != nil || same.Info.ID != made.Info.ID {
			t.Errorf("pieces of %d: not the same as itself: %v", o.PieceLength, err)
		}
		if _, err := Same(t.Context(), root, MakeOptions{}, made.Torrent); err == nil {
			t.Error("a hybrid is the same as what is not one")
		}
		if again := mustMake(t, root, o); again.Info.ID != made.Info.ID || !sameLayers(again.Layers, made.Layers) {
			t.Errorf("pieces of %d: made anew it is another", o.PieceLength)
		}
	}
	single := mustMake(t, filepath.Join(root, "big"), MakeOptions{Hybrid: true})
	if single.Info.Multi || len(single.Info.Files) != 1 || !single.Info.Hybrid {
		t.Errorf("one file is %+v", single.Info)
	}
}

// Many small files do not make pieces larger: they need one each anyway.
func TestMakeHybridOfSmallFiles(t *testing.T) {
	files := make(map[string][]byte)
	for i := range 3000 {
		files[strconv.Itoa(i)] = []byte{byte(i), byte(i >> 8)}
	}
	made := mustMake(t, plant(t, files), MakeOptions{Hybrid: true})
	if made.Info.PieceLength != minMadePiece || made.Info.NumPieces != 3000 {
		t.Errorf("%d pieces of %d bytes", made.Info.NumPieces, made.Info.PieceLength)
	}
}

func sha(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// The tree over three pieces of two blocks each, spelt out.
func TestPieceLayers(t *testing.T) {
	var zero [32]byte
	p0, p1, p2 := sha([]byte("0")), sha([]byte("1")), sha([]byte("2"))
	root := sha(sha(p0, p1), sha(p2, sha(zero[:], zero[:])))
	info := dict{
		"length": 70000, "name": "a", "piece length": 32768, "pieces": hashes(3), "meta version": 2,
		"file tree": dict{"a": dict{"": dict{"length": 70000, "pieces root": string(root)}}},
	}
	good := string(p0) + string(p1) + string(p2)
	for name, tt := range map[string]struct {
		layers any
		ok     bool
	}{
		"none":           {nil, true},
		"empty":          {dict{}, true},
		"right":          {dict{string(root): good}, true},
		"short":          {dict{string(root): good[:64]}, false},
		"long":           {dict{string(root): good + good[:32]}, false},
		"wrong":          {dict{string(root): good[:64] + good[:32]}, false},
		"of no file":     {dict{strings.Repeat("r", 32): good}, true},
		"a short root":   {dict{strings.Repeat("r", 31): good}, false},
		"a number":       {dict{string(root): 1}, false},
		"not dictionary": {list{}, false},
	} {
		torrent, err := Parse(enc(with(dict{"info": info}, dict{"piece layers": tt.layers})))
		if (err == nil) != tt.ok || err != nil && share.KindOf(err) != share.Refused {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			checkEncode(t, torrent)
		}
	}
}

// Without what is about peers, a torrent is still whole.
func TestContent(t *testing.T) {
	root := plant(t, map[string][]byte{"a": random(100_000, 1), "b": random(5, 2)})
	made := mustMake(t, root, MakeOptions{Hybrid: true})
	made.Trackers, made.Comment = [][]string{{"http://tracker.example/announce"}}, "hello"
	again, err := Parse(made.Content().Encode())
	if err != nil {
		t.Fatal(err)
	}
	if again.Info.ID != made.Info.ID || again.Trackers != nil || again.Comment != "" || !sameLayers(again.Layers, made.Layers) {
		t.Errorf("got %+v", again)
	}
}

// A torrent whose hybrid form others would refuse is not made.
func TestMakeHybridRefuses(t *testing.T) {
	m := &maker{name: "x", multi: true, hybrid: true, pieceLength: minMadePiece}
	for range 3 {
		m.entries = append(m.entries, entry{path: []string{"a"}, file: "a", info: sized(MaxPieces / 2 * minMadePiece)})
	}
	m.total = 3 * MaxPieces / 2 * minMadePiece
	if err := m.align(); err == nil || !strings.Contains(err.Error(), "pieces, more than") {
		t.Errorf("got %v", err)
	}
	// Its dictionary would be small enough; its piece layers would not.
	m = &maker{name: "x", hybrid: true, pieceLength: minMadePiece, total: 200_000 * minMadePiece}
	m.entries = []entry{{file: "x", info: sized(m.total)}}
	if err := m.align(); err == nil || !strings.Contains(err.Error(), "its torrent would have") {
		t.Errorf("got %v", err)
	}
}
