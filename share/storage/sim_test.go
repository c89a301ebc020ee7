package storage

import (
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// simDisk is a disk in memory that forgets what was not synced when the power
// is cut, and that behaves as Linux does when a write to the device fails: the
// page is clean afterwards, each file open at the time is told so by its next
// sync, and by that one only.
type simDisk struct {
	mu      sync.Mutex
	names   map[string]*simNode            // what programs see, by path
	durable map[string]*simNode            // what is there after a power cut
	log     []simChange                    // of names, oldest first, not yet durable
	now     int64                          // of the last change
	inodes  uint64                         // given out
	coarse  bool                           // the clock stands still until somebody lets it go on
	full    bool                           // writes fail
	failing bool                           // the device loses what is written
	dead    bool                           // reads fail
	during  func()                         // what others do while a program reads
	mishap  func(f *simFile, syncing bool) // what goes wrong while a program writes or syncs
	left    int                            // after so many more changes the power is out; 0 is never
	out     func()                         // called then; nothing changes any more until cut
}

const (
	simPage = 512
	simRoot = "/dl"
)

type simNode struct {
	dir   bool
	data  []byte // in memory
	disk  []byte // on the device
	dirty map[int]bool
	mtime int64
	ctime int64
	inode uint64
	saved [2]int64 // mtime and ctime on the device
	errs  int      // failed writes to the device
	seen  bool     // somebody was told of the last one
}

// simChange makes (from is empty), removes (to is empty) or renames.
type simChange struct {
	from, to string
	node     *simNode
}

func (c simChange) apply(names map[string]*simNode) {
	if c.from != "" {
		delete(names, c.from)
		if c.node.dir { // what was in it, and is not known to be gone, goes with it
			maps.DeleteFunc(names, func(p string, _ *simNode) bool { return strings.HasPrefix(p, c.from+"/") })
		}
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

// in tells whether c concerns names in the folder dir.
func (c simChange) in(dir string) bool {
	return c.from != "" && path.Dir(c.from) == dir || c.to != "" && path.Dir(c.to) == dir
}

func newSimDisk() *simDisk {
	root := &simNode{dir: true}
	return &simDisk{
		names:   map[string]*simNode{simRoot: root},
		durable: map[string]*simNode{simRoot: root},
		now:     1_000_000,
	}
}

func (d *simDisk) change(c simChange) {
	c.apply(d.names)
	d.log = append(d.log, c)
}

// commit makes every change of a name durable.
func (d *simDisk) commit() {
	for _, c := range d.log {
		c.apply(d.durable)
	}
	d.log = nil
}

// powered counts a change that a program is about to make, and tells whether the
// power is still there. d.mu is held.
func (d *simDisk) powered(op, p string) error {
	if d.left > 0 {
		if d.left--; d.left > 0 {
			return nil
		}
		d.left = -1
		d.out()
	}
	if d.left < 0 {
		return &fs.PathError{Op: op, Path: p, Err: syscall.EIO}
	}
	return nil
}

// writeback brings a page to the device, or loses it.
func (d *simDisk) writeback(n *simNode, page int) {
	if !n.dirty[page] {
		return
	}
	delete(n.dirty, page)
	if d.failing {
		n.errs++
		n.seen = false
		return
	}
	from, to := page*simPage, min((page+1)*simPage, len(n.data))
	if grow := to - len(n.disk); grow > 0 {
		n.disk = append(n.disk, make([]byte, grow)...)
	}
	copy(n.disk[from:to], n.data[from:to])
}

// each calls f for every file in an order that is always the same.
func (d *simDisk) each(f func(n *simNode)) {
	done := map[*simNode]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		if n := d.names[name]; !n.dir && !done[n] {
			done[n] = true
			f(n)
		}
	}
}

// background writes some dirty pages; pick chooses.
func (d *simDisk) background(pick func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.each(func(n *simNode) {
		for _, p := range slices.Sorted(maps.Keys(n.dirty)) {
			if pick() {
				d.writeback(n, p)
			}
		}
	})
}

// befall lets a mishap happen, but none within another.
func (d *simDisk) befall(f *simFile, syncing bool) {
	if m := d.mishap; m != nil {
		d.mishap = nil
		m(f, syncing)
		d.mishap = m
	}
}

// evict drops clean pages from memory: what was lost shows.
func (d *simDisk) evict(pick func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.each(func(n *simNode) {
		for p := 0; p*simPage < len(n.data); p++ {
			if n.dirty[p] || !pick() {
				continue
			}
			page := n.data[p*simPage : min((p+1)*simPage, len(n.data))]
			clear(page)
			if p*simPage < len(n.disk) {
				copy(page, n.disk[p*simPage:])
			}
		}
	})
}

// cut cuts the power: of what was not synced some is there and some is not.
func (d *simDisk) cut(pick func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failing, d.full, d.left = false, false, 0
	d.each(func(n *simNode) {
		for _, p := range slices.Sorted(maps.Keys(n.dirty)) {
			if pick() {
				d.writeback(n, p)
			}
		}
		if pick() {
			n.saved = [2]int64{n.mtime, n.ctime}
		}
	})
	// A journal keeps the order of changes.
	for _, c := range d.log {
		if !pick() {
			break
		}
		c.apply(d.durable)
	}
	d.log = nil
	for _, p := range slices.Sorted(maps.Keys(d.durable)) { // folders come first
		if p != simRoot && d.durable[path.Dir(p)] == nil {
			delete(d.durable, p)
		}
	}
	d.names = maps.Clone(d.durable)
	for _, n := range d.names {
		n.data = slices.Clone(n.disk)
		n.mtime, n.ctime, n.dirty, n.errs, n.seen = n.saved[0], n.saved[1], nil, 0, false
	}
}

func (d *simDisk) folder(dir, base string, make bool) (folder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := path.Join(dir, base)
	n := d.names[p]
	if n == nil && make && base != "" {
		if err := d.powered("mkdir", p); err != nil {
			return nil, err
		}
		n = &simNode{dir: true}
		d.change(simChange{to: p, node: n})
	}
	if n == nil || !n.dir {
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOENT}
	}
	return simFolder{d, p}, nil
}

func (d *simDisk) plain(dir string) (folder, error) { return d.folder(dir, "", false) }

func (d *simDisk) lstat(dir, base, name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := path.Join(dir, base, name)
	if n := d.names[p]; n != nil {
		return n.info(p), nil
	}
	return nil, &fs.PathError{Op: "lstat", Path: p, Err: syscall.ENOENT}
}

func (n *simNode) info(p string) fs.FileInfo {
	return simInfo{path.Base(p), int64(len(n.data)), n.mtime, n.dir, simChanged{n.ctime, n.inode}}
}

// touched gives n the time of a change. d.mu is held.
func (d *simDisk) touched(n *simNode, content bool) {
	if !d.coarse {
		d.now++
	}
	n.ctime = d.now
	if content {
		n.mtime = d.now
	}
}

func (d *simDisk) traits(string) traits { return traits{inodes: true, times: true} }

// settle lets the clock go on until ctime is over.
func (d *simDisk) settle(ctime int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.coarse && ctime == d.now {
		d.now++
	}
}

// simChanged is what changeOf asks.
type simChanged struct {
	ctime int64
	inode uint64
}

func (c simChanged) change() (int64, uint64) { return c.ctime, c.inode }

type simInfo struct {
	name  string
	size  int64
	mtime int64
	dir   bool
	sys   simChanged
}

func (i simInfo) Name() string       { return i.name }
func (i simInfo) Size() int64        { return i.size }
func (i simInfo) ModTime() time.Time { return time.Unix(0, i.mtime) }
func (i simInfo) IsDir() bool        { return i.dir }
func (i simInfo) Sys() any           { return i.sys }
func (i simInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

type simFolder struct {
	d *simDisk
	p string
}

func (f simFolder) Close() error { return nil }

func (f simFolder) lstat(name string) (fs.FileInfo, error) { return f.d.lstat(f.p, "", name) }

func (f simFolder) open(name string, m mode) (file, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	p := path.Join(f.p, name)
	n := f.d.names[p]
	switch {
	case n == nil && !m.create:
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOENT}
	case n != nil && m.create:
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.EEXIST}
	case n == nil && f.d.names[path.Dir(p)] == nil:
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOENT}
	case n == nil && f.d.full:
		return nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ENOSPC}
	case n == nil:
		if err := f.d.powered("open", p); err != nil {
			return nil, err
		}
		n = f.d.newFile()
		f.d.change(simChange{to: p, node: n})
	}
	h := &simFile{d: f.d, n: n, p: p, told: n.errs}
	if !n.seen && n.errs > 0 {
		h.told-- // the first to open hears of what nobody has heard
	}
	return h, nil
}

