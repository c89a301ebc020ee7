package storage

import (
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share/metainfo"
	"pgregory.net/rapid"
)

// Every answer is compared with a list of which file each byte belongs to.
func TestGeometryAgreesWithEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info := &metainfo.Info{PieceLength: int64(rapid.IntRange(1, 20).Draw(t, "piece length"))}
		var owner []int // the file of each byte
		for i := range rapid.IntRange(1, 8).Draw(t, "files") {
			f := metainfo.File{
				Offset: info.Total, Length: int64(rapid.IntRange(0, 30).Draw(t, "length")),
				Pad: rapid.IntRange(0, 4).Draw(t, "pad") == 0,
			}
			info.Files = append(info.Files, f)
			info.Total += f.Length
			for range f.Length {
				owner = append(owner, i)
			}
		}
		info.NumPieces = int((info.Total + info.PieceLength - 1) / info.PieceLength)
		g := geometry{info}

		inPiece := func(at int) int { return at / int(info.PieceLength) }
		for p := range info.NumPieces {
			var want, got []int
			for at, i := range owner {
				if inPiece(at) == p && g.onDisk(i) && !slices.Contains(want, i) {
					want = append(want, i)
				}
			}
			got = slices.AppendSeq(got, g.filesOf(p))
			if !slices.Equal(want, got) {
				t.Fatalf("piece %d has files %v, not %v", p, got, want)
			}
			for i := range info.Files {
				others := slices.ContainsFunc(want, func(k int) bool { return k != i })
				if g.shared(p, i) != others {
					t.Fatalf("piece %d shared with others than %d: %v", p, i, !others)
				}
			}
		}
		for i, f := range info.Files {
			set := newBitmap(max(info.NumPieces, 1))
			counted := int64(0)
			for at, k := range owner {
				if k == i {
					set.set(inPiece(at))
					counted++
				}
			}
			s := g.pieces(i)
			if int(f.Length) > 0 && (!set.hasAll(s) || set.count() != s.To-s.From) || g.bytesIn(set, i) != counted {
				t.Fatalf("file %d has pieces %v of %v, %d bytes of %d", i, s, set.spans(), g.bytesIn(set, i), counted)
			}
			sum := int64(0)
			for p := s.From; p < s.To; p++ {
				at, n := g.partOf(p, i)
				if at != sum || n <= 0 {
					t.Fatalf("piece %d has bytes %d to %d of file %d, after %d", p, at, at+n, i, sum)
				}
				sum += n
			}
			if sum != f.Length {
				t.Fatalf("the pieces have %d bytes of file %d, of %d", sum, i, f.Length)
			}
		}
		if info.Total == 0 {
			return
		}
		off := rapid.IntRange(0, int(info.Total)-1).Draw(t, "offset")
		buf := make([]byte, rapid.IntRange(1, int(info.Total)-off).Draw(t, "bytes"))
		at := off
		n, err := g.each(int64(off), buf, func(i int, in int64, part []byte) (int, error) {
			if owner[at] != i || info.Files[i].Offset+in != int64(at) {
				t.Fatalf("byte %d is byte %d of file %d", at, in, i)
			}
			return g.byPiece(i, in, part, func(piece int, in int64, part []byte) (int, error) {
				if inPiece(at) != piece || inPiece(at+len(part)-1) != piece {
					t.Fatalf("bytes %d to %d are not in piece %d", at, at+len(part), piece)
				}
				at += len(part)
				return len(part), nil
			})
		})
		if n != len(buf) || at != off+len(buf) || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, len(buf), err)
		}
	})
}
