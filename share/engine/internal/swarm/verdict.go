package swarm

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
)

// verdict is what the hashes say of a piece.
type verdict = metainfo.Verdict

const (
	wrong   = metainfo.Wrong
	right   = metainfo.Right
	unknown = metainfo.Unknown
	differ  = metainfo.Differ
)

// found are the hashes of a piece.
type found struct {
	v1     [20]byte      // of BEP 3
	leaves []merkle.Hash // of BEP 52, one for each block
}

// foul is the leaf of a block whose padding is not zeros. No block has it.
var foul = merkle.Hash(slices.Repeat([]byte{0xff}, sha256.Size))

// leaf is the hash of block n of a piece as BEP 52 has it; zeros of padding.
func (v *V2) leaf(piece, n int, b []byte) merkle.Hash {
	data := min(len(b), max(0, v.Data(piece)-n*wire.BlockSize))
	if slices.ContainsFunc(b[data:], func(x byte) bool { return x != 0 }) {
		return foul
	}
	if data == 0 {
		return merkle.Hash{}
	}
	return sha256.Sum256(b[:data])
}

// judge tells what the hashes of a piece mean.
func (c *Content) judge(piece int, f *found) verdict {
	v1, v2 := unknown, unknown
	if c.Hashes != nil {
		v1 = metainfo.Judged(f.v1 == c.Hashes[piece])
	}
	clean := true
	if c.V2 != nil {
		n := int(merkle.Blocks(int64(c.V2.Data(piece))))
		clean = !slices.Contains(f.leaves, foul)
		if node, height, known := c.V2.Piece(piece); known {
			v2 = metainfo.Judged(clean && merkle.Top(f.leaves[:n], 0, height) == node)
		}
	}
	if !clean {
		return wrong // a fault of who sent it, whatever the hashes say
	}
	return metainfo.Both(v1, v2)
}

// sums are the first bytes of the leaves, by which blocks are told from one another.
func (f *found) sums() [][20]byte {
	each := make([][20]byte, len(f.leaves))
	for i := range each {
		each[i] = [20]byte(f.leaves[i][:20])
	}
	return each
}

// look hashes a piece as it is on disk. through may be put between; nil for nothing.
func (c *Content) look(piece int, through func(io.Writer) io.Writer) (*found, error) {
	h := sha1.New()
	cut := &cutter{content: c, piece: piece}
	var w io.Writer
	switch {
	case c.V2 == nil:
		w = h
	case c.Hashes == nil:
		w = cut
	default:
		w = io.MultiWriter(h, cut)
	}
	if through != nil {
		w = through(w)
	}
	if err := c.readBack(piece, w); err != nil {
		return nil, err
	}
	cut.end()
	return &found{v1: [20]byte(h.Sum(nil)), leaves: cut.leaves}, nil
}

// cutter hashes the blocks of a piece that is written to it.
type cutter struct {
	content *Content
	piece   int
	leaves  []merkle.Hash
	block   []byte // that has begun
}

func (w *cutter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if len(w.block) == 0 && len(rest) >= wire.BlockSize {
			w.add(rest[:wire.BlockSize])
			rest = rest[wire.BlockSize:]
			continue
		}
		n := min(len(rest), wire.BlockSize-len(w.block))
		w.block = append(w.block, rest[:n]...)
		rest = rest[n:]
		if len(w.block) == wire.BlockSize {
			w.end()
		}
	}
	return len(p), nil
}

func (w *cutter) add(b []byte) {
	w.leaves = append(w.leaves, w.content.V2.leaf(w.piece, len(w.leaves), b))
}

func (w *cutter) end() {
	if len(w.block) > 0 {
		w.add(w.block)
		w.block = w.block[:0]
	}
}

// disagreement is the error of content that nothing can satisfy.
func disagreement(piece int) error {
	return fmt.Errorf("piece %d is right by one of the torrent's two hashes and wrong by the other: the torrent contradicts itself and can never be complete", piece)
}
