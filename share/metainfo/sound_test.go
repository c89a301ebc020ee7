package metainfo

import (
	"crypto/sha1"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/anacrolix/torrent/bencode"
	lib "github.com/anacrolix/torrent/metainfo"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The properties below hold for whatever is accepted: the tests and the fuzz
// targets check them alike.

// checkSound is the promise of the package.
func checkSound(t testing.TB, in *Info) {
	t.Helper()
	if in.ID != sha1.Sum(in.Bytes()) {
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
		in.PieceHash(i)
		if n := in.PieceSize(i); n < 1 || n > in.PieceLength || n < in.PieceLength && i != in.NumPieces-1 {
			t.Errorf("piece %d has %d bytes", i, n)
		}
		sum += in.PieceSize(i)
	}
	if last := in.NumPieces - 1; int64(last)*in.PieceLength+in.PieceSize(last) != in.Total {
		t.Errorf("%d pieces do not make %d bytes", in.NumPieces, in.Total)
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

// checkEngineAgrees makes sure that the engine's library can take what we
// accept: what it would choke on, in setInfo and later, must not pass here.
func checkEngineAgrees(t testing.TB, in *Info) {
	t.Helper()
	var info lib.Info
	if err := bencode.Unmarshal(in.Bytes(), &info); err != nil {
		t.Errorf("the engine cannot read it: %v", err)
		return
	}
	if info.PieceLength != in.PieceLength || info.HasV2() != in.Hybrid || !info.HasV1() {
		t.Errorf("the engine sees pieces of %d bytes, v1 %v, v2 %v", info.PieceLength, info.HasV1(), info.HasV2())
		return
	}
	if in.Hybrid {
		// The engine looks at these before storage turns the dictionary to v1.
		if err := info.FileTree.Validate(); err != nil {
			t.Errorf("the engine does not take the file tree: %v", err)
		}
		if info.NumPieces() != in.NumPieces {
			t.Errorf("the engine sees %d pieces of v2, we see %d", info.NumPieces(), in.NumPieces)
		}
		info.MetaVersion, info.FileTree = 1, lib.FileTree{}
	}
	if info.NumPieces() != in.NumPieces || info.TotalLength() != in.Total || info.IsDir() != in.Multi {
		t.Errorf("the engine sees %d pieces of %d bytes, we see %d of %d", info.NumPieces(), info.TotalLength(), in.NumPieces, in.Total)
		return
	}
	i := 0
	for f := range info.UpvertedV1Files() {
		if f.Length != in.Files[i].Length || f.TorrentOffset != in.Files[i].Offset {
			t.Errorf("the engine sees %d bytes at %d for file %d, we see %d at %d", f.Length, f.TorrentOffset, i, in.Files[i].Length, in.Files[i].Offset)
		}
		i++
	}
	if i != len(in.Files) {
		t.Errorf("the engine sees %d files, we see %d", i, len(in.Files))
	}
	for _, i := range []int{0, in.NumPieces - 1} {
		if p := info.Piece(i); p.Length() != in.PieceSize(i) || p.V1Hash().Value != in.PieceHash(i) {
			t.Errorf("the engine sees %d bytes in piece %d, we see %d", p.Length(), i, in.PieceSize(i))
		}
	}
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
	opts := cmp.Options{cmp.AllowUnexported(Torrent{}, Info{}), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(torrent, again, opts); diff != "" {
		t.Errorf("read -, written and read +:\n%s", diff)
	}
	if _, err := lib.Load(strings.NewReader(string(b))); err != nil {
		t.Errorf("the engine cannot read what Encode wrote: %v", err)
	}
}
