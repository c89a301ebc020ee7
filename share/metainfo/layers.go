package metainfo

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/shoalnet/shoal/share/merkle"
)

// Layers are the piece layers of a torrent that is described for BEP 52: the hashes
// of the pieces of each file that has more than one. They are no part of the info
// dictionary, so they may come later, from peers. Those that are here are proven by
// the roots in the dictionary. The methods are safe for concurrent use; those of a
// nil Layers know nothing.
type Layers struct {
	info  *Info
	files map[merkle.Hash]int // by root: the first file in Info.Files

	mu    sync.RWMutex
	known map[merkle.Hash][]merkle.Hash // by root
	wants int                           // layers that are needed
}

// NewLayers returns the layers of in, none of which is known yet; nil if in is not
// described for BEP 52.
func NewLayers(in *Info) *Layers {
	if !in.HasV2() {
		return nil
	}
	l := &Layers{info: in, files: make(map[merkle.Hash]int), known: make(map[merkle.Hash][]merkle.Hash)}
	for i := range in.Files {
		f := &in.Files[i]
		if _, twice := l.files[f.Root]; twice || f.Length == 0 || f.Pad {
			continue
		}
		l.files[f.Root] = i
		if f.Length > in.PieceLength {
			l.wants++
		}
	}
	return l
}

// File returns the index in Info.Files of the first file with a root. Files of one
// root are equal.
func (l *Layers) File(root merkle.Hash) (i int, ok bool) {
	if l == nil {
		return 0, false
	}
	i, ok = l.files[root]
	return i, ok
}

// Set takes the hashes of the pieces of the files with a root, which it keeps, after
// it has checked them. The error, of kind share.Refused, says what is wrong.
func (l *Layers) Set(root merkle.Hash, hashes []merkle.Hash) error {
	i, ok := l.File(root)
	if !ok || l.info.Files[i].Length <= l.info.PieceLength {
		return refused("a piece layer of no file")
	}
	if n := piecesOf(l.info.Files[i].Length, l.info.PieceLength); int64(len(hashes)) != n {
		return refused("a piece layer of %d hashes for %d pieces", len(hashes), n)
	}
	if merkle.Root(hashes, pieceHeight(l.info.PieceLength)) != root {
		return refused("a piece layer does not hash to its root")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[root] = hashes
	return nil
}

// Layer is the layer of the files with a root, nil if it is not known. It must not
// be modified.
func (l *Layers) Layer(root merkle.Hash) []merkle.Hash {
	if l == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.known[root]
}

// Complete tells whether no layer is missing.
func (l *Layers) Complete() bool {
	if l == nil {
		return true
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.known) == l.wants
}

// Missing are the roots whose layer is not known, in the order of the files.
func (l *Layers) Missing() []merkle.Hash {
	if l.Complete() {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	var roots []merkle.Hash
	for i := range l.info.Files {
		f := &l.info.Files[i]
		if f.Length > l.info.PieceLength && !f.Pad && l.files[f.Root] == i && l.known[f.Root] == nil {
			roots = append(roots, f.Root)
		}
	}
	return roots
}

// encode bencodes the layers that are known.
func (l *Layers) encode(b *bytes.Buffer) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	b.WriteByte('d')
	for _, root := range slices.SortedFunc(maps.Keys(l.known), func(x, y merkle.Hash) int { return bytes.Compare(x[:], y[:]) }) {
		writeString(b, string(root[:]))
		layer := l.known[root]
		b.WriteString(strconv.Itoa(len(layer) * sha256.Size))
		b.WriteByte(':')
		for i := range layer {
			b.Write(layer[i][:])
		}
	}
	b.WriteByte('e')
}

// read takes the layers of a .torrent file. Those of no file, or of a file of one
// piece, are left out.
func (l *Layers) read(raw []byte) error {
	r := newReader(raw, maxDepth)
	return r.Dict(true, func(key []byte) error {
		b, err := r.Bytes()
		if err != nil {
			return err
		}
		if len(key) != sha256.Size {
			return r.Errorf("a root of %d bytes", len(key))
		}
		root := merkle.Hash(key)
		if i, ok := l.files[root]; !ok || l.info.Files[i].Length <= l.info.PieceLength {
			return nil
		}
		if len(b)%sha256.Size != 0 {
			return r.Errorf("a piece layer of %d bytes", len(b))
		}
		hashes := make([]merkle.Hash, len(b)/sha256.Size)
		for i := range hashes {
			hashes[i] = merkle.Hash(b[i*sha256.Size:])
		}
		return l.Set(root, hashes)
	})
}

// fileOf is the index of the file that piece i begins with. Of a torrent described
// for BEP 52 every piece has one file, and maybe padding.
func (in *Info) fileOf(i int) int {
	at := int64(i) * in.PieceLength
	return sort.Search(len(in.Files), func(k int) bool { return in.Files[k].Offset+in.Files[k].Length > at })
}

// PieceRoot is the root over piece i as BEP 52 has it, at a height above its blocks:
// that of the piece layer, or, of a file of one piece, the one that its blocks need.
// It is not known if the torrent is not described for BEP 52, or the layer is
// missing.
func (in *Info) PieceRoot(i int, l *Layers) (root merkle.Hash, height int, known bool) {
	if !in.HasV2() {
		return root, 0, false
	}
	if in.Sealed != nil {
		return in.Sealed.Blob.PieceRoot(i, l)
	}
	f := &in.Files[in.fileOf(i)]
	if f.Length <= in.PieceLength {
		return f.Root, merkle.Height(merkle.Blocks(f.Length)), true
	}
	height = pieceHeight(in.PieceLength)
	layer := l.Layer(f.Root)
	if layer == nil {
		return root, height, false
	}
	return layer[i-int(f.Offset/in.PieceLength)], height, true
}

// piecesOf is how many pieces length bytes make.
func piecesOf(length, pieceLength int64) int64 { return (length + pieceLength - 1) / pieceLength }
