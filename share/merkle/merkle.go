// Package merkle computes and checks the hash trees of BEP 52: it keeps to itself
// how the blocks of a file become one root, and what proves that a part belongs to
// a root.
//
// The leaves of a file's tree are the SHA-256 hashes of its blocks of 16 KiB; the
// last block may be shorter. The leaves are padded with zero hashes to a power of
// two, and each node is the hash of its two children. Layer 0 are the leaves. The
// layer whose nodes cover one piece each is the piece layer of the file.
package merkle

import (
	"crypto/sha256"
	"math/bits"
	"sync"
)

// BlockSize is the number of bytes under a leaf.
const BlockSize = 16 << 10

// Hash is a node of a tree.
type Hash [sha256.Size]byte

// maxHeight is that of a tree over 2^63 bytes.
const maxHeight = 64 - 14

// pads are the roots of trees without data, by height.
var pads = sync.OnceValue(func() *[maxHeight + 1]Hash {
	p := new([maxHeight + 1]Hash)
	for i := range maxHeight {
		p[i+1] = Node(p[i], p[i])
	}
	return p
})

// Pad is the root of a tree of the given height, 0 to 50, all of whose leaves are
// padding.
func Pad(height int) Hash { return pads()[height] }

// Node is the parent of two nodes.
func Node(left, right Hash) Hash {
	var b [2 * sha256.Size]byte
	copy(b[:], left[:])
	copy(b[sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Blocks is the number of leaves that n bytes have, padding not counted.
func Blocks(n int64) int64 { return n/BlockSize + min(1, n%BlockSize) }

// Height is the height of the smallest tree that has room for n nodes of its
// lowest layer; n is at least 1.
func Height(n int64) int { return bits.Len64(uint64(n - 1)) }

// Root is the root over nodes of one layer, which is at height above the leaves.
// The layer is padded to a power of two. There must be at least one node.
func Root(nodes []Hash, height int) Hash { return Top(nodes, height, 0) }

// Top is Root for a tree that is at least rise above the layer. Without nodes it is
// the root of padding.
func Top(nodes []Hash, height, rise int) Hash {
	s := spine{base: height}
	for _, n := range nodes {
		s.add(n)
	}
	return s.top(rise)
}

// spine computes a root while the nodes below it arrive in order. It holds one node
// of each layer.
type spine struct {
	base  int   // the layer of what is added
	count int64 // nodes added
	// left has, for each bit of count that is set, the root of a full subtree of
	// that many nodes that waits for its sibling.
	left [maxHeight]Hash
}

func (s *spine) add(h Hash) {
	i := 0
	for n := s.count; n&1 != 0; n >>= 1 {
		h = Node(s.left[i], h)
		i++
	}
	s.left[i] = h
	s.count++
}

// top is the root in a tree that is at least height above the layer of what was
// added. The spine is empty then.
func (s *spine) top(height int) Hash {
	if s.count == 0 {
		return Pad(s.base + height)
	}
	height = max(height, Height(s.count))
	level := bits.TrailingZeros64(uint64(s.count))
	h := s.left[level]
	// h covers the end of what was added, the last of n nodes of its layer.
	for n := s.count >> level; level < height; level++ {
		if n%2 == 0 {
			h = Node(s.left[level], h)
		} else {
			h = Node(h, Pad(s.base+level))
		}
		n = (n + 1) / 2
	}
	s.count = 0
	return h
}

// Sum computes a root while the bytes below it arrive in order. The zero Sum is
// ready for use.
type Sum struct {
	cutter
	spine
}

// Write adds bytes. It never fails.
func (s *Sum) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		var h *Hash
		if rest, h = s.cut(rest); h != nil {
			s.add(*h)
		}
	}
	return len(p), nil
}

// Root ends the last block and returns the root of what was written, in a tree of at
// least a height. The Sum is empty then. A Sum to which nothing was written returns
// the root of padding.
func (s *Sum) Root(height int) Hash {
	if h := s.end(); h != nil {
		s.add(*h)
	}
	return s.top(height)
}
