package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/seal"
)

// Sealed is a Transfer as peers see it: its offsets are those of the blob. It seals
// data that is read, and opens data that is written. Its pieces are those of the
// Transfer.
//
// A record is opened when its last block has arrived, and its plaintext is written to
// the files like a block of plain content: only the torrent's hash of the whole piece
// decides whether it counts. Until then a record waits in the spool, and so does one
// that cannot be opened: the hash shows who sent it.
type Sealed struct {
	t      *Transfer
	g      *sealing
	forged func(error)
	spool  spool

	mu      sync.Mutex // guards what follows
	records map[int64]*incoming
	copied  map[int][][seal.TagSize]byte // by CopyPiece, until the verdict
}

// incoming is a record of a piece that is not complete.
type incoming struct {
	users int  // Sealed.mu guards it
	gone  bool // and this: the piece is complete

	mu     sync.Mutex // guards what follows; before Sealed.mu
	slot   int        // in the spool, if has is not 0
	has    uint8      // a bit for each block that is in the slot
	opened bool       // its plaintext was written, and it has no slot
	tag    [seal.TagSize]byte
}

// blockSize is how much of a record peers send at once.
const (
	blockSize = 16 << 10
	allBlocks = 1<<(seal.RecordSize/blockSize) - 1
)

type rawRecord = [seal.RecordSize]byte

var rawRecords = sync.Pool{New: func() any { return new(rawRecord) }}

func newSealed(t *Transfer, s Seal) *Sealed {
	return &Sealed{
		t: t, g: t.sealing, forged: s.Forged, spool: spool{dir: filepath.Dir(s.Tags)},
		records: make(map[int64]*incoming), copied: make(map[int][][seal.TagSize]byte),
	}
}

// Sealed is t as peers see it, or nil if its content is plain.
func (t *Transfer) Sealed() *Sealed { return t.sealed }

// Completion is Transfer.Completion.
func (s *Sealed) Completion(p int) (known, complete bool) { return s.t.Completion(p) }

// ReadAt reads the blob. Each record is sealed again from the files, and its tag is
// compared with the one kept when the data was right.
func (s *Sealed) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= s.g.blob.Total || len(p) == 0 {
		return 0, io.EOF
	}
	length := min(int64(len(p)), s.g.blob.Total-off)
	in := Span{int(off / s.g.blob.PieceLength), int((off+length-1)/s.g.blob.PieceLength) + 1}
	for again := false; ; again = true {
		if ok, _ := s.t.readable(in); !ok {
			return 0, share.Wrapf("reading pieces %d to %d of %q: %w", in.From, in.To-1, s.t.info.Name, s.t.whyNot(in))
		}
		n, err := s.g.sealer.ReadAt(p, off)
		bad, ok := errors.AsType[*seal.RecordError](err)
		if !ok {
			return n, err
		}
		if !errors.Is(err, seal.ErrChanged) || again {
			return n, bad.Err
		}
		// A file was changed, or its tag was lost.
		if err := s.judge(int(bad.Record / s.g.each)); err != nil {
			return n, err
		}
	}
}

// judge hashes piece p, and tells the peer protocol if it is not right.
func (s *Sealed) judge(p int) error {
	s.t.proving.Lock()
	defer s.t.proving.Unlock()
	right, err := s.t.HashPiece(context.Background(), p)
	if err != nil || right {
		return err
	}
	s.t.mu.Lock()
	s.t.known.refresh(Span{p, p + 1})
	s.t.mu.Unlock()
	s.t.agenda.post()
	return nil
}

