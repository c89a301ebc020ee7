package core

import (
	mathbits "math/bits"
	"slices"
	"sort"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// Trees describe content for BEP 52.
type Trees struct {
	// Files are those that have bytes, in the order of their pieces. Every piece
	// is of one of them.
	Files []File
	// Layers has the piece layers that are known, and takes others.
	Layers Layers
	// Only says that pieces can be checked by their trees alone: those of files
	// whose layer is missing are not asked for.
	Only bool
}

// File is a file that has a hash tree.
type File struct {
	Root   merkle.Hash
	First  int // its first piece
	Pieces int
	Blocks int64 // of 16 KiB, the last of which may be shorter
}

// Layers are the piece layers of files of more than one piece, by their roots.
type Layers interface {
	// Layer is nil if it is not known. It must not be modified.
	Layer(root merkle.Hash) []merkle.Hash
	// Set takes a layer that was missing, and keeps the slice.
	Set(root merkle.Hash, layer []merkle.Hash) error
}

// trees knows the hash trees of the files, as far as they are known.
type trees struct {
	*Trees
	piece int                     // the height of the piece layer above the blocks
	files map[merkle.Hash][]int32 // by root
	built []built                 // the latest that were needed come last
}

// built is a tree from the piece layer up.
type built struct {
	root merkle.Hash
	tree *merkle.Tree
	size int
}

// maxBuilt bounds the nodes of the trees that are kept, unless one alone has more.
const maxBuilt = 1 << 18

// learn takes how the content is described. t may be nil.
func (x *trees) learn(t *Trees, l *wire.Layout) {
	if t == nil {
		return
	}
	x.Trees = t
	x.piece = mathbits.Len(uint(l.PieceLength/merkle.BlockSize)) - 1
	x.files = make(map[merkle.Hash][]int32)
	for i := range t.Files {
		root := t.Files[i].Root
		x.files[root] = append(x.files[root], int32(i))
	}
}

// known tells whether the content is described for BEP 52.
func (x *trees) known() bool { return x.Trees != nil }

// of is the file that piece i is of.
func (x *trees) of(i int) *File {
	return &x.Files[sort.Search(len(x.Files), func(n int) bool { return x.Files[n].First > i })-1]
}

// lacks tells whether the layer of f is needed and not known.
func (x *trees) lacks(f *File) bool { return f.Pieces > 1 && x.Layers.Layer(f.Root) == nil }

// layerless are files whose layer is needed and not known, one of each root.
func (x *trees) layerless() (all []int32) {
	if !x.known() {
		return nil
	}
	for i := range x.Files {
		f := &x.Files[i]
		if x.files[f.Root][0] == int32(i) && x.lacks(f) {
			all = append(all, int32(i))
		}
	}
	return all
}

// unchecked calls f for each piece of files whose layer is needed and not known.
func (x *trees) unchecked(f func(piece int)) {
	for i := range x.Files {
		if file := &x.Files[i]; x.lacks(file) {
			for n := range file.Pieces {
				f(file.First + n)
			}
		}
	}
}

// height is that of the tree of f.
func (f *File) height() int { return merkle.Height(f.Blocks) }

// top is the node over piece i, of f, with its height; false if it is not known.
func (x *trees) top(f *File, i int) (node merkle.Hash, height int, ok bool) {
	if f.Pieces == 1 {
		return f.Root, f.height(), true
	}
	if layer := x.Layers.Layer(f.Root); layer != nil {
		return layer[i-f.First], x.piece, true
	}
	return node, 0, false
}

// tree is what is above the piece layer of f, which is known. cost is how many nodes
// were computed.
func (x *trees) tree(f *File) (tree *merkle.Tree, cost int) {
	if i := slices.IndexFunc(x.built, func(b built) bool { return b.root == f.Root }); i >= 0 {
		b := x.built[i]
		x.built = append(slices.Delete(x.built, i, i+1), b)
		return b.tree, 0
	}
	layer := x.Layers.Layer(f.Root)
	b := built{f.Root, merkle.NewTree(layer, x.piece), 2 * len(layer)}
	x.built = append(x.built, b)
	size := 0
	for i := len(x.built) - 1; i >= 0; i-- {
		if size += x.built[i].size; size > maxBuilt && i < len(x.built)-1 {
			x.built = slices.Delete(x.built, 0, i+1)
			break
		}
	}
	return b.tree, b.size
}

// below answers for nodes below the piece layer, all of which are over the one piece
// whose leaves are given. The span is in the tree of f.
func (x *trees) below(f *File, piece int, leaves []merkle.Hash, s merkle.Span) []merkle.Hash {
	height := min(x.piece, f.height())
	full := make([]merkle.Hash, 1<<height)
	copy(full, leaves)
	rise := mathbits.Len(uint(s.Length)) - 1
	inside := s
	inside.Index -= (piece - f.First) << (height - s.Layer)
	// No uncle in the piece is above the layer below its top; where the nodes are
	// all of their layer there is none.
	inside.Proofs = max(0, min(s.Proofs, height-s.Layer-1))
	if s.Layer+rise == height {
		inside.Proofs = rise - 1
	}
	out := merkle.NewTree(full, 0).Hashes(inside)
	above := s.Layer + s.Proofs - height // of the highest uncle, from the piece layer
	if out == nil || above < 0 || f.Pieces == 1 {
		return out
	}
	// The uncle of the piece, and what is above it.
	if x.lacks(f) {
		return nil
	}
	up, _ := x.tree(f)
	i := piece - f.First
	pair := up.Hashes(merkle.Span{Layer: x.piece, Index: i &^ 1, Length: 2, Proofs: above})
	if pair == nil {
		return nil
	}
	return append(append(out, pair[i&1^1]), pair[2:]...)
}
