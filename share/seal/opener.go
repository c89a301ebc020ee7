package seal

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/shoalnet/shoal/share"
)

// Opener reads a sealed share with its key. Its methods are safe for concurrent use.
type Opener struct {
	// Manifest lists the content of the share. Bytes is its encoded form, for a
	// Sealer. Neither may be changed.
	Manifest *Manifest
	Bytes    []byte

	layout Layout
	blob   io.ReaderAt
	cipher *recordCipher
	cache  *Cache
}

// NewOpener reads the manifest from the records at the beginning of a blob of size
// bytes, whose other records may be missing. An error of the blob is returned as it
// is. An error of kind share.Refused means that it is not a sealed share, and a
// RecordError with ErrForged that it was sealed with another key. cache may be nil.
func NewOpener(secret share.Secret, blob io.ReaderAt, size int64, cache *Cache) (*Opener, error) {
	if size < MinRecords*RecordSize || size%RecordSize != 0 {
		return nil, share.Errorf(share.Refused, "a sealed share of %d bytes: it would have a multiple of %d, and at least %d", size, RecordSize, MinRecords*RecordSize)
	}
	o := &Opener{blob: blob, cache: cache}
	var err error
	if o.cipher, err = newCipher(secret); err != nil {
		return nil, err
	}
	if o.cache == nil {
		o.cache = NewCache(1)
	}
	if err := o.readHead(size); err != nil {
		return nil, err
	}
	if o.Manifest, err = ParseManifest(o.Bytes); err != nil {
		return nil, err
	}
	if o.layout, err = NewLayout(int64(len(o.Bytes)), o.Manifest.Contents); err != nil {
		return nil, err
	}
	if o.layout.Size() != size {
		return nil, share.Errorf(share.Refused, "a sealed share of %d bytes has a manifest for %d", size, o.layout.Size())
	}
	return o, nil
}

// readHead reads the bytes of the manifest.
func (o *Opener) readHead(size int64) error {
	rec := new(record)
	left := 0
	for n := int64(0); n == 0 || left > 0; n++ {
		if err := o.load(n, rec); err != nil {
			return err
		}
		if err := o.cipher.open(n, Head, rec); err != nil {
			return err
		}
		data := rec[TagSize:]
		if n == 0 {
			length, err := readHeader(data, size)
			if err != nil {
				return err
			}
			data, left = data[headerSize:], int(length)
			o.Bytes = make([]byte, 0, length)
		}
		used := min(left, len(data))
		o.Bytes = append(o.Bytes, data[:used]...)
		left -= used
		if !zeros(data[used:]) {
			return &RecordError{n, errPadding}
		}
	}
	return nil
}

// readHeader returns the length of the manifest.
func readHeader(data []byte, size int64) (int64, error) {
	version, length := binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint32(data[4:]))
	if version != Version {
		return 0, share.Errorf(share.Refused, "a sealed share of version %d, and this program reads version %d", version, Version)
	}
	if length > MaxManifest || records(headerSize+length) > size/RecordSize {
		return 0, share.Errorf(share.Refused, "a manifest of %d bytes in a sealed share of %d", length, size)
	}
	return length, nil
}

// HeadOf returns the records that NewOpener will read, given rec, the first record of a
// blob of size bytes. It overwrites rec. Errors are those of NewOpener.
func HeadOf(secret share.Secret, rec *[RecordSize]byte, size int64) (Span, error) {
	c, err := newCipher(secret)
	if err != nil {
		return Span{}, err
	}
	if err := c.open(0, Head, rec); err != nil {
		return Span{}, err
	}
	length, err := readHeader(rec[TagSize:], size)
	return Span{0, records(headerSize + length)}, err
}

// errPadding is the error for bytes behind the manifest, or the contents, that are not
// zeros. A Sealer could not make such a record again.
var errPadding = errors.New("its padding is not zeros")

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Layout returns the layout of the blob.
func (o *Opener) Layout() Layout { return o.layout }

// Open decrypts record n in place. It returns the part of the contents in the record,
// which is in rec after the tag, and its offset in the contents; nothing unless the
// record is of kind Contents. After an error, which is a RecordError, rec is zeros.
func (o *Opener) Open(n int64, rec *[RecordSize]byte) (data []byte, off int64, err error) {
	return open(o.layout, o.cipher, n, rec)
}

// Open is Opener.Open for callers that already have the manifest.
func (s *Sealer) Open(n int64, rec *[RecordSize]byte) (data []byte, off int64, err error) {
	return open(s.layout, s.cipher, n, rec)
}

func open(l Layout, c *recordCipher, n int64, rec *record) (data []byte, off int64, err error) {
	if n < 0 || n >= l.count {
		clear(rec[:])
		return nil, 0, &RecordError{n, errors.New("there is no such record")}
	}
	kind := l.Kind(n)
	if err := c.open(n, kind, rec); err != nil {
		return nil, 0, err
	}
	off, length := l.within(n)
	end := TagSize + length
	if kind != Head && !zeros(rec[end:]) {
		clear(rec[:])
		return nil, 0, &RecordError{n, errPadding}
	}
	return rec[TagSize:end:end], off, nil
}

// ReadAt reads the contents. It ends at a record that cannot be opened, with a
// RecordError, or with the error of the blob; the bytes read before are right.
func (o *Opener) ReadAt(p []byte, off int64) (int, error) {
	return o.cache.readAt(o, p, off, o.layout.contents, o.layout.head, TagSize)
}

// fill implements source.
func (o *Opener) fill(n int64, rec *record) error {
	if err := o.load(n, rec); err != nil {
		return err
	}
	_, _, err := o.Open(n, rec)
	return err
}

// load reads record n as it is in the blob.
func (o *Opener) load(n int64, rec *record) error {
	if got, err := o.blob.ReadAt(rec[:], n*RecordSize); got < RecordSize {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}
