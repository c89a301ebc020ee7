package metainfo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/shoalnet/shoal/share/merkle"
)

// leaf is a file of a file tree, BEP 52.
type leaf struct {
	path   string // as rawPath gives it
	length int64
	root   merkle.Hash // zeros of an empty file
	link   bool
}

// rawPath joins the elements of a path unambiguously.
func rawPath(path [][]byte) string {
	var b []byte
	for _, e := range path {
		b = binary.AppendUvarint(b, uint64(len(e)))
		b = append(b, e...)
	}
	return string(b)
}

// joinTree gives the files of a hybrid their roots. It checks that a v2 client would
// put the same bytes into the same files and pieces as we do. raw are the paths of
// the v1 files.
func joinTree(in *Info, f *fields, raw []string) error {
	if in.PieceLength < merkle.BlockSize || in.PieceLength&(in.PieceLength-1) != 0 {
		return refused("the piece length %d is not a power of two of at least %d", in.PieceLength, merkle.BlockSize)
	}
	t := treeReader{r: sortedReader(f.tree)}
	if err := t.dir(nil); err != nil {
		return err
	}
	var next int
	var pieces int64
	for i := range in.Files {
		file := &in.Files[i]
		if file.Pad {
			continue
		}
		if next == len(t.leaves) {
			return refused("%q is not in the file tree", file.Path)
		}
		l := t.leaves[next]
		next++
		switch {
		case l.path != raw[i]:
			return refused("%q stands elsewhere in the file tree", file.Path)
		case l.length != file.Length || l.link != file.Symlink:
			return refused("%q has %d bytes, in the file tree %d", file.Path, file.Length, l.length)
		case file.Length > 0 && file.Offset%in.PieceLength != 0:
			return refused("%q does not start with a piece", file.Path)
		}
		pieces += piecesOf(file.Length, in.PieceLength)
		file.Root = l.root
	}
	if next != len(t.leaves) {
		return refused("the file tree has %d files, the list %d", len(t.leaves), next)
	}
	if pieces != int64(in.NumPieces) {
		return refused("the file tree makes %d pieces, the list %d", pieces, in.NumPieces)
	}
	return in.checkRoots()
}

// checkRoots refuses one root for files of different lengths. No content has it,
// and piece layers could not be told apart.
func (in *Info) checkRoots() error {
	lengths := make(map[merkle.Hash]int64)
	for i := range in.Files {
		f := &in.Files[i]
		if f.Length == 0 || f.Pad {
			continue
		}
		if n, ok := lengths[f.Root]; ok && n != f.Length {
			return refused("%q has %d bytes, and the pieces root of a file of %d", f.Path, f.Length, n)
		}
		lengths[f.Root] = f.Length
	}
	return nil
}

type treeReader struct {
	r      *reader
	leaves []leaf
}

// dir reads one level of a file tree: names of files and folders.
func (t *treeReader) dir(path [][]byte) error {
	count := 0
	err := t.r.Dict(true, func(name []byte) error {
		count++
		if len(name) == 0 {
			return t.r.Errorf("a name in the file tree is empty")
		}
		return t.node(append(path, name))
	})
	if err == nil && count == 0 {
		return t.r.Errorf("a folder in the file tree is empty")
	}
	return err
}

// node reads the value of a name: a file is a dictionary with the single key "".
func (t *treeReader) node(path [][]byte) error {
	if !bytes.HasPrefix(t.r.Rest(), []byte("d0:")) {
		return t.dir(path)
	}
	count := 0
	return t.r.Dict(true, func([]byte) error {
		if count++; count > 1 {
			return t.r.Errorf("a file in the file tree is also a folder")
		}
		return t.file(path)
	})
}

func (t *treeReader) file(path [][]byte) error {
	r := t.r
	l := leaf{path: rawPath(path), length: -1}
	var root []byte
	err := r.Dict(true, func(key []byte) (err error) {
		switch string(key) {
		case "attr":
			var attr []byte
			attr, err = r.Bytes()
			if bytes.IndexByte(attr, 'p') >= 0 {
				return r.Errorf("a pad file in the file tree")
			}
			l.link = bytes.IndexByte(attr, 'l') >= 0
		case "length":
			l.length, err = r.Int()
		case "pieces root":
			root, err = r.Bytes()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if l.link && l.length < 0 {
		l.length = 0
	}
	switch {
	case l.length < 0:
		return r.Errorf("a file in the file tree has no length or a negative one")
	case l.length == 0 && len(root) != 0, l.length > 0 && len(root) != sha256.Size:
		return r.Errorf("a pieces root of %d bytes for a file of %d", len(root), l.length)
	case l.length == 0:
	case merkle.Hash(root) == merkle.Hash{}:
		return r.Errorf("a pieces root of zeros")
	default:
		l.root = merkle.Hash(root)
	}
	t.leaves = append(t.leaves, l)
	return nil
}

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
			out = append(out, entry{path: []string{folderMarkDir, strconv.FormatInt(pad, 10)}, pad: pad})
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
