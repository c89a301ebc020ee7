package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share/metainfo"
)

// layout says where the files of a transfer are. Its encoding:
//
//	version 1 | flags | base | number of files | for each file: how (1 byte) [final] [part]
//	| number of folders | folders
//
// Strings are a uvarint length and bytes. A name that is the torrent's own, or
// its default .part, is left out.
type layout struct {
	own     bool
	base    string // the own folder, or "" for a single file
	names   []diskName
	folders []string // empty ones
}

const (
	layoutVersion = 1
	layoutOwn     = 1 // flag: what the user shares
	// flag: names that are left out are those of the torrent; without it they are
	// what older releases made of them.
	layoutAsNamed = 2
)

// How a name is written.
const (
	nameOnDisk = 1 << iota // the entry is on disk
	nameGiven              // its final name follows
	partGiven              // its part name follows
	partNone               // it has none
)

func defaultName(f *metainfo.File) string { return strings.Join(f.Path, "/") }

// olderName is defaultName of records without layoutAsNamed.
func olderName(f *metainfo.File) string {
	p := make([]string, len(f.Path))
	for i, e := range f.Path {
		p[i] = metainfo.OlderName(e)
	}
	return strings.Join(p, "/")
}

func (l *layout) encode(info *metainfo.Info) []byte {
	b := []byte{layoutVersion, layoutAsNamed}
	if l.own {
		b[1] |= layoutOwn
	}
	b = appendString(b, l.base)
	b = binary.AppendUvarint(b, uint64(len(l.names)))
	for i, n := range l.names {
		if n.final == "" {
			b = append(b, 0)
			continue
		}
		how := byte(nameOnDisk)
		if n.final != defaultName(&info.Files[i]) {
			how |= nameGiven
		}
		switch n.part {
		case "":
			how |= partNone
		case n.final + partSuffix:
		default:
			how |= partGiven
		}
		b = append(b, how)
		if how&nameGiven != 0 {
			b = appendString(b, n.final)
		}
		if how&partGiven != 0 {
			b = appendString(b, n.part)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(l.folders)))
	for _, f := range l.folders {
		b = appendString(b, f)
	}
	return b
}

func decodeLayout(b []byte, info *metainfo.Info) (*layout, error) {
	d := decoder{b: b}
	if v := d.byte(); v != layoutVersion && d.err == nil {
		return nil, fmt.Errorf("a layout of version %d, not %d", v, layoutVersion)
	}
	flags := d.byte()
	l := &layout{own: flags&layoutOwn != 0, base: d.string()}
	byDefault := defaultName
	if flags&layoutAsNamed == 0 {
		byDefault = olderName
	}
	if l.base != "" && (!isLocal(l.base) || strings.Contains(l.base, "/")) {
		return nil, fmt.Errorf("the record names the folder %q", l.base)
	}
	if n := d.count(1); n != len(info.Files) && d.err == nil {
		return nil, fmt.Errorf("a layout of %d files for a torrent of %d", n, len(info.Files))
	}
	if d.err != nil {
		return nil, d.err
	}
	l.names = make([]diskName, len(info.Files))
	for i := range l.names {
		how := d.byte()
		if how&nameOnDisk == 0 {
			continue
		}
		n := &l.names[i]
		if how&nameGiven != 0 {
			n.final = d.name()
		} else {
			n.final = byDefault(&info.Files[i])
		}
		switch {
		case how&partGiven != 0:
			n.part = d.name()
		case how&partNone == 0:
			n.part = n.final + partSuffix
		}
	}
	for range d.count(1) {
		l.folders = append(l.folders, d.name())
	}
	return l, d.end()
}

// The states of a file.
const (
	absent  uint8 = iota // not there, as far as is known
	partial              // under its part name
	final                // under its final name
)

// progress is what is durable. Its encoding:
//
//	version 2 | flags | pieces recorded | pieces unknown
//	| number of files | for each file: index - index before, state and flags
//	  (uvarint), size [if not its length], time - time before,
//	  change time - time and inode [if known]
//
// Bitmaps are a uvarint number of words and the words; times are varint
// nanoseconds since 1970. Version 1 had one byte of state and flags, and neither
// change times nor inodes.
type progress struct {
	made     bool // the own folder was there
	emptied  bool // files of 0 bytes were made
	recorded bitmap
	unknown  bitmap
	files    []fileRecord
}

type fileRecord struct {
	index   int
	state   uint8
	foreign bool
	before  bool
	suspect bool
	failed  bool
	created bool // this transfer made the file; not told by records of version 1
	user    bool // it was there before the transfer was first opened; likewise
	doubt   bool // some pieces have to be hashed again; see doubt.go
	stamp   stamp
}

const (
	progressVersion = 2

	folderMade = 1
	emptyMade  = 2

	stateMask   = 3
	fileForeign = 4
	fileSuspect = 8
	fileFailed  = 16
	fileSized   = 32 // a size follows
	fileBefore  = 64
	fileChange  = 128 // a change time and an inode follow
	fileCreated = 256
	fileUser    = 512
	fileDoubt   = 1024
)