// WriteAt takes blocks from peers.
func (s *Sealed) WriteAt(p []byte, off int64) (n int, err error) {
	if s.t.fetch == nil {
		return 0, ErrOwn
	}
	if off < 0 || int64(len(p)) > s.g.blob.Total-off || off%blockSize != 0 || len(p)%blockSize != 0 {
		return 0, share.Wrapf("writing %d bytes at %d of %q: %w", len(p), off, s.t.info.Name, io.ErrShortWrite)
	}
	for n < len(p) {
		at := off + int64(n)
		in := at % seal.RecordSize
		part := p[n:min(len(p), n+int(seal.RecordSize-in))]
		if err := s.put(at/seal.RecordSize, in, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// put takes a part of record n.
func (s *Sealed) put(n, off int64, part []byte) error {
	p := int(n / s.g.each)
	if s.t.isHere(Span{p, p + 1}) {
		return nil
	}
	e := s.take(n)
	defer s.give(n, e)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened {
		if same, err := s.recall(n, e, off, part); same || err != nil {
			return err
		}
	}
	rec := rawRecords.Get().(*rawRecord)
	defer rawRecords.Put(rec)
	if e.has == 0 && len(part) == len(rec) {
		copy(rec[:], part)
		if done, err := s.open(n, e, rec); done || err != nil {
			return err
		}
	}
	var mask uint8
	for at := off; at < off+int64(len(part)); at += blockSize {
		mask |= 1 << (at / blockSize)
	}
	if err := s.hold(e, part, off); err != nil {
		return err
	}
	if e.has |= mask; e.has != allBlocks {
		return nil
	}
	err := s.spool.read(e.slot, rec[:])
	if err == nil {
		_, err = s.open(n, e, rec)
	} else {
		err = s.failed(err)
	}
	if err != nil {
		e.has &^= mask // it comes again
		if e.has == 0 {
			s.spool.give(e.slot)
		}
	}
	return err
}

// failed is the error for a spool that does not work.
func (s *Sealed) failed(err error) error {
	return s.t.faults.failed(opWrite, -1, 0, share.Wrapf("holding back sealed records: %w", err))
}

// hold puts a part of a record into its slot.
func (s *Sealed) hold(e *incoming, part []byte, off int64) (err error) {
	if e.has == 0 {
		if e.slot, err = s.spool.take(); err != nil {
			return s.failed(err)
		}
	}
	if err := s.spool.write(e.slot, part, off); err != nil {
		if e.has == 0 {
			s.spool.give(e.slot)
		}
		return s.failed(err)
	}
	return nil
}

// open opens record n, which is in rec, and writes what it holds. It tells whether the
// record could be opened.
func (s *Sealed) open(n int64, e *incoming, rec *rawRecord) (bool, error) {
	tag := [seal.TagSize]byte(rec[:])
	if _, _, err := s.g.sealer.Open(n, rec); err != nil {
		return false, nil
	}
	if _, err := s.t.fetch.writer.write(rec[seal.TagSize:], n*seal.DataSize); err != nil {
		return false, err
	}
	if e.has != 0 {
		s.spool.give(e.slot)
	}
	e.has, e.opened, e.tag = 0, true, tag
	return true, nil
}

// recall is called when a part of a record comes again that was opened. It tells
// whether the part is the same. If not, the record is in the spool again.
func (s *Sealed) recall(n int64, e *incoming, off int64, part []byte) (same bool, err error) {
	rec := rawRecords.Get().(*rawRecord)
	defer rawRecords.Put(rec)
	if err := s.remake(n, rec); err != nil {
		e.opened = false
		return false, nil
	}
	if bytes.Equal(rec[off:off+int64(len(part))], part) {
		return true, nil
	}
	if err := s.hold(e, rec[:], 0); err != nil {
		return false, err
	}
	e.has, e.opened = allBlocks, false
	return false, nil
}

// remake seals what is on the disk of record n, right or wrong.
func (s *Sealed) remake(n int64, rec *rawRecord) error {
	out := bytes.NewBuffer(rec[:0])
	plain := rawRecords.Get().(*rawRecord)
	defer rawRecords.Put(plain)
	if _, err := s.t.reader.read(plain[:seal.DataSize], n*seal.DataSize); err != nil {
		return err
	}
	_, err := s.g.sealer.Stream(n, out, nil).Write(plain[:seal.DataSize])
	return err
}

// take finds or makes what is known of record n.
func (s *Sealed) take(n int64) *incoming {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.records[n]
	if e == nil {
		e = &incoming{}
		s.records[n] = e
	}
	e.users++
	return e
}

func (s *Sealed) give(n int64, e *incoming) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.users--; e.users == 0 && e.gone {
		s.drop(e)
	}
}

// drop gives back the slot of a record that nobody uses. mu is held.
func (s *Sealed) drop(e *incoming) {
	if e.has != 0 {
		s.spool.give(e.slot)
		e.has = 0
	}
}

// CopyPiece writes the first n bytes of piece p of the blob to w, made from the data
// on disk, right or wrong. It returns io.EOF where there is no data.
func (s *Sealed) CopyPiece(p int, n int64, w io.Writer) (int64, error) {
	first, end := s.g.records(p)
	out := &firstBytes{w: w, left: n}
	if s.underWay(first, end) {
		return s.copyRecords(first, end, out)
	}
	var all [][seal.TagSize]byte
	st := s.g.sealer.Stream(first, out, func(_ int64, tag [seal.TagSize]byte) { all = append(all, tag) })
	_, err := s.t.CopyPiece(p, s.t.info.PieceSize(p), st)
	if err == nil && int64(len(all)) == end-first {
		s.mu.Lock()
		s.copied[p] = all
		s.mu.Unlock()
	}
	return out.written, err
}

// underWay tells whether blocks of these records have come.
func (s *Sealed) underWay(first, end int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := first; n < end; n++ {
		if s.records[n] != nil {
			return true
		}
	}
	return false
}

// copyRecords is CopyPiece for a piece some of whose records may be in the spool.
func (s *Sealed) copyRecords(first, end int64, w *firstBytes) (int64, error) {
	rec := rawRecords.Get().(*rawRecord)
	defer rawRecords.Put(rec)
	for n := first; n < end; n++ {
		err := func() error {
			e := s.take(n)
			defer s.give(n, e)
			e.mu.Lock()
			defer e.mu.Unlock()
			switch e.has {
			case 0:
				return s.remake(n, rec)
			case allBlocks:
				return s.spool.read(e.slot, rec[:])
			}
			return io.EOF
		}()
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent):
			return w.written, io.EOF
		case err != nil:
			return w.written, err
		}
		if _, err := w.Write(rec[:]); err != nil {
			return w.written, err
		}
	}
	return w.written, nil
}

