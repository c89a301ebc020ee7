package seal

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// Config holds what a blob is made from.
type Config struct {
	Secret share.Secret
	// Manifest is the encoded manifest, from Manifest.Encode or an Opener. It is
	// kept and not modified.
	Manifest []byte
	// Contents are the bytes of all files, in the order of the manifest. io.EOF before
	// their end means that a file has become shorter.
	Contents io.ReaderAt
	Cache    *Cache // nil keeps one record
}

// keeper decides whether a record leaves.
type keeper interface {
	// admit judges t.sum, the tag of what record n is made of now.
	admit(n int64, t *tool) error
}

// Sealer is a blob that is not stored: each record is sealed when it is read, from the
// contents at that moment, and given out only if its tag is the kept one. Its methods
// are safe for concurrent use.
type Sealer struct {
	layout   Layout
	head     []byte // before it is cut into records
	contents io.ReaderAt
	cipher   *recordCipher
	cache    *Cache
	keep     keeper
}

// NewSealer makes a Sealer with the tags that a Maker stored or a reader received:
// 32 bytes for each record, by its number. The tags of missing records are zeros.
func NewSealer(cfg Config, tags io.ReaderAt) (*Sealer, error) {
	return newSealer(cfg, kept{tags})
}

func newSealer(cfg Config, keep keeper) (*Sealer, error) {
	m, err := ParseManifest(cfg.Manifest)
	if err != nil {
		return nil, err
	}
	s := &Sealer{contents: cfg.Contents, cache: cfg.Cache, keep: keep}
	if s.layout, err = NewLayout(int64(len(cfg.Manifest)), m.Contents); err != nil {
		return nil, err
	}
	if s.cipher, err = newCipher(cfg.Secret); err != nil {
		return nil, err
	}
	if s.cache == nil {
		s.cache = NewCache(1)
	}
	s.head = binary.BigEndian.AppendUint32(make([]byte, 0, headerSize+len(cfg.Manifest)), Version)
	s.head = binary.BigEndian.AppendUint32(s.head, uint32(len(cfg.Manifest)))
	s.head = append(s.head, cfg.Manifest...)
	return s, nil
}

// Layout returns the layout of the blob.
func (s *Sealer) Layout() Layout { return s.layout }

// ReadAt reads the blob. At a record that cannot be sealed it ends with a RecordError;
// the bytes read before are right.
func (s *Sealer) ReadAt(p []byte, off int64) (int, error) {
	return s.cache.readAt(s, p, off, s.layout.Size(), 0, 0)
}

// Check compares the records of a span with the current contents, and lists those that
// differ. They are no longer served from the cache. An error means that the contents
// could not be read, or that ctx ended.
func (s *Sealer) Check(ctx context.Context, in Span) (differ []Span, err error) {
	rec := new(record)
	for n := max(in.From, 0); n < min(in.To, s.layout.count); n++ {
		if err := ctx.Err(); err != nil {
			return differ, err
		}
		err := s.plain(n, rec)
		if err == nil {
			err = s.cipher.approve(n, s.layout.Kind(n), rec, s.keep)
		}
		if err == nil {
			continue
		}
		s.cache.forget(s, n)
		if !errors.Is(err, ErrChanged) {
			return differ, err
		}
		if last := len(differ) - 1; last >= 0 && differ[last].To == n {
			differ[last].To++
		} else {
			differ = append(differ, Span{n, n + 1})
		}
	}
	return differ, nil
}

// fill implements source.
func (s *Sealer) fill(n int64, rec *record) error {
	if err := s.plain(n, rec); err != nil {
		return err
	}
	if err := s.cipher.approve(n, s.layout.Kind(n), rec, s.keep); err != nil {
		return err
	}
	s.cipher.crypt(rec)
	return nil
}

// plain puts the plaintext of record n into rec. It is read once: what is tagged is
// what is encrypted, even if the file changes at the same time.
func (s *Sealer) plain(n int64, rec *record) error {
	data, used := rec[TagSize:], 0
	switch s.layout.Kind(n) {
	case Head:
		used = copy(data, s.head[n*DataSize:])
	case Contents:
		off, length := s.layout.within(n)
		got, err := s.contents.ReadAt(data[:length], off)
		if used = int(length); got < used {
			clear(data)
			if err == nil || errors.Is(err, io.EOF) {
				err = ErrChanged
			}
			return &RecordError{n, err}
		}
	}
	clear(data[used:])
	return nil
}

// kept admits the tags that were stored.
type kept struct{ tags io.ReaderAt }

func (k kept) admit(n int64, t *tool) error {
	if got, err := k.tags.ReadAt(t.kept[:], n*TagSize); got < TagSize {
		return fmt.Errorf("reading its tag: %w", err)
	}
	if subtle.ConstantTimeCompare(t.kept[:], t.sum[:]) != 1 {
		return ErrChanged
	}
	return nil
}

// TagStore keeps 32 bytes for each record, by its number.
type TagStore interface {
	io.ReaderAt
	io.WriterAt
}

// Maker seals content for the first time, in any order, and stores the tags. Each
// record has one tag: a record that is read again after the content changed fails.
type Maker struct{ *Sealer }

// NewMaker makes a Maker that stores the tags in tags and overwrites what is there.
func NewMaker(cfg Config, tags TagStore) (*Maker, error) {
	l := &learner{tags: tags}
	s, err := newSealer(cfg, l)
	if err != nil {
		return nil, err
	}
	l.known = make([]uint64, (s.layout.count+63)/64)
	l.missing = s.layout.count
	return &Maker{s}, nil
}

// Finish returns the Sealer once every record has been read.
func (m *Maker) Finish() (*Sealer, error) {
	l := m.keep.(*learner)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.missing > 0 {
		return nil, fmt.Errorf("%d of the %d records of a sealed share were not sealed", l.missing, m.layout.count)
	}
	s := *m.Sealer
	s.keep = kept{l.tags}
	return &s, nil
}

// learner admits the first tag of each record, and then no other.
type learner struct {
	tags TagStore

	mu      sync.Mutex // guards what follows
	known   []uint64   // a bit for each record
	missing int64
}

func (l *learner) admit(n int64, t *tool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	word, bit := &l.known[n/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return kept{l.tags}.admit(n, t)
	}
	if _, err := l.tags.WriteAt(t.sum[:], n*TagSize); err != nil {
		return fmt.Errorf("storing its tag: %w", err)
	}
	*word |= bit
	l.missing--
	return nil
}
