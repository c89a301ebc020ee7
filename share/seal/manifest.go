package seal

import (
	"encoding/binary"
	"io/fs"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share"
)

// The limits of a manifest, beside MaxManifest and MaxContents.
const (
	MaxEntries = 1 << 18 // 262,144 files and folders
	MaxDepth   = 100     // elements of a path below the root
	MaxPath    = 4000    // bytes of such a path with its slashes, as in torrents
)

// Manifest lists the content of a sealed share: one file, or a folder with everything
// below it. Names satisfy share.IsName, and no folder has a name twice. They may still
// collide on a file system that ignores case or Unicode form, as names in a torrent
// may: whoever creates the files has to make them distinct.
type Manifest struct {
	// Entries begin with the root. A folder is followed by its entries, sorted by
	// the bytes of the names.
	Entries []Entry
	// Contents is the size of all files together, in bytes.
	Contents int64
}

// Entry is a file or a folder.
type Entry struct {
	Parent int // index of its folder; -1 for the root
	Name   string
	Folder bool
	Mode   fs.FileMode // permission bits
	Time   time.Time   // of the last modification; 1678 to 2261
	Size   int64       // bytes of a file
	Offset int64       // of its first byte in the contents; set by ParseManifest
}

// Path returns the names from the root to entry i.
func (m *Manifest) Path(i int) (path []string) {
	for ; i >= 0; i = m.Entries[i].Parent {
		path = append(path, m.Entries[i].Name)
	}
	slices.Reverse(path)
	return path
}

// The kinds of entries.
const (
	folderEntry = 1
	fileEntry   = 2
)

// Encode returns the only valid form of m in a share. A manifest that ParseManifest
// would refuse, or whose entries are not in order, is an error of kind share.Usage.
func (m *Manifest) Encode() ([]byte, error) {
	var b []byte
	depth := make([]int, len(m.Entries))
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Parent >= i || e.Parent < -1 {
			return nil, share.Errorf(share.Usage, "sealing: an entry comes before the folder that it is in")
		}
		if e.Parent >= 0 {
			depth[i] = depth[e.Parent] + 1
		}
		if depth[i] > MaxDepth || len(e.Name) > share.MaxName {
			return nil, share.Errorf(share.Usage, "sealing: a path is longer than %d names of %d bytes", MaxDepth, share.MaxName)
		}
		kind := byte(fileEntry)
		if e.Folder {
			kind = folderEntry
		}
		b = append(b, byte(depth[i]), kind)
		b = binary.BigEndian.AppendUint16(b, uint16(e.Mode.Perm()))
		b = binary.BigEndian.AppendUint64(b, uint64(nanoseconds(e.Time)))
		if !e.Folder {
			b = binary.BigEndian.AppendUint64(b, uint64(e.Size))
		}
		b = append(b, byte(len(e.Name)))
		b = append(b, e.Name...)
	}
	again, err := ParseManifest(b)
	if err != nil {
		return nil, share.Errorf(share.Usage, "sealing: %w", err)
	}
	for i := range again.Entries {
		if again.Entries[i].Parent != m.Entries[i].Parent {
			return nil, share.Errorf(share.Usage, "sealing: what is in a folder does not follow it")
		}
	}
	return b, nil
}

// nanoseconds are those from 1970 to t, or 0 if they are too many for 64 bits.
func nanoseconds(t time.Time) int64 {
	if year := t.UTC().Year(); year < 1678 || year > 2261 {
		return 0
	}
	return t.UnixNano()
}

// ParseManifest reads the manifest of a share. It accepts only the form that Encode
// returns; anything else is an error of kind share.Refused.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, refused("%d bytes, more than %d", len(b), MaxManifest)
	}
	p := parser{rest: string(b), m: new(Manifest)}
	for p.rest != "" {
		if err := p.entry(); err != nil {
			return nil, err
		}
	}
	if len(p.m.Entries) == 0 {
		return nil, refused("nothing is in it")
	}
	return p.m, nil
}

func refused(format string, args ...any) error {
	return share.Errorf(share.Refused, "the manifest of a sealed share: "+format, args...)
}

// parser reads entries and knows where the last one is.
type parser struct {
	rest string // names are parts of it
	m    *Manifest
	at   [MaxDepth + 1]step // the way to the last entry
	deep int                // how many steps it has
}

// step is an entry on the way to the last one.
type step struct {
	entry int
	path  int // bytes of the path below the root
}

func (p *parser) entry() error {
	i := len(p.m.Entries)
	if i == MaxEntries {
		return refused("more than %d entries", MaxEntries)
	}
	depth, e, err := p.fields()
	if err != nil {
		return err
	}
	if depth > MaxDepth || depth > p.deep || (depth == 0) != (i == 0) {
		return refused("entry %d is at depth %d after one at %d", i, depth, p.deep-1)
	}
	here := step{entry: i}
	e.Parent = -1
	if depth > 0 {
		above := p.at[depth-1]
		e.Parent = above.entry
		if !p.m.Entries[e.Parent].Folder {
			return refused("entry %d is in a file", i)
		}
		if here.path = above.path + len(e.Name); depth > 1 {
			here.path++
		}
		if here.path > MaxPath {
			return refused("the path of entry %d has %d bytes, more than %d", i, here.path, MaxPath)
		}
		if depth < p.deep && p.m.Entries[p.at[depth].entry].Name >= e.Name {
			return refused("entry %d is out of order, or its name is there twice", i)
		}
	}
	if e.Size > MaxContents-p.m.Contents {
		return refused("the files have more than %d bytes", int64(MaxContents))
	}
	e.Offset = p.m.Contents
	p.m.Contents += e.Size
	p.m.Entries = append(p.m.Entries, e)
	p.at[depth], p.deep = here, depth+1
	return nil
}

// fields reads one entry without its place.
func (p *parser) fields() (depth int, e Entry, err error) {
	i := len(p.m.Entries)
	cut := func(n int) (s string) {
		if n > len(p.rest) {
			err, n = refused("it ends within entry %d", i), len(p.rest)
		}
		s, p.rest = p.rest[:n], p.rest[n:]
		return s
	}
	number := func(n int) (v uint64) {
		for _, c := range []byte(cut(n)) {
			v = v<<8 | uint64(c)
		}
		return v
	}
	depth = int(number(1))
	kind, mode := number(1), number(2)
	e.Time = time.Unix(0, int64(number(8))).UTC()
	var size uint64
	if kind == fileEntry {
		size = number(8)
	}
	e.Name = cut(int(number(1)))
	switch {
	case err != nil:
	case kind != folderEntry && kind != fileEntry:
		err = refused("entry %d is of kind %d", i, kind)
	case mode > uint64(fs.ModePerm):
		err = refused("entry %d has the mode %#o, and there are only permissions", i, mode)
	case size > MaxContents:
		err = refused("entry %d has %d bytes", i, size)
	case !share.IsName(e.Name):
		err = refused("entry %d has a name that is not allowed", i)
	}
	e.Folder, e.Mode, e.Size = kind == folderEntry, fs.FileMode(mode), int64(size)
	return depth, e, err
}
