package metainfo

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/merkle"
	"golang.org/x/text/unicode/norm"
)

// ParseInfo reads an info dictionary received from peers. b is at most MaxInfo bytes
// and is copied. Errors are share.Refused.
func ParseInfo(b []byte) (*Info, error) {
	if len(b) > MaxInfo {
		return nil, refused("the info dictionary has %d bytes, more than %d", len(b), MaxInfo)
	}
	return parseInfo(b)
}

func refused(format string, args ...any) error {
	return share.Errorf(share.Refused, format, args...)
}

// fields are the values of an info dictionary before they are checked together. The
// raw ones are bencoded values whose syntax was checked.
type fields struct {
	name, nameUTF8 []byte
	pieceLength    int64
	pieces         []byte
	length         int64
	attr           []byte
	private        int64
	metaVersion    int64
	files, tree    []byte
	hasName        bool
	hasLength      bool
	hasPieces      bool
	hasPieceLength bool
	hasMetaVersion bool
}

func parseInfo(b []byte) (*Info, error) {
	b = bytes.Clone(b)
	f, err := readFields(b)
	if err != nil {
		return nil, refused("the info dictionary is not sound: %w", err)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	in := &Info{
		ID:          sha1.Sum(b),
		PieceLength: f.pieceLength,
		NumPieces:   len(f.pieces) / sha1.Size,
		Multi:       f.files != nil,
		Private:     f.private != 0,
		Hybrid:      f.metaVersion == 2 && f.hasPieces,
		raw:         b,
		pieces:      f.pieces,
	}
	var leaves []leaf
	if f.metaVersion == 2 {
		in.V2 = sha256.Sum256(b)
		if leaves, err = f.leaves(); err != nil {
			return nil, refused("the file tree is not sound: %w", err)
		}
	}
	c := &collector{info: in, seed: maphash.MakeSeed(), paths: map[uint64]int{}}
	if in.HasV1() {
		err = c.list(f, leaves)
	} else {
		in.ID = share.ID(in.V2[:len(share.ID{})])
		err = c.tree(f, leaves)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// list collects the files of a v1 description. Those of a hybrid must be the leaves
// of its file tree.
func (c *collector) list(f *fields, leaves []leaf) error {
	in, err := c.info, error(nil)
	in.Name = nameOf(f, in.ID)
	if in.Multi {
		err = c.files(f.files)
	} else {
		err = c.single(f)
	}
	if err != nil {
		return refused("the list of files is not sound: %w", err)
	}
	if err := in.checkSizes(); err != nil {
		return err
	}
	if in.Hybrid {
		if err := c.join(leaves); err != nil {
			return refused("the torrent's v1 and v2 descriptions do not go together: %w", err)
		}
	}
	return nil
}

func (f *fields) rawName() []byte {
	if len(f.nameUTF8) > 0 && utf8.Valid(f.nameUTF8) {
		return f.nameUTF8
	}
	return f.name
}

func nameOf(f *fields, id share.ID) string {
	raw := f.rawName()
	if dropped(raw) {
		return id.String()
	}
	return cleanElement(raw)
}

// named is a path as the torrent has it, for people to read.
func named(path [][]byte) string {
	var b strings.Builder
	for i, e := range path {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(shorten(strings.ToValidUTF8(string(e[:min(len(e), 2*MaxName)]), "\ufffd"), MaxName))
	}
	return shorten(b.String(), maxPathBytes)
}

// changed notes that the next file is not called by its path in the torrent.
func (c *collector) changed(path [][]byte) {
	if c.info.Named == nil {
		c.info.Named = make(map[int]string)
	}
	c.info.Named[len(c.info.Files)] = named(path)
}

// The keys of an info dictionary that are read.
const (
	keyName = iota
	keyNameUTF8
	keyPieceLength
	keyPieces
	keyLength
	keyFiles
	keyPrivate
	keyMetaVersion
	keyTree
	keyAttr
)

func readFields(b []byte) (*fields, error) {
	r := newReader(b, maxInfoDepth)
	f := new(fields)
	var seen uint32
	str := func(bit uint, key []byte, to *[]byte) (err error) {
		if err = r.once(&seen, bit, key); err == nil {
			*to, err = r.Bytes()
		}
		return err
	}
	num := func(bit uint, key []byte, to *int64) (err error) {
		if err = r.once(&seen, bit, key); err == nil {
			*to, err = r.Int()
		}
		return err
	}
	err := r.Dict(false, func(key []byte) (err error) {
		switch string(key) {
		case "name":
			err = str(keyName, key, &f.name)
			f.hasName = true
		case "name.utf-8":
			if r.Kind() != bencode.String {
				return r.Skip()
			}
			err = str(keyNameUTF8, key, &f.nameUTF8)
			f.hasName = true
		case "piece length":
			err = num(keyPieceLength, key, &f.pieceLength)
			f.hasPieceLength = true
		case "pieces":
			err = str(keyPieces, key, &f.pieces)
			f.hasPieces = true
		case "length":
			err = num(keyLength, key, &f.length)
			f.hasLength = true
		case "private":
			err = num(keyPrivate, key, &f.private)
		case "meta version":
			err = num(keyMetaVersion, key, &f.metaVersion)
			f.hasMetaVersion = true
		case "attr":
			if r.Kind() != bencode.String {
				return r.Skip()
			}
			err = str(keyAttr, key, &f.attr)
		case "files":
			if err = r.once(&seen, keyFiles, key); err == nil {
				if r.Kind() != bencode.List {
					return r.Errorf("files is not a list")
				}
				f.files, err = r.Raw()
			}
		case "file tree":
			if err = r.once(&seen, keyTree, key); err == nil {
				if r.Kind() != bencode.Dict {
					return r.Errorf("file tree is not a dictionary")
				}
				f.tree, err = r.Raw()
			}
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && !r.AtEnd() {
		err = r.Errorf("something follows the dictionary")
	}
	return f, err
}

// check checks the fields that do not depend on the files.
func (f *fields) check() error {
	switch {
	case f.hasMetaVersion && f.metaVersion != 1 && f.metaVersion != 2:
		return refused("the torrent is of version %d, only 1 and 2 are known", f.metaVersion)
	case f.metaVersion == 2 && f.tree == nil:
		return refused("a torrent of version 2 without a file tree")
	case f.metaVersion != 2 && f.tree != nil:
		return refused("a file tree in a torrent that is not of version 2")
	case !f.hasName:
		return refused("the torrent has no name")
	case !f.hasPieceLength || f.pieceLength <= 0 || f.pieceLength > MaxPieceLength:
		return refused("the piece length is %d, not 1 to %d bytes", f.pieceLength, MaxPieceLength)
	case f.metaVersion == 2 && (f.pieceLength < merkle.BlockSize || f.pieceLength&(f.pieceLength-1) != 0):
		return refused("the piece length %d is not a power of two of at least %d", f.pieceLength, merkle.BlockSize)
	case f.metaVersion == 2 && !f.hasPieces:
		return nil // the file tree is the description
	case len(f.pieces) == 0:
		return refused("the torrent has no piece hashes, so no data")
	case len(f.pieces)%sha1.Size != 0:
		return refused("the piece hashes are %d bytes, not a multiple of %d", len(f.pieces), sha1.Size)
	case len(f.pieces)/sha1.Size > MaxPieces:
		return refused("the torrent has %d pieces, more than %d", len(f.pieces)/sha1.Size, MaxPieces)
	case f.hasLength && f.files != nil:
		return refused("the torrent is one file and a list of files at once")
	case !f.hasLength && f.files == nil:
		return refused("the torrent has neither a length nor files")
	}
	return nil
}

// checkSizes checks that files and pieces are consistent.
func (in *Info) checkSizes() error {
	n := (in.Total + in.PieceLength - 1) / in.PieceLength
	switch {
	case len(in.Files) == 0:
		return refused("the torrent holds no files")
	case in.Size() == 0:
		return refused("the torrent holds no data")
	case n != int64(in.NumPieces):
		return refused("%d bytes make %d pieces, there are hashes for %d", in.Total, n, in.NumPieces)
	}
	return nil
}

// collector makes Info.Files, of the list of a v1 description or of a file tree.
type collector struct {
	info    *Info
	seed    maphash.Seed // random: paths that collide cannot be prepared
	paths   map[uint64]int
	renames int
	raw     []string // of a hybrid, for each file: its path as rawPath gives it
}

func (c *collector) single(f *fields) error {
	file := File{Path: []string{c.info.Name}, Length: f.length}
	file.setAttr(f.attr)
	if file.Pad || file.Symlink {
		return refused("the only file is a pad file or a link")
	}
	if c.info.Hybrid {
		c.raw = append(c.raw, rawPath([][]byte{f.name}))
	}
	if raw := f.rawName(); string(raw) != c.info.Name {
		c.changed([][]byte{raw})
	}
	return c.add(file)
}

func (f *File) setAttr(attr []byte) {
	f.Pad = bytes.IndexByte(attr, 'p') >= 0
	f.Symlink = bytes.IndexByte(attr, 'l') >= 0
	f.Exec = bytes.IndexByte(attr, 'x') >= 0
}

// The keys of a file that are read.
const (
	fileLength = iota
	filePath
	filePathUTF8
	fileAttr
)

func fileKey(key []byte) (bit uint, known bool) {
	switch string(key) {
	case "length":
		return fileLength, true
	case "path":
		return filePath, true
	case "path.utf-8":
		return filePathUTF8, true
	case "attr":
		return fileAttr, true
	}
	return 0, false
}

func (c *collector) files(raw []byte) error {
	r := newReader(raw, maxInfoDepth)
	var path, pathUTF8 [][]byte
	return r.List(func() error {
		var file File
		var attr []byte
		var seen uint32
		path, pathUTF8 = path[:0], pathUTF8[:0]
		err := r.Dict(false, func(key []byte) (err error) {
			bit, known := fileKey(key)
			if !known || bit == filePathUTF8 && r.Kind() != bencode.List || bit == fileAttr && r.Kind() != bencode.String {
				return r.Skip()
			}
			if err := r.once(&seen, bit, key); err != nil {
				return err
			}
			switch bit {
			case fileLength:
				file.Length, err = r.Int()
			case filePath:
				path, err = r.strings(path)
			case filePathUTF8:
				pathUTF8, err = r.strings(pathUTF8)
			case fileAttr:
				attr, err = r.Bytes()
			}
			return err
		})
		if err != nil {
			return err
		}
		file.setAttr(attr)
		if file.Symlink {
			file.Length = 0 // as in libtorrent; BEP 47 gives a link none
		}
		switch {
		case seen&(1<<fileLength) == 0 && !file.Symlink:
			return r.Errorf("a file has no length")
		case seen&(1<<filePath|1<<filePathUTF8) == 0 && !file.Pad:
			return r.Errorf("a file has no path")
		}
		if c.info.Hybrid {
			c.raw = append(c.raw, rawPath(path))
		}
		if len(pathUTF8) > 0 && allUTF8(pathUTF8) {
			path = pathUTF8
		}
		return c.addAt(file, path)
	})
}

// addAt cleans the path of a file and adds it.
func (c *collector) addAt(file File, path [][]byte) error {
	if len(path) > 0 && bytes.HasPrefix(path[len(path)-1], []byte(padPrefix)) && c.info.HasV1() {
		file.Pad = true // as it was done before BEP 47
	}
	n := 0
	for _, e := range path {
		if !dropped(e) {
			n++
		}
	}
	if n > maxPathDepth {
		return refused("a path has %d elements, more than %d", n, maxPathDepth)
	}
	file.Path = make([]string, 0, max(n, 1))
	size, same := 0, n == len(path) && n > 0
	for _, e := range path {
		if !dropped(e) {
			s := cleanElement(e)
			same = same && s == string(e)
			size += len(s) + 1
			file.Path = append(file.Path, s)
		}
	}
	if size > maxPathBytes {
		return refused("a path has %d bytes, more than %d", size, maxPathBytes)
	}
	if n == 0 {
		file.Path = append(file.Path, "_")
	}
	if !same && !file.Pad {
		c.changed(path)
	}
	if file.Pad && file.Length == 0 && isFolderMark(path) && n > 2 {
		c.info.Folders = append(c.info.Folders, file.Path[:n-2:n-2])
	}
	return c.add(file)
}

// add appends a file whose path is clean.
func (c *collector) add(file File) error {
	in := c.info
	pieces := in.NumPieces
	if !in.HasV1() {
		pieces = MaxPieces
	}
	switch limit := int64(pieces) * in.PieceLength; {
	case file.Length < 0:
		return refused("a file of %d bytes", file.Length)
	case file.Length > limit-in.Total:
		return refused("the files have more bytes than %d pieces of %d hold", pieces, in.PieceLength)
	}
	if !file.Pad {
		var h maphash.Hash
		h.SetSeed(c.seed)
		for _, e := range file.Path {
			h.WriteString(strings.ToLower(norm.NFC.String(e)))
			h.WriteByte('/')
		}
		sum := h.Sum64()
		// The n-th file of a name needs n attempts to become unique.
		if c.renames += c.paths[sum]; c.renames > maxRenames {
			return refused("too many files of equal names")
		}
		c.paths[sum]++
	}
	file.Offset = in.Total
	in.Total += file.Length
	in.Files = append(in.Files, file)
	return nil
}

func allUTF8(path [][]byte) bool {
	for _, e := range path {
		if !utf8.Valid(e) {
			return false
		}
	}
	return true
}
