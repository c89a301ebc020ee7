package metainfo

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Info dictionaries that are nearly right: a fuzzer hardly gets there, since a
// changed string needs a changed length. Whatever of them is accepted must be
// sound.
func TestRandomInfo(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		b := enc(randomInfo(t))
		in, err := ParseInfo(b)
		if err != nil {
			return
		}
		accepted++
		checkSound(failer{t: t}, in)
	})
	if accepted == 0 {
		t.Error("none was accepted")
	}
}

func randomInfo(t *rapid.T) dict {
	rarely := func(label string) bool { return rapid.IntRange(0, 99).Draw(t, label) == 57 }
	odd := rapid.SampledFrom([]any{0, 1, -1, 2, 16384, 1 << 40, "", "a", "..", list{}, list{"a"}, list{1}, dict{}, dict{"a": 1},
		raw("d1:bi1e1:ai1ee"), raw("i99999999999999999999e"), raw("i01e"), raw("-1:"), strings.Repeat("r", 32)})
	mess := func(d dict, keys ...string) {
		for _, k := range keys {
			if rarely("odd " + k) {
				d[k] = odd.Draw(t, k)
			}
			if rarely("no " + k) {
				delete(d, k)
			}
		}
	}
	length := rapid.SampledFrom([]int{0, 0, 1, 100, 16383, 16384, 16385, 40000, 65536})
	isHybrid := rapid.Bool().Draw(t, "hybrid")
	var files list
	tree := dict{}
	total, data := 0, 0
	n := rapid.IntRange(1, 6).Draw(t, "files")
	for i := range n {
		size := length.Draw(t, "length")
		name := fmt.Sprintf("%d%s", i, rapid.SampledFrom([]string{"", ".txt", "/", "\xff", " ", "é"}).Draw(t, "name"))
		if isHybrid && total%16384 != 0 && size > 0 && !rarely("no pad") {
			p := 16384 - total%16384
			files = append(files, pad(p))
			total += p
		}
		f := file(size, name)
		mess(f, "length", "path", "attr", "path.utf-8", "symlink path", "sha1", "x")
		files = append(files, f)
		leaf := leafOf(size, byte('a'+i))
		mess(leaf[""].(dict), "length", "pieces root", "attr")
		tree[name] = leaf
		total += size
		data += size
	}
	info := dict{"files": files, "name": "n", "piece length": 16384, "pieces": hashes((total + 16383) / 16384)}
	if n == 1 && rapid.Bool().Draw(t, "single") {
		delete(info, "files")
		info["length"] = data
		for name := range tree {
			info["name"] = name
		}
	}
	if isHybrid {
		info["meta version"] = 2
		info["file tree"] = tree
		if rapid.Bool().Draw(t, "v2 only") {
			delete(info, "pieces")
			delete(info, "files")
			delete(info, "length")
		}
	}
	mess(info, "files", "length", "name", "name.utf-8", "piece length", "pieces", "private", "source", "attr", "sha1",
		"symlink path", "meta version", "file tree", "x")
	return info
}
