package door

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// archive is a ZIP file of which every byte is known by its offset, so that a download can
// go on where it broke off. Its entries are stored as they are, have a fixed date and no
// data descriptors; what is beyond 4 GiB uses ZIP64. It reads each file when it is due, and
// keeps nothing.
type archive struct {
	ctx     context.Context
	entries []entry
	central int64 // offset of the central directory
	end     int64 // offset of what follows it
	size    int64
	open    func(ctx context.Context, file int) (io.ReadSeekCloser, error)
	sum     func(ctx context.Context, file int) (uint32, error)

	off  int64
	file io.ReadSeekCloser // of entry at
	at   int
	pos  int64 // in file
}

// entry is a file in an archive.
type entry struct {
	name   string
	index  int
	size   int64
	header int64 // offset of its local header
	record int64 // offset of its record in the central directory
}

// Sizes and signatures of PKWARE's APPNOTE 6.3.10.
const (
	zipLocal   = 0x04034b50
	zipCentral = 0x02014b50
	zipEnd     = 0x06054b50
	zipEnd64   = 0x06064b50
	zipFind64  = 0x07064b50

	localSize   = 30
	centralSize = 46
	endSize     = 22
	end64Size   = 56
	find64Size  = 20

	most16 = math.MaxUint16
	most32 = math.MaxUint32

	zipUTF8 = 1 << 11
	zipDate = 1<<5 | 1 // 1 January 1980
)

// newArchive lays out an archive of files. It opens none of them.
func newArchive(t share.Transfer, files []share.File) (*archive, error) {
	a := &archive{entries: make([]entry, len(files)), at: -1}
	for i, f := range files {
		e := &a.entries[i]
		*e = entry{name: api.EntryName(t, f), index: f.Index, size: f.Total, header: a.central}
		if len(e.name) > most16 {
			return nil, fmt.Errorf("the name of a file is too long for an archive")
		}
		a.central += int64(len(e.local(0))) + e.size
	}
	a.end = a.central
	for i := range a.entries {
		e := &a.entries[i]
		e.record = a.end
		a.end += int64(len(e.centralRecord(0)))
	}
	a.size = a.end + int64(len(a.tail()))
	return a, nil
}

