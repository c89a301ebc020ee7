package metainfo

import (
	"crypto/sha1"
	"testing"

	"github.com/shoalnet/shoal/share/merkle"
	"pgregory.net/rapid"
)

// contentOf is the content of files of these sizes, at the borders of pieces if
// aligned, and the info dictionary that describes it.
func contentOf(t testing.TB, sizes []int, pieceLength int, hybrid bool) (*Torrent, []byte) {
	t.Helper()
	files := make(map[string][]byte)
	for i, n := range sizes {
		files[string(rune('a'+i))] = random(n, uint64(i))
	}
	made := mustMake(t, plant(t, files), MakeOptions{PieceLength: int64(pieceLength), Hybrid: hybrid})
	var data []byte
	for _, f := range made.Info.Files {
		if f.Pad {
			data = append(data, make([]byte, f.Length)...)
		} else {
			data = append(data, files[f.Path[0]]...)
		}
	}
	return made.Torrent, data
}

// verdict is that of a Sum given p in chunks.
func verdict(s *Sum, p []byte, chunk int) Verdict {
	for len(p) > 0 {
		n := min(chunk, len(p))
		s.Write(p[:n])
		p = p[n:]
	}
	return s.Verdict()
}

func TestSum(t *testing.T) {
	sizes := []int{5, 16384, 0, 32768, 100_000, 70_000, 1}
	for _, hybrid := range []bool{false, true} {
		tor, data := contentOf(t, sizes, 32768, hybrid)
		in := tor.Info
		rapid.Check(t, func(t *rapid.T) {
			i := rapid.IntRange(0, in.NumPieces-1).Draw(t, "piece")
			chunk := rapid.SampledFrom([]int{1000, merkle.BlockSize, 1 << 20}).Draw(t, "chunk")
			at := int64(i) * in.PieceLength
			piece := append([]byte(nil), data[at:at+in.PieceSize(i)]...)
			s := in.NewSum((i+1)%in.NumPieces, tor.Layers)
			s.Write(piece[:1])
			s.Reset(i)
			if v := verdict(s, piece, chunk); v != Right {
				t.Fatalf("the right bytes of piece %d: %d", i, v)
			}
			leaves := s.Leaves()
			if hybrid != (leaves != nil) {
				t.Fatalf("%d leaves", len(leaves))
			}
			if n := merkle.Blocks(in.DataSize(i)); hybrid && int64(len(leaves)) != n {
				t.Fatalf("%d leaves of %d bytes", len(leaves), in.DataSize(i))
			}
			s.Reset(i)
			if v := verdict(s, piece[:len(piece)-1], chunk); v == Right {
				t.Fatalf("piece %d without its last byte: %d", i, v)
			}
			bad := rapid.Int64Range(0, in.DataSize(i)-1).Draw(t, "bad")
			piece[bad] ^= 1
			s.Reset(i)
			if v := verdict(s, piece, chunk); v != Wrong {
				t.Fatalf("piece %d with a wrong byte: %d", i, v)
			}
		})
	}
}

// A hybrid without layers is judged by SHA-1, except files of one piece; with
// them, the two hashes must agree.
func TestSumOfADivided(t *testing.T) {
	tor, data := contentOf(t, []int{100_000, 20_000}, 32768, true)
	sums := append([]byte(nil), tor.Info.pieces...)
	other := append([]byte(nil), data...)
	other[0], other[4*32768] = other[0]^1, other[4*32768]^1
	for _, i := range []int{0, 4} {
		at := i * 32768
		sum := sha1.Sum(other[at:min(at+32768, len(other))])
		copy(sums[20*i:], sum[:])
	}
	in := *tor.Info
	in.pieces = sums
	for _, tt := range []struct {
		piece  int
		layers *Layers
		data   []byte
		want   Verdict
	}{
		{1, tor.Layers, data, Right},
		{0, tor.Layers, data, Differ},
		{0, tor.Layers, other, Differ},
		{0, tor.Layers, make([]byte, len(data)), Wrong},
		{0, nil, other, Right},
		{0, nil, data, Wrong},
		{0, NewLayers(&in), other, Right},
		{4, nil, other, Differ},
	} {
		at := tt.piece * 32768
		if v := verdict(in.NewSum(tt.piece, tt.layers), tt.data[at:min(at+32768, len(data))], 1<<20); v != tt.want {
			t.Errorf("piece %d: %d, want %d", tt.piece, v, tt.want)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for name, hybrid := range map[string]bool{"v1": false, "hybrid": true} {
		b.Run(name, func(b *testing.B) {
			tor, data := contentOf(b, []int{4 << 20}, 1<<20, hybrid)
			s := tor.Info.NewSum(0, tor.Layers)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				s.Reset(0)
				if verdict(s, data[:1<<20], 16<<10) != Right {
					b.Fatal("wrong")
				}
			}
		})
	}
}