func (p *progress) encode(info *metainfo.Info) []byte {
	b := make([]byte, 0, 32+8*len(p.recorded)+8*len(p.files))
	b = append(b, progressVersion)
	var flags byte
	if p.made {
		flags |= folderMade
	}
	if p.emptied {
		flags |= emptyMade
	}
	b = append(b, flags)
	b = p.recorded.appendTo(b)
	b = p.unknown.appendTo(b)
	b = binary.AppendUvarint(b, uint64(len(p.files)))
	index, mtime := 0, int64(0)
	for _, f := range p.files {
		b = binary.AppendUvarint(b, uint64(f.index-index))
		index = f.index
		flags := uint64(f.state)
		if f.foreign {
			flags |= fileForeign
		}
		if f.before {
			flags |= fileBefore
		}
		if f.suspect {
			flags |= fileSuspect
		}
		if f.failed {
			flags |= fileFailed
		}
		if f.created {
			flags |= fileCreated
		}
		if f.user {
			flags |= fileUser
		}
		if f.doubt {
			flags |= fileDoubt
		}
		if f.stamp.size != info.Files[f.index].Length {
			flags |= fileSized
		}
		if f.stamp.ctime != 0 {
			flags |= fileChange
		}
		b = binary.AppendUvarint(b, flags)
		if flags&fileSized != 0 {
			b = binary.AppendUvarint(b, uint64(f.stamp.size))
		}
		b = binary.AppendVarint(b, f.stamp.mtime-mtime)
		mtime = f.stamp.mtime
		if flags&fileChange != 0 {
			b = binary.AppendVarint(b, f.stamp.ctime-f.stamp.mtime)
			b = binary.AppendUvarint(b, f.stamp.inode)
		}
	}
	return b
}

func decodeProgress(b []byte, info *metainfo.Info) (*progress, error) {
	d := decoder{b: b}
	version := d.byte()
	if (version < 1 || version > progressVersion) && d.err == nil {
		return nil, fmt.Errorf("a progress of version %d, not %d", version, progressVersion)
	}
	flags := d.byte()
	p := &progress{made: flags&folderMade != 0, emptied: flags&emptyMade != 0}
	p.recorded = d.bitmap(info.NumPieces)
	p.unknown = d.bitmap(info.NumPieces)
	n := d.count(3)
	if n > len(info.Files) {
		return nil, fmt.Errorf("a progress of %d files for a torrent of %d", n, len(info.Files))
	}
	p.files = make([]fileRecord, 0, n)
	index, mtime := 0, int64(0)
	for k := range n {
		step := d.uvarint()
		if step >= uint64(len(info.Files)-index) || k > 0 && step == 0 {
			return nil, errors.Join(d.err, errors.New("a progress with files out of order"))
		}
		index += int(step)
		flags := uint64(d.byte())
		if version > 1 && flags >= 0x80 {
			flags = flags&0x7f | d.uvarint()<<7
		}
		f := fileRecord{
			index:   index,
			state:   uint8(flags & stateMask),
			foreign: flags&fileForeign != 0,
			before:  flags&fileBefore != 0,
			suspect: flags&fileSuspect != 0,
			failed:  flags&fileFailed != 0,
		}
		if version > 1 {
			f.created, f.user = flags&fileCreated != 0, flags&fileUser != 0
			f.doubt = flags&fileDoubt != 0
		}
		f.stamp.size = info.Files[index].Length
		if flags&fileSized != 0 {
			f.stamp.size = int64(min(d.uvarint(), math.MaxInt64))
		}
		mtime += d.varint()
		f.stamp.mtime = mtime
		if version > 1 && flags&fileChange != 0 {
			f.stamp.ctime = mtime + d.varint()
			f.stamp.inode = d.uvarint()
		}
		if f.state != partial && f.state != final {
			return nil, errors.Join(d.err, fmt.Errorf("a progress with a file in state %d", f.state))
		}
		p.files = append(p.files, f)
	}
	return p, d.end()
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads a record. After an error it gives zeros.
type decoder struct {
	b   []byte
	err error
}

var errRecordShort = errors.New("the record ends too soon")

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errRecordShort)
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errRecordShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errRecordShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads a number of things of at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail(errRecordShort)
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// name reads a path that stays below where it is put.
func (d *decoder) name() string {
	s := d.string()
	if d.err == nil && !isLocal(s) {
		d.fail(fmt.Errorf("the record names the path %q", s))
	}
	return s
}

func isLocal(name string) bool {
	return name != "." && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name)) && !strings.Contains(name, "\x00")
}

func (d *decoder) bitmap(pieces int) bitmap {
	n := d.count(8)
	b := newBitmap(pieces)
	if n > len(b) {
		d.fail(errors.New("the record has more pieces than the torrent"))
		return b
	}
	for i := range n {
		b[i] = binary.LittleEndian.Uint64(d.b[8*i:])
	}
	d.b = d.b[8*n:]
	if tail := pieces & 63; tail != 0 && b[len(b)-1]>>tail != 0 {
		d.fail(errors.New("the record has more pieces than the torrent"))
	}
	return b
}

func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("the record goes on after its end")
	}
	return d.err
}