// newFile makes a file without a name. d.mu is held.
func (d *simDisk) newFile() *simNode {
	d.inodes++
	n := &simNode{inode: d.inodes}
	d.touched(n, true)
	n.saved = [2]int64{n.mtime, n.ctime} // an inode comes with its times
	return n
}

func (f simFolder) makeFor(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	p := f.p
	for dir := path.Dir(name); dir != "."; {
		elem, rest, more := strings.Cut(dir, "/")
		p = path.Join(p, elem)
		if n := f.d.names[p]; n == nil {
			if err := f.d.powered("mkdir", p); err != nil {
				return err
			}
			f.d.change(simChange{to: p, node: &simNode{dir: true}})
		} else if !n.dir {
			return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
		}
		if !more {
			break
		}
		dir = rest
	}
	return nil
}

func (f simFolder) rename(from, to string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	a, b := path.Join(f.p, from), path.Join(f.p, to)
	switch {
	case f.d.names[a] == nil:
		return &fs.PathError{Op: "rename", Path: a, Err: syscall.ENOENT}
	case f.d.names[b] != nil:
		return &fs.PathError{Op: "rename", Path: b, Err: syscall.EEXIST}
	}
	if err := f.d.powered("rename", a); err != nil {
		return err
	}
	f.d.touched(f.d.names[a], false)
	f.d.change(simChange{from: a, to: b, node: f.d.names[a]})
	return nil
}

