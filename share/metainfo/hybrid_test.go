package metainfo

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func leafOf(length int, root byte) dict {
	props := dict{"length": length}
	if length > 0 {
		props["pieces root"] = strings.Repeat(string(root), 32)
	}
	return dict{"": props}
}

func pad(n int) dict { return with(file(n, ".pad", "p"), dict{"attr": "p"}) }

// hybrid has an empty file first, between, inside padding and last: the v2
// reading of the engine's library fails on those.
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
		checkEngineAgrees(t, in)
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
		"of no file":     {dict{strings.Repeat("r", 32): good}, false},
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
