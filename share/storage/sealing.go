package storage

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/seal"
)

// Seal is the data of a sealed share besides its files: see Spec.
type Seal struct {
	Secret share.Secret
	// Tags is the file with the tag of each record. It is created when the first tags
	// are known. Hashing recovers missing tags.
	Tags string
	// Forged is called, if not nil, when a piece matches the torrent but cannot be
	// opened with the key. It must not block.
	Forged func(error)
}

// sealing is how a sealed share becomes what peers exchange. Its pieces are those of
// the blob; of a record they have the plaintext, seal.DataSize bytes.
type sealing struct {
	blob   *metainfo.Info
	sealer *seal.Sealer
	tags   tags
	each   int64 // records in a piece
	wardrobe
}

func newSealing(info *metainfo.Info, s Seal, plain io.ReaderAt, cache *seal.Cache) (*sealing, error) {
	if s.Secret.IsZero() {
		return nil, share.Errorf(share.Failed, "the key of the sealed share %q is not known: get it again with its link", info.Name)
	}
	blob, manifest := info.Sealed.Blob, info.Sealed.Manifest
	g := &sealing{blob: blob, each: info.PieceLength / seal.DataSize, tags: tags{path: s.Tags}}
	c := &contents{plain: plain}
	m, err := seal.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	g.wardrobe = newWardrobe(m)
	g.sealer, err = seal.NewSealer(seal.Config{Secret: s.Secret, Manifest: manifest, Contents: c, Cache: cache}, &g.tags)
	if err != nil {
		return nil, err
	}
	l := g.sealer.Layout()
	if c.first = l.Head().To * seal.DataSize; l.Size() != blob.Total || info.Total != l.Count()*seal.DataSize || g.each*seal.RecordSize != blob.PieceLength {
		return nil, share.Errorf(share.Refused, "the manifest of %q is not that of its torrent", info.Name)
	}
	if len(g.wardrobe.files) != len(info.Files) {
		return nil, share.Errorf(share.Refused, "the manifest of %q lists %d files, not %d", info.Name, len(g.wardrobe.files), len(info.Files))
	}
	return g, nil
}

// contents reads the files as one, for the Sealer: what is right and has not changed.
type contents struct {
	plain io.ReaderAt
	first int64 // where the files begin
}

func (c *contents) ReadAt(p []byte, off int64) (int, error) { return c.plain.ReadAt(p, c.first+off) }

// records are those of piece p.
func (g *sealing) records(p int) (first, end int64) {
	first = int64(p) * g.each
	return first, min(first+g.each, g.sealer.Layout().Count())
}

// newSum checks piece p by the torrent's hash of the records that the plaintext makes.
func (g *sealing) newSum(p int) Sum {
	s := &sealedSum{g: g, sum: g.blob.NewSum(p, nil)}
	s.first, _ = g.records(p)
	s.Stream = g.sealer.Stream(s.first, s.sum, func(_ int64, tag [seal.TagSize]byte) { s.tags = append(s.tags, tag) })
	return s
}

// sealedSum is a Sum of plaintext. Where that is right, it keeps the tags.
type sealedSum struct {
	*seal.Stream
	g     *sealing
	first int64
	tags  [][seal.TagSize]byte
	sum   *metainfo.Sum
}

// Verdict implements Sum.
func (s *sealedSum) Verdict() metainfo.Verdict {
	v := s.sum.Verdict()
	if v == metainfo.Right && !s.g.tags.are(s.first, s.tags) {
		s.g.tags.set(s.first, s.tags)
	}
	return v
}

// tags keeps the tag of each record in a file. Those that are missing are zeros.
type tags struct {
	path string

	flushing sync.Mutex // held while the file is written; before mu

	mu     sync.Mutex // guards what follows
	fresh  map[int64][seal.TagSize]byte
	file   *os.File // nil until it is needed
	closed bool
}

// set notes the tags of records from first on, of a piece that is right. It may be called
// with locks held, and touches no file.
func (t *tags) set(first int64, all [][seal.TagSize]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fresh == nil {
		t.fresh = make(map[int64][seal.TagSize]byte)
	}
	for i, tag := range all {
		t.fresh[first+int64(i)] = tag
	}
}

