package metainfo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/merkle"
)

// leaf is a file of a file tree, BEP 52.
type leaf struct {
	path   [][]byte
	length int64
	root   merkle.Hash // zeros of an empty file
	attr   []byte
}

// file is the entry of the leaf, but for its path.
func (l *leaf) file() File {
	f := File{Length: l.length, Root: l.root}
	f.setAttr(l.attr)
	return f
}

// leaves reads the file tree. They are in the order of their paths.
func (f *fields) leaves() ([]leaf, error) {
	t := treeReader{r: newReader(f.tree, maxInfoDepth)}
	if err := t.dir(nil); err != nil {
		return nil, err
	}
	// Piece layers of one root could not be told apart.
	lengths := make(map[merkle.Hash]int64)
	for _, l := range t.leaves {
		if n, ok := lengths[l.root]; ok && l.length > 0 && n != l.length {
			return nil, refused("files of %d and of %d bytes have the same pieces root", n, l.length)
		}
		lengths[l.root] = l.length
	}
	return t.leaves, nil
}

type treeReader struct {
	r      *reader
	leaves []leaf
	paths  int // bytes that the paths take
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
	// A folder's name is read once, and is in the paths of all its files.
	for _, e := range path {
		t.paths += len(e) + elementBytes
	}
	if t.paths > maxPaths {
		return r.Errorf("the paths of the files take more than %d bytes", maxPaths)
	}
	l := leaf{path: slices.Clone(path), length: -1}
	var root []byte
	err := r.Dict(true, func(key []byte) (err error) {
		switch string(key) {
		case "attr":
			if r.Kind() != bencode.String {
				return r.Skip()
			}
			l.attr, err = r.Bytes()
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
	f := l.file()
	if f.Symlink {
		l.length, root = 0, nil // as in a list of files
	}
	switch {
	case f.Pad:
		return r.Errorf("a pad file in the file tree")
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

// tree collects the leaves of a torrent without a v1 description. Each file with
// data begins with a piece: before it comes padding, which is in no torrent. A tree
// of one file is that file, whatever the torrent is called.
func (c *collector) tree(f *fields, leaves []leaf) error {
	in := c.info
	if first := &leaves[0]; len(leaves) == 1 && len(first.path) == 1 {
		f.name, f.nameUTF8, f.length, f.attr = first.path[0], nil, first.length, first.attr
		in.Name = nameOf(f, in.ID)
		if err := c.single(f); err != nil {
			return refused("the file tree is not sound: %w", err)
		}
		in.Files[0].Root = first.root
	} else {
		in.Multi = true
		in.Name = nameOf(f, in.ID)
		for i := range leaves {
			if err := c.leaf(&leaves[i]); err != nil {
				return refused("the file tree is not sound: %w", err)
			}
		}
	}
	if in.Total == 0 {
		return refused("the torrent holds no data")
	}
	in.NumPieces = int(piecesOf(in.Total, in.PieceLength))
	return nil
}

func (c *collector) leaf(l *leaf) error {
	in := c.info
	if over := in.Total % in.PieceLength; over > 0 && l.length > 0 {
		pad := in.PieceLength - over
		if err := c.add(File{Path: padPath(pad), Length: pad, Pad: true}); err != nil {
			return err
		}
	}
	return c.addAt(l.file(), l.path)
}

// padPath is what padding of n bytes is called.
func padPath(n int64) []string { return []string{folderMarkDir, strconv.FormatInt(n, 10)} }

// rawPath joins the elements of a path unambiguously.
func rawPath(path [][]byte) string {
	var b []byte
	for _, e := range path {
		b = binary.AppendUvarint(b, uint64(len(e)))
		b = append(b, e...)
	}
	return string(b)
}

// join gives the files of a hybrid their roots. It checks that a v2 client would put
// the same bytes into the same files and pieces as we do.
func (c *collector) join(leaves []leaf) error {
	in := c.info
	var next int
	var pieces int64
	for i := range in.Files {
		file := &in.Files[i]
		if file.Pad {
			continue
		}
		if next == len(leaves) {
			return refused("%q is not in the file tree", file.Path)
		}
		l := leaves[next].file()
		switch {
		case rawPath(leaves[next].path) != c.raw[i]:
			return refused("%q stands elsewhere in the file tree", file.Path)
		case l.Length != file.Length || l.Symlink != file.Symlink:
			return refused("%q has %d bytes, in the file tree %d", file.Path, file.Length, l.Length)
		case file.Length > 0 && file.Offset%in.PieceLength != 0:
			return refused("%q does not start with a piece", file.Path)
		}
		next++
		pieces += piecesOf(file.Length, in.PieceLength)
		file.Root = l.Root
	}
	if next != len(leaves) {
		return refused("the file tree has %d files, the list %d", len(leaves), next)
	}
	if pieces != int64(in.NumPieces) {
		return refused("the file tree makes %d pieces, the list %d", pieces, in.NumPieces)
	}
	return nil
}
