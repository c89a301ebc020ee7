package metainfo

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Sealed is what an Info with the files of a sealed share has of the blob that peers
// exchange.
type Sealed struct {
	Blob     *Info  // what the info dictionary describes
	Manifest []byte // as it is in the blob; must not be modified
}

// Holding is what a blob holds, as its manifest says.
type Holding struct {
	Manifest []byte
	Name     string
	Multi    bool // a folder and not one file
	Files    []HeldFile
	Folders  [][]string // below Name, those that are empty
	// In plaintext: where the contents begin, how long a piece is, and how much it is
	// in all.
	First, PieceLength, Total int64
}

// HeldFile is a file in a blob.
type HeldFile struct {
	Path   []string // below Holding.Name; nil if that is the file
	Length int64
	Exec   bool
}

// Holding returns an Info with the files that the blob in holds. It has the IDs, the
// dictionary and the hashes of in. Its pieces are those of in, but Files, PieceLength
// and Total count bytes of plaintext: no file has those before and after the contents.
func (in *Info) Holding(h Holding) (*Info, error) {
	out := *in
	out.Sealed = &Sealed{Blob: in, Manifest: h.Manifest}
	out.Name, out.Multi, out.Named, out.Files = cleanElement([]byte(h.Name)), h.Multi, nil, nil
	out.Folders = nil
	out.PieceLength, out.Total = h.PieceLength, h.First
	c := &collector{info: &out, seed: maphash.MakeSeed(), paths: map[uint64]int{}}
	for _, f := range h.Files {
		path := f.Path
		if !h.Multi {
			path = []string{h.Name}
		}
		clean, same := cleanPath(path)
		if !same {
			raw := make([][]byte, len(path))
			for i, e := range path {
				raw[i] = []byte(e)
			}
			c.changed(raw)
		}
		if err := c.add(File{Path: clean, Length: f.Length, Exec: f.Exec}); err != nil {
			return nil, err
		}
	}
	for _, f := range h.Folders {
		clean, _ := cleanPath(f)
		out.Folders = append(out.Folders, clean)
	}
	if n := (h.Total + h.PieceLength - 1) / h.PieceLength; n != int64(in.NumPieces) || out.Total > h.Total {
		return nil, refused("a sealed share of %d bytes in %d pieces", out.Total, in.NumPieces)
	}
	out.Total = h.Total
	return &out, nil
}

func cleanPath(path []string) (clean []string, same bool) {
	same = true
	for _, e := range path {
		s := cleanElement([]byte(e))
		same = same && s == e
		clean = append(clean, s)
	}
	return clean, same
}

// Item is a file or folder that was found for sharing.
type Item struct {
	Path   []string // below the root; nil of the root itself
	Folder bool
	Mode   fs.FileMode // permission bits
	Time   time.Time   // of the last modification
	Size   int64       // bytes of a file
}

// Listing is what is at a path, not yet read.
type Listing struct {
	// Items begin with the root. A folder is followed by what is in it, sorted by the
	// bytes of the names.
	Items []Item
	walk  *walker
}

// List finds what Make would share, and the folders. It reads no file.
func List(ctx context.Context, path string, o MakeOptions) (*Listing, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, share.Errorf(share.Disk, "share %s: %w", path, err)
	}
	w, err := walkFor(ctx, root, &o, true)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for i := range w.entries {
		total += w.entries[i].size()
	}
	if total == 0 {
		return nil, w.nothing(root)
	}
	return &Listing{Items: w.items, walk: w}, nil
}

// Summer computes the SHA-1 of a piece of a blob from the plaintext that is written to
// it.
type Summer interface {
	io.Writer
	Sum(to []byte) []byte
}

// Sealing says how files become the blob of a sealed share.
type Sealing struct {
	Name string // of the blob
	// A record has Data bytes of plaintext, and Record in the blob. Head of Records
	// come before the contents.
	Data, Record  int64
	Head, Records int64
	PieceLength   int64 // of the blob, a power of two from Record; 0 chooses by size
	Private       bool
	// Sum checks the records from first on, in the order of the plaintext. It is
	// called concurrently.
	Sum      func(first int64) Summer
	Progress func(done, total int64) // as in MakeOptions
	Workers  int                     // as in MakeOptions
}

// Make hashes the blob that the listed files make. Each byte is read once, and nothing
// is written. In the result Info is that of the blob, and Files are the listed ones.
func (l *Listing) Make(ctx context.Context, s Sealing) (*Made, error) {
	if s.Workers <= 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	each, err := s.perPiece()
	if err != nil {
		return nil, err
	}
	w := l.walk
	m := maker{name: s.Name, pieceLength: each * s.Data, total: s.Records * s.Data}
	m.entries = append(m.entries, entry{pad: s.Head * s.Data})
	left := m.total - s.Head*s.Data
	for _, e := range w.entries {
		left -= e.size()
		m.entries = append(m.entries, e)
	}
	if left < 0 {
		return nil, fmt.Errorf("a blob of %d records is too small for its files", s.Records)
	}
	m.entries = append(m.entries, entry{pad: left})
	pieces, err := m.hashBy(ctx, s.Workers, s.Progress, func(i int64) Summer { return s.Sum(i * each) })
	if err != nil {
		return nil, err
	}
	info, err := ParseInfo(s.encode(each, pieces))
	if err != nil {
		return nil, err
	}
	made := w.made(&Torrent{Info: info})
	for _, e := range m.entries[1 : len(m.entries)-1] {
		made.Files = append(made.Files, e.source())
	}
	return made, nil
}

// Same is the result of Make where t is known to be the torrent of the listed files. It
// has no sources.
func (l *Listing) Same(t *Torrent) *Made { return l.walk.made(t) }

// perPiece is how many records a piece has.
func (s *Sealing) perPiece() (int64, error) {
	n := func(each int64) int64 { return (s.Records + each - 1) / each }
	each := s.PieceLength / s.Record
	if s.PieceLength == 0 {
		for each = 1; each*s.Record < usualMaxPiece && n(each) > aimedPieces; each *= 2 {
		}
		for each*s.Record < maxMadePiece && n(each)*sha1.Size > MaxInfo-1024 {
			each *= 2
		}
	}
	switch {
	case each == 0:
		return 0, share.Errorf(share.Usage, "a sealed share has pieces of at least %d bytes, not %d", s.Record, s.PieceLength)
	case n(each) > MaxPieces || n(each)*sha1.Size > MaxInfo-1024:
		return 0, share.Errorf(share.Usage, "the sealed share would have %d pieces, more than peers exchange; use a larger piece length", n(each))
	}
	return each, nil
}

func (s *Sealing) encode(each int64, pieces []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('d')
	putInt(&b, "length", s.Records*s.Record)
	putString(&b, "name", s.Name)
	putInt(&b, "piece length", each*s.Record)
	writeString(&b, "pieces")
	writeString(&b, string(pieces))
	if s.Private {
		putInt(&b, "private", 1)
	}
	b.WriteByte('e')
	return b.Bytes()
}
