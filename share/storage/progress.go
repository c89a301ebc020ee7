package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share/metainfo"
)

// layout is where the files of a transfer are. Its encoding:
//
//	version 2 | flags | [folder] | base | number of files
//	| for each file: how (1 byte) [final] [part] [user] | number of folders | folders
//
// Strings are a uvarint length and bytes. A final name that is the torrent's own,
// and a part name that is derived from the final name, are left out. Version 1 has
// neither the folder nor the user's names, and the default part name ends in
// ".part" alone.
type layout struct {
	own     bool
	adopt   bool   // complete the user's files in place
	left    string // the folder that a removed transfer left its part files in
	base    string // the own folder, or "" for a single file
	names   []diskName
	folders []string // empty ones
}

const (
	layoutVersion = 2
	layoutOwn     = 1 // flag: what the user shares
	// flag: names that are left out are those of the torrent. Without it they are
	// the names that older releases derived from them.
	layoutAsNamed = 2
	layoutAdopt   = 4
	layoutLeft    = 8
)

// Flags of a name.
const (
	nameOnDisk = 1 << iota // the entry is on disk
	nameGiven              // its final name follows
	partGiven              // its part name follows
	partNone               // it has none
	userGiven              // the name of the user's file follows
	userFinal              // the user's file has the final name
)

func defaultName(f *metainfo.File) string { return strings.Join(f.Path, "/") }

// olderName is defaultName for records without layoutAsNamed.
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
	if l.adopt {
		b[1] |= layoutAdopt
	}
	if l.left != "" {
		b[1] |= layoutLeft
		b = appendString(b, l.left)
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
		case defaultPart(n.final, info.ID):
		default:
			how |= partGiven
		}
		switch n.user {
		case "":
		case n.final:
			how |= userFinal
		default:
			how |= userGiven
		}
		b = append(b, how)
		if how&nameGiven != 0 {
			b = appendString(b, n.final)
		}
		if how&partGiven != 0 {
			b = appendString(b, n.part)
		}
		if how&userGiven != 0 {
			b = appendString(b, n.user)
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
	version := d.byte()
	if (version < 1 || version > layoutVersion) && d.err == nil {
		return nil, fmt.Errorf("a layout of version %d, not %d", version, layoutVersion)
	}
	flags := d.byte()
	l := &layout{own: flags&layoutOwn != 0}
	if version > 1 {
		l.adopt = flags&layoutAdopt != 0
		if flags&layoutLeft != 0 {
			l.left = d.string()
		}
	}
	l.base = d.string()
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
			if (geometry{info}).onDisk(i) && d.err == nil {
				return nil, fmt.Errorf("a layout without a name for entry %d", i)
			}
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
		case how&partNone != 0:
		case version == 1:
			n.part = n.final + partSuffix
		default:
			n.part = defaultPart(n.final, info.ID)
		}
		switch {
		case version == 1:
		case how&userGiven != 0:
			n.user = d.name()
		case how&userFinal != 0:
			n.user = n.final
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
	users                // the user's own file, which is only read
)

// progress is what is durable, and the states of the files. Its encoding:
//
//	version 3 | flags | pieces recorded | pieces unknown | pieces clipped
//	| for each of these: number of parts | for each part: index - index before, SHA-256
//	| number of files | for each file: index - index before, state and flags
//	  (uvarint), size [if not its length], time - time before,
//	  change time - time and inode [if known]
//
// Bitmaps are a uvarint number of words and the words; times are varint nanoseconds
// since 1970. Version 2 has no parts. Version 1 has one byte of state and flags, neither change times nor
// inodes, and no clipped pieces. A file that its flags call found is the user's;
// the transfer made all others.
type progress struct {
	made     bool // the own folder was there
	emptied  bool // files of 0 bytes were made
	found    bool // the own folder was there before the transfer
	recorded bitmap
	unknown  bitmap
	clipped  bitmap // see pieces.clipped
	parts    clips
	files    []fileRecord
}

type fileRecord struct {
	index   int
	state   uint8
	created bool // by this transfer, which may delete it; if absent: about to be made
	suspect bool
	failed  bool
	doubt   bool // some pieces have to be hashed again; see watcher
	naming  bool // about to get its final name
	spill   bool // of a user's file: what has the part name is ours
	head    bool // the first piece is in the spill
	tail    bool // the last piece is
	stamp   stamp
}