// are tells whether these are kept already.
func (t *tags) are(first int64, all [][seal.TagSize]byte) bool {
	kept := make([]byte, len(all)*seal.TagSize)
	if n, err := t.ReadAt(kept, first*seal.TagSize); err != nil || n < len(kept) {
		return false
	}
	for i, tag := range all {
		if [seal.TagSize]byte(kept[i*seal.TagSize:]) != tag {
			return false
		}
	}
	return true
}

// ReadAt reads one tag, or more, from the place of a tag.
func (t *tags) ReadAt(p []byte, off int64) (n int, err error) {
	for ; n+seal.TagSize <= len(p); n += seal.TagSize {
		t.mu.Lock()
		tag, ok := t.fresh[(off+int64(n))/seal.TagSize]
		f := t.file
		if !ok && f == nil {
			f, err = t.openLocked(os.O_RDWR)
		}
		t.mu.Unlock()
		switch {
		case ok:
			copy(p[n:], tag[:])
		case errors.Is(err, fs.ErrNotExist):
			clear(p[n : n+seal.TagSize])
		case err != nil:
			return n, err
		default:
			if m, err := f.ReadAt(p[n:n+seal.TagSize], off+int64(n)); m < seal.TagSize {
				if err != io.EOF {
					return n, err
				}
				clear(p[n : n+seal.TagSize])
			}
		}
	}
	return n, nil
}

func (t *tags) openLocked(flag int) (*os.File, error) {
	switch {
	case t.closed:
		return nil, ErrClosed
	case t.file != nil:
		return t.file, nil
	}
	f, err := os.OpenFile(t.path, flag, 0o600)
	if errors.Is(err, fs.ErrPermission) && flag == os.O_RDWR {
		f, err = os.Open(t.path) // nothing is to be changed
	}
	if err == nil {
		t.file = f
	}
	return f, err
}

// flush makes durable what was set before.
func (t *tags) flush() error {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	t.mu.Lock()
	batch := t.fresh
	if len(batch) == 0 {
		t.mu.Unlock()
		return nil
	}
	was := t.file
	f, err := t.openLocked(os.O_RDWR | os.O_CREATE)
	var write map[int64][seal.TagSize]byte
	if err == nil {
		write = make(map[int64][seal.TagSize]byte, len(batch))
		for n, tag := range batch {
			write[n] = tag
		}
	}
	t.mu.Unlock()
	if err != nil {
		return err
	}
	for n, tag := range write {
		if _, err := f.WriteAt(tag[:], n*seal.TagSize); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if was == nil {
		if err := syncPath(filepath.Dir(t.path)); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, tag := range write {
		if t.fresh[n] == tag {
			delete(t.fresh, n)
		}
	}
	return nil
}

func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDirectory(d)
}

func (t *tags) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

// spool holds records that are not complete, as they came: some in memory, the others
// in a file that has no name. Its methods are safe for concurrent use, on different
// slots.
type spool struct {
	dir string

	mu    sync.Mutex
	near  [][]byte
	file  *os.File
	free  []int // slots
	slots int
}

// nearSlots is how many records are held in memory.
const nearSlots = 128

// take returns a free slot.
func (s *spool) take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot, nil
	}
	if s.slots < nearSlots {
		s.near = append(s.near, make([]byte, seal.RecordSize))
	} else if s.file == nil {
		f, err := os.CreateTemp(s.dir, "*.spool.tmp")
		if err != nil {
			return 0, err
		}
		os.Remove(f.Name()) // some systems refuse that while it is open
		s.file = f
	}
	s.slots++
	return s.slots - 1, nil
}

func (s *spool) give(slot int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, slot)
}

// at returns the memory of a slot, or the file and where it is there.
func (s *spool) at(slot int) ([]byte, *os.File, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot < len(s.near) {
		return s.near[slot], nil, 0
	}
	return nil, s.file, int64(slot-nearSlots) * seal.RecordSize
}

func (s *spool) write(slot int, p []byte, off int64) error {
	b, f, at := s.at(slot)
	if f == nil {
		copy(b[off:], p)
		return nil
	}
	_, err := f.WriteAt(p, at+off)
	return err
}

func (s *spool) read(slot int, p []byte) error {
	b, f, at := s.at(slot)
	if f == nil {
		copy(p, b)
		return nil
	}
	_, err := f.ReadAt(p, at)
	return err
}

func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
}

// errTags is the error for a file of tags that does not work.
func errTags(err error) error { return share.Wrapf("keeping the tags of the sealed records: %w", err) }
