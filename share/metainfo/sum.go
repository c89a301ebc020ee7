package metainfo

import (
	"crypto/sha1"
	"hash"

	"github.com/shoalnet/shoal/share/merkle"
)

// Verdict is what the hashes of a torrent say about the bytes of a piece.
type Verdict uint8

// The verdicts.
const (
	Wrong Verdict = iota
	Right
	// Unknown: the piece layer with the hash is missing, and there is no v1 hash.
	Unknown
	// Differ: of a hybrid's two hashes one says right and the other wrong. No bytes
	// can satisfy both, so the torrent can never be complete.
	Differ
)

// Sum checks one piece whose bytes arrive in order: by SHA-1 (BEP 3), by the Merkle
// tree of BEP 52, or of a hybrid by both. It holds 32 bytes for each block of a
// piece that has a tree.
type Sum struct {
	info   *Info
	layers *Layers
	piece  int
	v1     hash.Hash // nil in v2 only
	sum1   [sha1.Size]byte
	leaves *merkle.Leaves
	left   int64 // bytes of the file that leaves still takes
}

// NewSum returns a Sum for piece i, which may be used again after a Reset. layers
// may be nil if they are not known or there are none.
func (in *Info) NewSum(i int, layers *Layers) *Sum {
	s := &Sum{info: in, layers: layers}
	if in.HasV1() {
		s.v1 = sha1.New()
	}
	if in.HasV2() {
		s.leaves = new(merkle.Leaves)
	}
	s.Reset(i)
	return s
}

// Reset forgets what was written, and begins with piece i.
func (s *Sum) Reset(i int) {
	s.piece = i
	if s.v1 != nil {
		s.v1.Reset()
	}
	if s.leaves != nil {
		s.leaves.Reset()
		s.left = s.info.DataSize(i)
	}
}

// Write adds bytes. The padding at the end may be left out in v2 only. It never
// fails.
func (s *Sum) Write(p []byte) (int, error) {
	if s.v1 != nil {
		s.v1.Write(p)
	}
	if s.leaves != nil {
		data := p[:min(int64(len(p)), s.left)]
		s.left -= int64(len(data))
		s.leaves.Write(data)
	}
	return len(p), nil
}

// Leaves are the hashes of the blocks of 16 KiB that were written, without padding:
// layer 0 of BEP 52. They are nil in v1 only, and valid until the next Reset.
// Nothing may be written after it.
func (s *Sum) Leaves() []merkle.Hash {
	if s.leaves == nil {
		return nil
	}
	return s.leaves.Hashes()
}

// Verdict judges what was written. Nothing may be written after it. A hybrid whose
// piece layer is missing is judged by SHA-1 alone.
func (s *Sum) Verdict() Verdict {
	v1, v2 := Unknown, Unknown
	if s.v1 != nil {
		s.v1.Sum(s.sum1[:0])
		v1 = Judged(s.sum1 == s.info.PieceHash(s.piece))
	}
	if want, height, known := s.info.PieceRoot(s.piece, s.layers); known {
		v2 = Judged(s.left == 0 && merkle.Top(s.leaves.Hashes(), 0, height) == want)
	}
	return Both(v1, v2)
}

// Judged is Right or Wrong.
func Judged(right bool) Verdict {
	if right {
		return Right
	}
	return Wrong
}

// Both joins the verdicts of a piece's hash of BEP 3 and of BEP 52. A hash that there
// is not, or that is not known, says Unknown, and leaves the verdict to the other.
func Both(v1, v2 Verdict) Verdict {
	switch {
	case v1 == Unknown:
		return v2
	case v2 == Unknown || v1 == v2:
		return v1
	}
	return Differ
}
