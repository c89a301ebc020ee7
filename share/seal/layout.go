package seal

import (
	"math/bits"

	"github.com/shoalnet/shoal/share"
)

// The sizes of the format.
const (
	RecordSize = 65536 // bytes of a record in the blob
	TagSize    = 32    // bytes of its tag, which come first
	DataSize   = RecordSize - TagSize

	// Version is the version of the format. It is in record 0 and in every tag.
	Version = 1

	MinRecords  = 2        // 128 KiB: smaller shares look alike
	MaxManifest = 16 << 20 // bytes
	// MaxContents is the maximum size of all files together, in bytes: the size of
	// the largest torrent.
	MaxContents = 1 << 50

	headerSize = 8 // of the head: version and length of the manifest
)

// Kind says what a record holds. It is in the tag.
type Kind byte

// The kinds of records. Those of a blob are in this order.
const (
	Head     Kind = 1
	Contents Kind = 2
	Padding  Kind = 3
)

// Span is records From up to, not including, To.
type Span struct{ From, To int64 }

// Bytes returns the offset and length of s in the blob.
func (s Span) Bytes() (off, length int64) {
	return s.From * RecordSize, (s.To - s.From) * RecordSize
}

// Layout says which records of a blob hold what. It follows from the lengths of the
// manifest and of the contents.
type Layout struct {
	manifest, contents int64 // bytes
	head, data, count  int64 // records: of the head, of the contents, in all
}

// NewLayout returns the layout for a manifest and contents of these sizes. Beyond
// the limits of the format it returns an error of kind share.Refused.
func NewLayout(manifest, contents int64) (Layout, error) {
	switch {
	case manifest < 0 || manifest > MaxManifest:
		return Layout{}, share.Errorf(share.Refused, "the manifest of a sealed share has %d bytes, and %d at most are allowed", manifest, MaxManifest)
	case contents < 0 || contents > MaxContents:
		return Layout{}, share.Errorf(share.Refused, "a sealed share holds at most %d bytes, not %d", int64(MaxContents), contents)
	}
	l := Layout{manifest: manifest, contents: contents, head: records(headerSize + manifest), data: records(contents)}
	l.count = padded(max(l.head+l.data, MinRecords))
	return l, nil
}

// records is how many records hold n bytes.
func records(n int64) int64 { return (n + DataSize - 1) / DataSize }

// padded is the Padmé length for n, which is positive: n without the bits beyond the
// first few, rounded up. It tells of n only O(log log n) bits.
func padded(n int64) int64 {
	exponent := bits.Len64(uint64(n)) - 1
	rest := max(0, exponent-bits.Len(uint(exponent)))
	mask := int64(1)<<rest - 1
	return (n + mask) &^ mask
}

// Fits reports whether a torrent of one file has the form of a sealed share: its
// name, its length, and its piece length. Other content may fit by chance.
func Fits(name string, length, pieceLength int64) bool {
	if len(name) != 2*nameSize || length < MinRecords*RecordSize || length%RecordSize != 0 || pieceLength%RecordSize != 0 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return padded(length/RecordSize) == length/RecordSize
}

// Count is the number of records.
func (l Layout) Count() int64 { return l.count }

// Size is the number of bytes of the blob.
func (l Layout) Size() int64 { return l.count * RecordSize }

// Contents is the number of bytes of all files.
func (l Layout) Contents() int64 { return l.contents }

// Head returns the records that hold the manifest.
func (l Layout) Head() Span { return Span{0, l.head} }

// Kind returns the kind of record n, which must be in the blob.
func (l Layout) Kind(n int64) Kind {
	switch {
	case n < l.head:
		return Head
	case n < l.head+l.data:
		return Contents
	}
	return Padding
}

// Records returns the records that hold the length bytes at off of the contents.
func (l Layout) Records(off, length int64) Span {
	off = min(max(off, 0), l.contents)
	length = min(max(length, 0), l.contents-off)
	if length == 0 {
		return Span{}
	}
	return Span{l.head + off/DataSize, l.head + records(off+length)}
}

// within is what of the contents record n holds: length bytes at off. It is nothing
// unless its kind is Contents.
func (l Layout) within(n int64) (off, length int64) {
	if l.Kind(n) != Contents {
		return 0, 0
	}
	off = (n - l.head) * DataSize
	return off, min(DataSize, l.contents-off)
}