func (f simFolder) remove(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	p := path.Join(f.p, name)
	n := f.d.names[p]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOENT}
	}
	if n.dir {
		for other := range f.d.names {
			if path.Dir(other) == p {
				return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOTEMPTY}
			}
		}
	}
	if err := f.d.powered("remove", p); err != nil {
		return err
	}
	f.d.touched(n, false)
	f.d.change(simChange{from: p, node: n})
	return nil
}

func (f simFolder) dress(name string, d dress) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	p := path.Join(f.p, name)
	n := f.d.names[p]
	if n == nil {
		return &fs.PathError{Op: "chmod", Path: p, Err: syscall.ENOENT}
	}
	if err := f.d.powered("chmod", p); err != nil {
		return err
	}
	f.d.touched(n, false)
	n.mtime = d.time.UnixNano()
	return nil
}

// syncDir makes the changes of the names in one folder durable, and no others.
func (f simFolder) syncDir(name string) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	p := path.Join(f.p, name)
	if f.d.failing {
		return &fs.PathError{Op: "sync", Path: p, Err: syscall.EIO}
	}
	if err := f.d.powered("sync", p); err != nil {
		return err
	}
	if f.d.names[p] == nil {
		return &fs.PathError{Op: "sync", Path: p, Err: syscall.ENOENT}
	}
	f.d.log = slices.DeleteFunc(f.d.log, func(c simChange) bool {
		if !c.in(p) {
			return false
		}
		c.apply(f.d.durable)
		return true
	})
	return nil
}

type simFile struct {
	d    *simDisk
	n    *simNode
	p    string
	told int // of how many failed writes
}

func (f *simFile) Close() error { return nil }

func (f *simFile) Stat() (fs.FileInfo, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.n.info(f.p), nil
}

func (f *simFile) stamp() (stamp, error) {
	fi, err := f.Stat()
	return stampOf(fi), err
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	if f.d.during != nil {
		f.d.during()
		defer f.d.during()
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.dead {
		return 0, &fs.PathError{Op: "read", Path: f.p, Err: syscall.EIO}
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.befall(f, false)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.full {
		return 0, &fs.PathError{Op: "write", Path: f.p, Err: syscall.ENOSPC}
	}
	if err := f.d.powered("write", f.p); err != nil {
		return 0, err
	}
	n := f.n
	if grow := int(off) + len(p) - len(n.data); grow > 0 {
		n.data = append(n.data, make([]byte, grow)...)
	}
	copy(n.data[off:], p)
	if n.dirty == nil {
		n.dirty = map[int]bool{}
	}
	for page := int(off) / simPage; page*simPage < int(off)+len(p); page++ {
		n.dirty[page] = true
	}
	f.d.touched(n, true)
	return len(p), nil
}

func (f *simFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.powered("truncate", f.p); err != nil {
		return err
	}
	f.n.data = append(f.n.data, make([]byte, max(0, int(size)-len(f.n.data)))...)[:size]
	f.d.touched(f.n, true)
	return nil
}

func (f *simFile) reserve(size int64) error { return f.Truncate(size) }

func (f *simFile) copyFrom(file, int64, int64) (int64, error) { return 0, nil }

func (f *simFile) Sync() error {
	f.d.befall(f, true)
	defer f.d.befall(f, true)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.powered("sync", f.p); err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(f.n.dirty)) {
		f.d.writeback(f.n, p)
	}
	f.n.saved = [2]int64{f.n.mtime, f.n.ctime}
	if grow := len(f.n.data) - len(f.n.disk); grow > 0 {
		f.n.disk = append(f.n.disk, make([]byte, grow)...)
	}
	if f.told != f.n.errs {
		f.told, f.n.seen = f.n.errs, true
		return &fs.PathError{Op: "sync", Path: f.p, Err: syscall.EIO}
	}
	return nil
}
