package metainfo

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
)

// MakeOptions are the options of Make; the zero value is the default.
type MakeOptions struct {
	// Name of the content instead of that of the file or folder.
	Name string
	// PieceLength in bytes, a power of two from 16 KiB to 256 MiB; 0 chooses
	// by size.
	PieceLength int64
	// FollowSymlinks shares the targets of links. Otherwise links are skipped.
	FollowSymlinks bool
	Private        bool // BEP 27
	// Hybrid describes the content for BEP 52, too. Each file begins with a piece,
	// with padding before it.
	Hybrid bool
	// Exclude are patterns, see share.MatchPath, for what is left out of a folder. What
	// they name is not looked at. One that names nothing is an error.
	Exclude []string
	// Strict refuses a folder with something that cannot be shared; otherwise that
	// is left out.
	Strict bool
	// Guard, if set, is asked about each file and folder before it is taken, by its
	// path without symbolic links. Its error refuses the whole.
	Guard func(path string, info fs.FileInfo) error
	// Progress, if set, is called with the hashed bytes and the total: at least
	// once for each MiB, never concurrently, and at the end with both equal.
	// Padding counts.
	Progress func(done, total int64)
	Workers  int // goroutines that hash; 0 is one for each core
}

// Made is the torrent of files on this machine.
type Made struct {
	*Torrent
	// Files are the sources of Info.Files, entry by entry; that of a pad file is
	// empty.
	Files []Source
	// LeftOut is what is not shared of a folder, nil if that is nothing, and Hidden
	// how many files of it are hidden.
	LeftOut *share.LeftOut
	Hidden  int
}

// Source is a file as it was when it was hashed.
type Source struct {
	Path    string // absolute
	Size    int64  // bytes
	ModTime time.Time
	Info    fs.FileInfo // as it was when it was opened
	Read    time.Time   // when reading it began
}

// The piece lengths that Make accepts.
const (
	minMadePiece  = merkle.BlockSize
	maxMadePiece  = 256 << 20
	usualMaxPiece = 16 << 20
	aimedPieces   = 2000 // at most, while the pieces are not larger than usual
)

// Make hashes the file or folder at path. Files are ordered by the bytes of their
// path, element by element, so that equal folders have equal IDs. Each byte is read
// once. Nothing is written.
//
// Empty folders become pad files of length 0 with the path FOLDER/.pad/0, which
// clients with BEP 47 do not create. Executable files keep that attribute.
//
// What of a folder cannot be opened, or cannot be in a torrent, for example because
// its name is not UTF-8, is left out, except with Strict. A file that changes or
// fails while it is read is a share.Disk error with its name; a cancelled ctx is
// share.Interrupted.
func Make(ctx context.Context, path string, o MakeOptions) (*Made, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, share.Errorf(share.Disk, "share %s: %w", path, err)
	}
	w, err := walk(ctx, root, &o)
	if err != nil {
		return nil, err
	}
	name := o.Name
	if name == "" {
		name = filepath.Base(root)
	}
	m := maker{name: name, multi: w.multi, private: o.Private, hybrid: o.Hybrid, entries: w.entries, pieceLength: o.PieceLength}
	if err := m.plan(root); err != nil {
		return nil, err
	}
	if m.total == 0 {
		return nil, w.nothing(root)
	}
	pieces, err := m.hash(ctx, o.Workers, o.Progress)
	if err != nil {
		return nil, err
	}
	info, err := ParseInfo(m.encode(pieces))
	if err != nil {
		return nil, share.Errorf(share.Usage, "share %s: %w", root, err)
	}
	layers, err := m.forest.layers(info)
	if err != nil {
		return nil, share.Errorf(share.Failed, "share %s: %w", root, err)
	}
	made := w.made(&Torrent{Info: info, Layers: layers})
	for _, e := range m.entries {
		made.Files = append(made.Files, e.source())
	}
	return made, nil
}

// made is a torrent of what was found, without the sources.
func (w *walker) made(t *Torrent) *Made {
	m := &Made{Torrent: t, Hidden: w.hidden}
	if w.leftOut.Count > 0 {
		m.LeftOut = &w.leftOut
	}
	return m
}

// Check returns the error of options that Make would refuse for any content; its
// kind is share.Usage.
func (o MakeOptions) Check() error {
	if o.PieceLength != 0 && (o.PieceLength < minMadePiece || o.PieceLength > maxMadePiece || o.PieceLength&(o.PieceLength-1) != 0) {
		return share.Errorf(share.Usage, "a piece length must be a power of two from %d to %d bytes, not %d", minMadePiece, maxMadePiece, o.PieceLength)
	}
	if o.Name != "" {
		if err := usableName(o.Name); err != nil {
			return err
		}
	}
	return share.CheckGlobs(o.Exclude)
}