const (
	progressVersion = 3

	folderMade  = 1
	emptyMade   = 2
	folderFound = 4

	stateMask     = 3
	fileWasFound  = 4 // in version 1: found, and no piece of it was right yet
	fileCreated   = 4
	fileSuspect   = 8
	fileFailed    = 16
	fileSized     = 32 // a size follows
	fileWasBefore = 64 // in version 1: found, and never written to
	fileNaming    = 64
	fileChange    = 128 // a change time and an inode follow
	fileSpill     = 256
	fileHead      = 512
	fileDoubt     = 1024
	fileTail      = 2048
	fileFlags     = 4096 - 1
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
	if p.found {
		flags |= folderFound
	}
	b = append(b, flags)
	b = p.recorded.appendTo(b)
	b = p.unknown.appendTo(b)
	b = p.clipped.appendTo(b)
	p.clipped.each(func(i int) bool {
		b = binary.AppendUvarint(b, uint64(len(p.parts[i])))
		before := 0
		for _, x := range p.parts[i] {
			b = binary.AppendUvarint(b, uint64(x.file-before))
			b, before = append(b, x.sum[:]...), x.file
		}
		return true
	})
	b = binary.AppendUvarint(b, uint64(len(p.files)))
	index, mtime := 0, int64(0)
	for _, f := range p.files {
		b = binary.AppendUvarint(b, uint64(f.index-index))
		index = f.index
		flags := f.flags()
		if f.stamp.size != info.Files[f.index].Length {
			flags |= fileSized
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

// flags returns the state and the flags as they are encoded.
func (f *fileRecord) flags() uint64 {
	flags := uint64(f.state)
	for _, x := range []struct {
		set bool
		bit uint64
	}{
		{f.created, fileCreated}, {f.suspect, fileSuspect}, {f.failed, fileFailed}, {f.naming, fileNaming}, {f.doubt, fileDoubt},
		{f.spill, fileSpill}, {f.head, fileHead}, {f.tail, fileTail}, {f.stamp.ctime != 0, fileChange},
	} {
		if x.set {
			flags |= x.bit
		}
	}
	return flags
}

// setFlags decodes them.
func (f *fileRecord) setFlags(version byte, flags uint64) error {
	f.state = uint8(flags & stateMask)
	f.suspect, f.failed = flags&fileSuspect != 0, flags&fileFailed != 0
	if version == 1 {
		if f.state != partial && f.state != final {
			return fmt.Errorf("a progress with a file in state %d", f.state)
		}
		f.created = true
		if f.state == final && flags&(fileWasFound|fileWasBefore) != 0 {
			f.state, f.created = users, false
		}
		return nil
	}
	f.created, f.naming, f.doubt = flags&fileCreated != 0, flags&fileNaming != 0, flags&fileDoubt != 0
	f.spill, f.head, f.tail = flags&fileSpill != 0, flags&fileHead != 0, flags&fileTail != 0
	if flags&^fileFlags != 0 || f.state == absent && !f.created {
		return fmt.Errorf("a progress with a file of flags %x", flags)
	}
	return nil
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
	if version > 1 {
		p.found = flags&folderFound != 0
		p.clipped = d.bitmap(info.NumPieces)
	}
	if version > 2 {
		p.parts = d.clips(p.clipped, geometry{info})
	}
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
		f := fileRecord{index: index}
		if err := f.setFlags(version, flags); err != nil {
			return nil, errors.Join(d.err, err)
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
		p.files = append(p.files, f)
	}
	return p, d.end()
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads a record. After an error it returns zeros.
type decoder struct {
	b   []byte
	err error
}

var errRecordShort = errors.New("the record is too short")

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

// count reads a number of items that take at least size bytes each.
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

// name reads a path that must not lead out of the folder.
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

// clips reads the parts of the clipped pieces.
func (d *decoder) clips(clipped bitmap, g geometry) clips {
	all := clips{}
	clipped.each(func(p int) bool {
		index := 0
		for k := range d.count(1 + sha256.Size) {
			step := d.uvarint()
			if d.err != nil || step >= uint64(len(g.info.Files)-index) || k > 0 && step == 0 {
				d.fail(errors.New("a progress with parts out of order"))
				return false
			}
			index += int(step)
			if s := g.pieces(index); !g.onDisk(index) || p < s.From || p >= s.To {
				d.fail(fmt.Errorf("a progress with a part of entry %d, which has no byte of piece %d", index, p))
				return false
			}
			all[p] = append(all[p], part{index, [sha256.Size]byte(d.b)})
			d.b = d.b[sha256.Size:]
		}
		return d.err == nil
	})
	return all
}

func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("the record is too long")
	}
	return d.err
}
