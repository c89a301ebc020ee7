package metainfo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

const blockSize = 16 << 10 // of the hash trees of BEP 52

// leaf is a file of a file tree, BEP 52.
type leaf struct {
	path   string // as rawPath gives it
	length int64
	root   []byte // 32 bytes, nil of an empty file
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

// checkHybrid checks that a v2 client would put the same bytes into the same files
// and pieces as we do. raw are the paths of the v1 files.
func checkHybrid(in *Info, f *fields, raw []string) ([]leaf, error) {
	if in.PieceLength < blockSize || in.PieceLength&(in.PieceLength-1) != 0 {
		return nil, refused("the piece length %d is not a power of two of at least %d", in.PieceLength, blockSize)
	}
	t := treeReader{r: sortedReader(f.tree)}
	if err := t.dir(nil); err != nil {
		return nil, err
	}
	var next int
	var pieces int64
	for i, file := range in.Files {
		if file.Pad {
			continue
		}
		if next == len(t.leaves) {
			return nil, refused("%q is not in the file tree", file.Path)
		}
		l := t.leaves[next]
		next++
		switch {
		case l.path != raw[i]:
			return nil, refused("%q stands elsewhere in the file tree", file.Path)
		case l.length != file.Length || l.link != file.Symlink:
			return nil, refused("%q has %d bytes, in the file tree %d", file.Path, file.Length, l.length)
		case file.Length > 0 && file.Offset%in.PieceLength != 0:
			return nil, refused("%q does not start with a piece", file.Path)
		}
		pieces += (file.Length + in.PieceLength - 1) / in.PieceLength
	}
	if next != len(t.leaves) {
		return nil, refused("the file tree has %d files, the list %d", len(t.leaves), next)
	}
	if pieces != int64(in.NumPieces) {
		return nil, refused("the file tree makes %d pieces, the list %d", pieces, in.NumPieces)
	}
	return t.leaves, nil
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
			l.root, err = r.Bytes()
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
	case l.length == 0 && len(l.root) != 0, l.length > 0 && len(l.root) != sha256.Size:
		return r.Errorf("a pieces root of %d bytes for a file of %d", len(l.root), l.length)
	case l.length > 0 && [sha256.Size]byte(l.root) == [sha256.Size]byte{}:
		return r.Errorf("a pieces root of zeros")
	}
	t.leaves = append(t.leaves, l)
	return nil
}

// checkLayers checks that the piece layers of a hybrid torrent, if present, hash to
// the roots of its files. raw is the bencoded dictionary.
func checkLayers(raw []byte, pieceLength int64, leaves []leaf) error {
	want := make(map[string]int64)
	for _, l := range leaves {
		if l.length > pieceLength {
			want[string(l.root)] = l.length
		}
	}
	r := newReader(raw, maxDepth)
	return r.Dict(true, func(root []byte) error {
		layer, err := r.Bytes()
		if err != nil {
			return err
		}
		length, ok := want[string(root)]
		if !ok {
			return r.Errorf("a piece layer of no file")
		}
		pieces := (length + pieceLength - 1) / pieceLength
		if int64(len(layer)) != pieces*sha256.Size {
			return r.Errorf("a piece layer of %d bytes for %d pieces", len(layer), pieces)
		}
		if merkleRoot(layer, pieceLength) != [sha256.Size]byte(root) {
			return r.Errorf("a piece layer does not hash to its root")
		}
		return nil
	})
}

// merkleRoot hashes a layer of piece hashes up to the root. It pads the layer to a
// power of two with the hashes of pieces without data.
func merkleRoot(layer []byte, pieceLength int64) [sha256.Size]byte {
	var pad [sha256.Size]byte
	for n := pieceLength / blockSize; n > 1; n /= 2 {
		pad = hashPair(pad[:], pad[:])
	}
	nodes := make([][sha256.Size]byte, len(layer)/sha256.Size)
	for i := range nodes {
		nodes[i] = [sha256.Size]byte(layer[i*sha256.Size:])
	}
	for range bits.Len(uint(len(nodes) - 1)) {
		if len(nodes)%2 != 0 {
			nodes = append(nodes, pad)
		}
		for i := range len(nodes) / 2 {
			nodes[i] = hashPair(nodes[2*i][:], nodes[2*i+1][:])
		}
		nodes = nodes[:len(nodes)/2]
		pad = hashPair(pad[:], pad[:])
	}
	return nodes[0]
}

func hashPair(a, b []byte) [sha256.Size]byte {
	var buf [2 * sha256.Size]byte
	copy(buf[:], a)
	copy(buf[sha256.Size:], b)
	return sha256.Sum256(buf[:])
}
