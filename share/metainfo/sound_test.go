package metainfo

import (
	"crypto/sha1"
	"crypto/sha256"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

// The properties below hold for whatever is accepted: the tests and the fuzz
// targets check them alike.

// checkSound is the promise of the package.
func checkSound(t testing.TB, in *Info) {
	t.Helper()
	if in.HasV1() && in.ID != sha1.Sum(in.Bytes()) || !in.HasV1() && in.ID != share.ID(in.V2[:20]) {
		t.Errorf("the ID %v is not the hash of the dictionary", in.ID)
	}
	if in.NumPieces < 1 || in.NumPieces > MaxPieces || in.PieceLength < 1 || in.PieceLength > MaxPieceLength {
		t.Errorf("%d pieces of %d bytes", in.NumPieces, in.PieceLength)
	}
	checkName(t, in.Name)
	var offset, sum, pad int64
	for i, f := range in.Files {
		if f.Offset != offset || f.Length < 0 || f.Symlink && f.Length != 0 {
			t.Fatalf("file %d has %d bytes at %d, want it at %d", i, f.Length, f.Offset, offset)
		}
		offset += f.Length
		if f.Pad {
			pad += f.Length
		}
		if len(f.Path) == 0 || len(f.Path) > maxPathDepth || len(strings.Join(f.Path, "/")) > maxPathBytes {
			t.Errorf("file %d has a path of %d elements", i, len(f.Path))
		}
		for _, e := range f.Path {
			checkName(t, e)
		}
	}
	if !in.Multi && (len(in.Files) != 1 || in.Files[0].Path[0] != in.Name) {
		t.Errorf("a single file is not as its name: %v", in.Files)
	}
	for _, folder := range in.Folders {
		if len(folder) == 0 {
			t.Error("an empty folder without a name")
		}
		for _, e := range folder {
			checkName(t, e)
		}
	}
	if offset != in.Total || in.Size() != in.Total-pad || in.Size() <= 0 {
		t.Errorf("the files have %d bytes, the total is %d, the size %d", offset, in.Total, in.Size())
	}
	for _, i := range []int{0, in.NumPieces / 2, in.NumPieces - 1} {
		if in.HasV1() {
			in.PieceHash(i)
		}
		if n := in.PieceSize(i); n < 1 || n > in.PieceLength || n < in.PieceLength && i != in.NumPieces-1 {
			t.Errorf("piece %d has %d bytes", i, n)
		}
		sum += in.PieceSize(i)
	}
	checkV2(t, in)
	if last := in.NumPieces - 1; int64(last)*in.PieceLength+in.PieceSize(last) != in.Total {
		t.Errorf("%d pieces do not make %d bytes", in.NumPieces, in.Total)
	}
}

// checkV2 checks what is described for BEP 52, or not.
func checkV2(t testing.TB, in *Info) {
	t.Helper()
	ids := in.IDs()
	sum := sha256.Sum256(in.Bytes())
	if in.HasV2() != (in.V2 == sum) || in.Hybrid != (in.HasV1() && in.HasV2()) || !in.HasV1() && !in.HasV2() {
		t.Errorf("v1 %v, v2 %v, hybrid %v, hash %x", in.HasV1(), in.HasV2(), in.Hybrid, in.V2)
	}
	if ids[0] != in.ID || len(ids) != 1 && !in.Hybrid || in.Hybrid && (len(ids) != 2 || ids[1] != share.ID(sum[:20])) {
		t.Errorf("the IDs are %v", ids)
	}
	l := NewLayers(in)
	if (l != nil) != in.HasV2() {
		t.Error("layers without a description for BEP 52, or none with one")
	}
	if !in.HasV2() {
		return
	}
	var data, pieces int64
	missing := make(map[merkle.Hash]bool)
	for i, f := range in.Files {
		if f.Length == 0 || f.Pad {
			continue
		}
		if first, ok := l.File(f.Root); !ok || in.Files[first].Length != f.Length {
			t.Fatalf("the root of file %d is of no file", i)
		}
		if f.Length > in.PieceLength {
			missing[f.Root] = true
		}
		pieces += piecesOf(f.Length, in.PieceLength)
	}
	if pieces != int64(in.NumPieces) {
		t.Fatalf("the files have %d pieces of %d", pieces, in.NumPieces)
	}
	for i := range min(in.NumPieces, 1000) {
		f := &in.Files[in.fileOf(i)]
		if n := in.DataSize(i); f.Pad || n < 1 || n > in.PieceSize(i) {
			t.Fatalf("piece %d has %d bytes of a file", i, n)
		}
		if n := in.WireSize(i); n != in.PieceSize(i) && (n != in.DataSize(i) || in.HasV1()) {
			t.Fatalf("piece %d has %d bytes for peers", i, n)
		}
		data += in.DataSize(i)
		if _, _, known := in.PieceRoot(i, l); known != !missing[f.Root] {
			t.Fatalf("the root of piece %d of a file of %d bytes: %v", i, f.Length, known)
		}
	}
	if in.NumPieces <= 1000 && data != in.Size() {
		t.Errorf("the pieces have %d bytes of files, the files %d", data, in.Size())
	}
	roots := l.Missing()
	if len(roots) != len(missing) || l.Complete() != (len(missing) == 0) {
		t.Errorf("%d layers are missing, want %d", len(roots), len(missing))
	}
	for _, root := range roots {
		if !missing[root] || l.Layer(root) != nil {
			t.Errorf("the layer of %x is not missing", root)
		}
	}
}

func checkName(t testing.TB, s string) {
	t.Helper()
	r := asNamed
	if runtime.GOOS == "windows" {
		r = windows
	}
	checkClean(t, s, r)
}

func checkClean(t testing.TB, s string, r rules) {
	t.Helper()
	switch {
	case s == "", s == ".", s == "..", len(s) > MaxName, !utf8.ValidString(s):
	case strings.ContainsAny(s, "/\x00"), strings.ContainsFunc(s, unicode.IsControl), strings.ContainsAny(s, "\u202e\u2066\u2028"):
	case r != asNamed && (strings.Contains(s, `\`) || strings.TrimRight(s, ". ") != s || isReserved(s) || strings.ContainsAny(s, "\u200b\ufeff")):
	case r == windows && strings.ContainsAny(s, onlyWindowsForbids):
	default:
		return
	}
	t.Errorf("%q is not a safe name", s)
}

// checkEncode makes sure that what is written is read again as the same.
func checkEncode(t testing.TB, torrent *Torrent) {
	t.Helper()
	b := torrent.Encode()
	again, err := Parse(b)
	if err != nil {
		t.Errorf("what Encode wrote is refused: %v", err)
		return
	}
	opts := cmp.Options{cmp.AllowUnexported(Torrent{}, Info{}), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b *Layers) bool { return sameLayers(a, b) })}
	if diff := cmp.Diff(torrent, again, opts); diff != "" {
		t.Errorf("read -, written and read +:\n%s", diff)
	}
}

// sameLayers tells whether what a reads from a torrent is what Encode gives b.
// Layers that are incomplete are not written.
func sameLayers(a, b *Layers) bool {
	if a == nil || b == nil {
		return a == b
	}
	want := a.known
	if !a.Complete() {
		want = nil
	}
	return maps.EqualFunc(want, b.known, slices.Equal)
}