// firstBytes passes on so many bytes, and drops the rest.
type firstBytes struct {
	w             io.Writer
	left, written int64
}

func (f *firstBytes) Write(p []byte) (int, error) {
	part := p[:min(int64(len(p)), f.left)]
	n, err := f.w.Write(part)
	f.left -= int64(n)
	f.written += int64(n)
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// MarkComplete records that piece p matches the torrent. If it still cannot be opened,
// the share was not sealed with this key, and nothing in the piece counts.
func (s *Sealed) MarkComplete(p int) error {
	if !s.settle(p) {
		err := share.Errorf(share.Refused, "piece %d of %q is as the torrent says, but is not sealed with the key of the link: the share is damaged; ask who made it for another", p, s.t.info.Name)
		if s.forged != nil {
			s.forged(err)
		}
		return errors.Join(err, s.t.MarkNotComplete(p))
	}
	return s.t.MarkComplete(p)
}

// settle keeps the tags of a piece that is right. It reports false if a record of it
// could not be opened.
func (s *Sealed) settle(p int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.copied[p]
	delete(s.copied, p)
	first, end := s.g.records(p)
	for n := first; n < end; n++ {
		if e := s.records[n]; e != nil && e.users == 0 && !e.opened && e.has == allBlocks {
			return false
		}
	}
	if all != nil {
		s.g.tags.set(first, all)
	}
	for n := first; n < end; n++ {
		e := s.records[n]
		if e == nil {
			continue
		}
		if e.users == 0 {
			if e.opened {
				s.g.tags.set(n, [][seal.TagSize]byte{e.tag})
			}
			s.drop(e)
		}
		e.gone = true
		delete(s.records, n)
	}
	return true
}

// MarkNotComplete records that piece p is wrong. Its blocks are kept: the peer
// protocol may request single blocks again.
func (s *Sealed) MarkNotComplete(p int) error {
	s.mu.Lock()
	delete(s.copied, p)
	s.mu.Unlock()
	return s.t.MarkNotComplete(p)
}
