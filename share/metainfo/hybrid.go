package metainfo

import (
	"bytes"
	"crypto/sha256"

	"github.com/shoalnet/shoal/share/merkle"
)

// pieceHeight is the height of a piece's node in the tree of a file of several.
func pieceHeight(pieceLength int64) int { return merkle.Height(merkle.Blocks(pieceLength)) }

// aligned is a list of entries in which each file with data begins with a piece of
// a hybrid. Padding that was there is made anew.
func aligned(entries []entry, pieceLength int64) []entry {
	out := make([]entry, 0, len(entries))
	var total int64
	for _, e := range entries {
		if e.pad > 0 {
			continue
		}
		if over := total % pieceLength; over > 0 && e.size() > 0 {
			pad := pieceLength - over
			out = append(out, entry{path: padPath(pad), pad: pad})
			total += pad
		}
		out = append(out, e)
		total += e.size()
	}
	return out
}

// forest is the v2 description of a hybrid that is being made: the hash trees of
// its files.
type forest struct {
	pieceLength int64
	files       []treeFile
	data        []int64       // by piece: the bytes that are not padding
	low         []bool        // by piece: the file has no other
	nodes       []merkle.Hash // by piece: its hash; each is written by one goroutine
}

// treeFile is a file of a tree that is being made.
type treeFile struct {
	path   []string
	attr   string
	length int64
	first  int64 // its first piece
	forest *forest
}

// newForest plans the trees of entries that are aligned.
func newForest(m *maker) *forest {
	n := m.pieces()
	f := &forest{pieceLength: m.pieceLength, data: make([]int64, n), low: make([]bool, n), nodes: make([]merkle.Hash, n)}
	var offset int64
	for i := range m.entries {
		e := &m.entries[i]
		length := e.size()
		if e.file != "" {
			path := e.path
			if !m.multi {
				path = []string{m.name}
			}
			first := offset / m.pieceLength
			f.files = append(f.files, treeFile{path: path, attr: e.attr(), length: length, first: first, forest: f})
			for p, left := first, length; left > 0; p, left = p+1, left-m.pieceLength {
				f.data[p] = min(left, m.pieceLength)
				f.low[p] = length <= m.pieceLength
			}
		}
		offset += length
	}
	return f
}

// grow takes the hash of a piece whose data was written to s.
func (f *forest) grow(piece int64, s *merkle.Sum) {
	height := pieceHeight(f.pieceLength)
	if f.low[piece] {
		height = 0 // the tree of a small file ends below the layer of pieces
	}
	f.nodes[piece] = s.Root(height)
}

// layer is the layer of pieces of a file with data.
func (t *treeFile) layer() []merkle.Hash {
	n := piecesOf(t.length, t.forest.pieceLength)
	return t.forest.nodes[t.first : t.first+n]
}

func (t *treeFile) root() merkle.Hash {
	if l := t.layer(); len(l) > 1 {
		return merkle.Root(l, pieceHeight(t.forest.pieceLength))
	}
	return t.layer()[0]
}

// writeTree writes one level of the file tree. The files are in the order of their
// paths, which is that of the keys.
func writeTree(b *bytes.Buffer, files []treeFile, depth int) {
	b.WriteByte('d')
	for len(files) > 0 {
		name, n := files[0].path[depth], 1
		writeString(b, name)
		if len(files[0].path) == depth+1 {
			files[0].write(b)
		} else {
			for n < len(files) && files[n].path[depth] == name {
				n++
			}
			writeTree(b, files[:n], depth+1)
		}
		files = files[n:]
	}
	b.WriteByte('e')
}

func (t *treeFile) write(b *bytes.Buffer) {
	b.WriteByte('d')
	writeString(b, "")
	b.WriteByte('d')
	if t.attr != "" {
		putString(b, "attr", t.attr)
	}
	putInt(b, "length", t.length)
	if t.length > 0 {
		root := t.root()
		putString(b, "pieces root", string(root[:]))
	}
	b.WriteString("ee")
}

// layers gives the torrent that was made its piece layers.
func (f *forest) layers(in *Info) (*Layers, error) {
	l := NewLayers(in)
	if l == nil {
		return nil, nil
	}
	for i := range f.files {
		if t := &f.files[i]; t.length > f.pieceLength {
			if err := l.Set(t.root(), t.layer()); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// layersSize is how many bytes the piece layers take in a torrent, at most; 0 if
// there is no forest.
func (f *forest) layersSize() (n int64) {
	if f == nil {
		return 0
	}
	for i := range f.files {
		if t := &f.files[i]; t.length > f.pieceLength {
			n += int64(sha256.Size+16) + sha256.Size*piecesOf(t.length, f.pieceLength)
		}
	}
	return n
}
