package merkle

import "math/bits"

// Tree has the nodes of a file's tree from one layer up to the root, so that any
// of them can be proven.
type Tree struct {
	base   int      // the height of the lowest layer above the leaves
	layers [][]Hash // the lowest first; padding at the ends is left out
}

// NewTree makes a tree above a layer, which is at height base above the leaves,
// without padding. There must be at least one node. The tree keeps the slice.
func NewTree(layer []Hash, base int) *Tree {
	t := &Tree{base: base, layers: [][]Hash{layer}}
	for height := base; len(layer) > 1; height++ {
		up := make([]Hash, (len(layer)+1)/2)
		for i := range up {
			right := Pad(height)
			if 2*i+1 < len(layer) {
				right = layer[2*i+1]
			}
			up[i] = Node(layer[2*i], right)
		}
		t.layers = append(t.layers, up)
		layer = up
	}
	return t
}

// Root is the root of the tree.
func (t *Tree) Root() Hash { return t.layers[len(t.layers)-1][0] }

// Height is the height of the root above the leaves.
func (t *Tree) Height() int { return t.base + len(t.layers) - 1 }

// node returns a node, which may be padding.
func (t *Tree) node(layer, index int) Hash {
	if nodes := t.layers[layer-t.base]; index < len(nodes) {
		return nodes[index]
	}
	return Pad(layer)
}

// Span names nodes of one layer and what proves them: a hash request of BEP 52.
type Span struct {
	Layer  int // 0 are the leaves
	Index  int // of the first node in the layer, a multiple of Length
	Length int // nodes, a power of two
	// Proofs is the number of layers above Layer for which the nodes beside the
	// path to the root are wanted, as far as they do not follow from the nodes.
	Proofs int
}

// MaxSpan is the greatest Length that is asked for and answered.
const MaxSpan = 512

// In reports whether the span is one that a tree of the given height can have.
func (s Span) In(height int) bool {
	if s.Layer < 0 || s.Layer >= height || s.Length < 1 || s.Length > MaxSpan || s.Length&(s.Length-1) != 0 {
		return false
	}
	width := height - s.Layer
	return s.Index >= 0 && s.Index%s.Length == 0 && bits.Len(uint(s.Index+s.Length-1)) <= width &&
		s.Proofs >= 0 && s.Proofs < width
}

// Uncles is the number of hashes that follow the nodes in an answer.
func (s Span) Uncles() int { return max(0, s.Proofs-(bits.Len(uint(s.Length))-2)) }

// Hashes answers a request: the nodes, then their uncles from below. It returns nil
// for a span that is not in the tree, or that is below the layer it was made of.
func (t *Tree) Hashes(s Span) []Hash {
	if !s.In(t.Height()) || s.Layer < t.base {
		return nil
	}
	out := make([]Hash, 0, s.Length+s.Uncles())
	for i := range s.Length {
		out = append(out, t.node(s.Layer, s.Index+i))
	}
	rise := bits.Len(uint(s.Length)) - 1
	for i := range s.Uncles() {
		layer := s.Layer + rise + i
		out = append(out, t.node(layer, s.Index>>(rise+i)^1))
	}
	return out
}

// Top is the node that an answer leads to: its layer, its index, and its hash as it
// follows from the hashes, of which there must be s.Length and s.Uncles(). The
// nodes are right if the hash is.
func (s Span) Top(hashes []Hash) (layer, index int, top Hash) {
	nodes, uncles := hashes[:s.Length], hashes[s.Length:]
	top = Root(nodes, s.Layer)
	rise := bits.Len(uint(s.Length)) - 1
	layer, index = s.Layer+rise, s.Index>>rise
	for _, u := range uncles {
		if index&1 == 0 {
			top = Node(top, u)
		} else {
			top = Node(u, top)
		}
		layer, index = layer+1, index>>1
	}
	return layer, index, top
}