func usableName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return share.Errorf(share.Usage, "the name %q is not UTF-8; choose another", name)
	case dropped([]byte(name)) || strings.ContainsAny(name, "/\\\x00") || len(name) > MaxName:
		return share.Errorf(share.Usage, "%q is not a valid name; choose another", name)
	}
	return nil
}

type maker struct {
	name                   string
	multi, private, hybrid bool
	entries                []entry
	pieceLength            int64
	total                  int64
	forest                 *forest // of a hybrid, once the entries are final
}

// plan checks the name and chooses the piece length before any content is read.
func (m *maker) plan(root string) error {
	if err := usableName(m.name); err != nil {
		return share.Errorf(share.Usage, "share %s: %w", root, err)
	}
	for _, e := range m.entries {
		m.total += e.size()
	}
	if m.pieceLength != 0 {
		if err := m.align(); err != nil {
			return share.Errorf(share.Usage, "share %s: %w; use a larger piece length", root, err)
		}
		return nil
	}
	m.pieceLength = minMadePiece
	for m.pieceLength < usualMaxPiece && m.pieces() > aimedPieces {
		m.pieceLength *= 2
	}
	err := m.align()
	for err != nil && m.pieceLength < maxMadePiece {
		m.pieceLength *= 2
		err = m.align()
	}
	if err != nil {
		return share.Errorf(share.Usage, "share %s: %w; share its folders one by one", root, err)
	}
	return nil
}

// align gives a hybrid the padding that its piece length needs, and checks the
// result.
func (m *maker) align() error {
	if m.hybrid && m.total > 0 {
		m.entries = aligned(m.entries, m.pieceLength)
		m.total = 0
		for _, e := range m.entries {
			m.total += e.size()
		}
		if n := m.pieces(); n > MaxPieces {
			return tooManyPieces(n)
		}
		m.forest = newForest(m)
	}
	return m.fits()
}

func (m *maker) pieces() int64 { return (m.total + m.pieceLength - 1) / m.pieceLength }

// fits returns an error if clients, including this one, would refuse the result.
func (m *maker) fits() error {
	n := m.pieces()
	if n > MaxPieces {
		return tooManyPieces(n)
	}
	size := int64(len(m.encode(nil))) + n*20 + 8
	if size > MaxInfo {
		return fmt.Errorf("its info dictionary would have %d bytes, more than the %d that peers exchange", size, MaxInfo)
	}
	if size += m.forest.layersSize(); size > MaxTorrent-1024 {
		return fmt.Errorf("its torrent would have %d bytes, more than %d", size, MaxTorrent)
	}
	return nil
}

func tooManyPieces(n int64) error {
	return fmt.Errorf("it would have %d pieces, more than %d", n, MaxPieces)
}

func (m *maker) encode(pieces []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('d')
	if !m.multi {
		if a := m.entries[0].attr(); a != "" {
			putString(&b, "attr", a)
		}
	}
	if m.forest != nil {
		writeString(&b, "file tree")
		writeTree(&b, m.forest.files, 0)
	}
	if m.multi {
		writeString(&b, "files")
		b.WriteByte('l')
		for _, e := range m.entries {
			b.WriteByte('d')
			if a := e.attr(); a != "" {
				putString(&b, "attr", a)
			}
			putInt(&b, "length", e.size())
			writeString(&b, "path")
			writeStrings(&b, e.path)
			b.WriteByte('e')
		}
		b.WriteByte('e')
	} else {
		putInt(&b, "length", m.total)
	}
	if m.forest != nil {
		putInt(&b, "meta version", 2)
	}
	putString(&b, "name", m.name)
	putInt(&b, "piece length", m.pieceLength)
	writeString(&b, "pieces")
	writeString(&b, string(pieces))
	if m.private {
		putInt(&b, "private", 1)
	}
	b.WriteByte('e')
	return b.Bytes()
}

// Same checks that what is at path has the names, sizes and marks of a torrent, as
// Make would give them to it, without reading a file. The result has no sources.
func Same(ctx context.Context, path string, o MakeOptions, t *Torrent) (*Made, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, share.Errorf(share.Disk, "share %s: %w", path, err)
	}
	w, err := walk(ctx, root, &o)
	if err != nil {
		return nil, err
	}
	info := t.Info
	differs := share.Errorf(share.Failed, "what is at %s is not %s", root, info.ID.Short())
	if o.Hybrid && w.multi {
		w.entries = aligned(w.entries, info.PieceLength)
	}
	if w.multi != info.Multi || o.Private != info.Private || o.Hybrid != info.Hybrid || len(w.entries) != len(info.Files) {
		return nil, differs
	}
	for i := range w.entries {
		e, f := &w.entries[i], &info.Files[i]
		if e.size() != f.Length || info.Multi && !slices.Equal(e.path, f.Path) || (e.attr() == "x") != f.Exec || (e.file == "") != f.Pad {
			return nil, differs
		}
	}
	return w.made(t), nil
}