// etag names the content of the archive: equal names and sizes in equal content are equal
// bytes.
func (a *archive) etag(id share.ID) string {
	h := sha256.New()
	fmt.Fprintf(h, "1 %s\n", id)
	for _, e := range a.entries {
		fmt.Fprintf(h, "%d %d %q\n", e.index, e.size, e.name)
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

func (e *entry) local(crc uint32) []byte {
	b := make([]byte, localSize, localSize+len(e.name)+20)
	big := e.size >= most32
	binary.LittleEndian.PutUint32(b, zipLocal)
	binary.LittleEndian.PutUint16(b[4:], needs(big))
	binary.LittleEndian.PutUint16(b[6:], zipUTF8)
	binary.LittleEndian.PutUint16(b[12:], zipDate)
	binary.LittleEndian.PutUint32(b[14:], crc)
	binary.LittleEndian.PutUint32(b[18:], in32(e.size))
	binary.LittleEndian.PutUint32(b[22:], in32(e.size))
	binary.LittleEndian.PutUint16(b[26:], uint16(len(e.name)))
	b = append(b, e.name...)
	if big {
		extra := zip64(e.size, e.size)
		binary.LittleEndian.PutUint16(b[28:], uint16(len(extra)))
		b = append(b, extra...)
	}
	return b
}

func (e *entry) centralRecord(crc uint32) []byte {
	const unix, regular = 3, 0o100644
	b := make([]byte, centralSize, centralSize+len(e.name)+28)
	var large []int64
	if e.size >= most32 {
		large = append(large, e.size, e.size)
	}
	if e.header >= most32 {
		large = append(large, e.header)
	}
	binary.LittleEndian.PutUint32(b, zipCentral)
	binary.LittleEndian.PutUint16(b[4:], unix<<8|45)
	binary.LittleEndian.PutUint16(b[6:], needs(len(large) > 0))
	binary.LittleEndian.PutUint16(b[8:], zipUTF8)
	binary.LittleEndian.PutUint16(b[14:], zipDate)
	binary.LittleEndian.PutUint32(b[16:], crc)
	binary.LittleEndian.PutUint32(b[20:], in32(e.size))
	binary.LittleEndian.PutUint32(b[24:], in32(e.size))
	binary.LittleEndian.PutUint16(b[28:], uint16(len(e.name)))
	binary.LittleEndian.PutUint32(b[38:], regular<<16)
	binary.LittleEndian.PutUint32(b[42:], in32(e.header))
	b = append(b, e.name...)
	if len(large) > 0 {
		extra := zip64(large...)
		binary.LittleEndian.PutUint16(b[30:], uint16(len(extra)))
		b = append(b, extra...)
	}
	return b
}

// tail is what follows the central directory.
func (a *archive) tail() []byte {
	n, length := len(a.entries), a.end-a.central
	var b []byte
	if n >= most16 || a.central >= most32 || length >= most32 {
		b = make([]byte, end64Size+find64Size)
		binary.LittleEndian.PutUint32(b, zipEnd64)
		binary.LittleEndian.PutUint64(b[4:], end64Size-12)
		binary.LittleEndian.PutUint16(b[12:], 45)
		binary.LittleEndian.PutUint16(b[14:], 45)
		binary.LittleEndian.PutUint64(b[24:], uint64(n))
		binary.LittleEndian.PutUint64(b[32:], uint64(n))
		binary.LittleEndian.PutUint64(b[40:], uint64(length))
		binary.LittleEndian.PutUint64(b[48:], uint64(a.central))
		f := b[end64Size:]
		binary.LittleEndian.PutUint32(f, zipFind64)
		binary.LittleEndian.PutUint64(f[8:], uint64(a.end))
		binary.LittleEndian.PutUint32(f[16:], 1)
	}
	var e [endSize]byte
	binary.LittleEndian.PutUint32(e[:], zipEnd)
	binary.LittleEndian.PutUint16(e[8:], uint16(min(n, most16)))
	binary.LittleEndian.PutUint16(e[10:], uint16(min(n, most16)))
	binary.LittleEndian.PutUint32(e[12:], in32(length))
	binary.LittleEndian.PutUint32(e[16:], in32(a.central))
	return append(b, e[:]...)
}

func zip64(values ...int64) []byte {
	b := make([]byte, 4, 4+8*len(values))
	binary.LittleEndian.PutUint16(b, 1)
	binary.LittleEndian.PutUint16(b[2:], uint16(8*len(values)))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func in32(n int64) uint32 { return uint32(min(n, most32)) }

func needs(zip64 bool) uint16 {
	if zip64 {
		return 45
	}
	return 10
}

// Seek implements io.Seeker.
func (a *archive) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += a.off
	case io.SeekEnd:
		off += a.size
	}
	if off < 0 {
		return 0, fmt.Errorf("seeking before the beginning of an archive")
	}
	a.off = off
	return off, nil
}

// Read implements io.Reader.
func (a *archive) Read(p []byte) (n int, err error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case a.off >= a.size:
		return 0, io.EOF
	case a.off >= a.end:
		n = copy(p, a.tail()[a.off-a.end:])
	case a.off >= a.central:
		e := &a.entries[a.find(func(e *entry) int64 { return e.record })]
		crc, err := a.sum(a.ctx, e.index)
		if err != nil {
			return 0, err
		}
		n = copy(p, e.centralRecord(crc)[a.off-e.record:])
	default:
		if n, err = a.readEntry(p); err != nil {
			return n, err
		}
	}
	a.off += int64(n)
	return n, nil
}

// find returns the last entry that begins at or before the offset.
func (a *archive) find(begins func(*entry) int64) int {
	return sort.Search(len(a.entries), func(i int) bool { return begins(&a.entries[i]) > a.off }) - 1
}

// readEntry reads from the local header or the content of an entry.
func (a *archive) readEntry(p []byte) (int, error) {
	i := a.find(func(e *entry) int64 { return e.header })
	e := &a.entries[i]
	begin := e.header + int64(len(e.local(0)))
	if a.off < begin {
		crc, err := a.sum(a.ctx, e.index)
		if err != nil {
			return 0, err
		}
		return copy(p, e.local(crc)[a.off-e.header:]), nil
	}
	if a.at != i {
		if err := a.Close(); err != nil {
			return 0, err
		}
		f, err := a.open(a.ctx, e.index)
		if err != nil {
			return 0, err
		}
		a.file, a.at, a.pos = f, i, 0
	}
	if pos := a.off - begin; pos != a.pos {
		if _, err := a.file.Seek(pos, io.SeekStart); err != nil {
			return 0, err
		}
		a.pos = pos
	}
	n, err := a.file.Read(p[:min(int64(len(p)), e.size-a.pos)])
	a.pos += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF // it is shorter than it was
	}
	return 0, err
}

// Close closes the file that is open, if any.
func (a *archive) Close() error {
	if a.file == nil {
		return nil
	}
	f := a.file
	a.file, a.at = nil, -1
	return f.Close()
}
