package storage

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// place is where the files of a transfer are: the folder, the names, the kind of
// file system. It looks at files and opens none.
//
// Names change only with both opening and memory.mu held; either is enough to read
// them. The names of files that are open or being looked at may be read without a
// lock.
type place struct {
	disk   disk
	id     share.ID
	own    *Own   // what the user shares; else nil
	dir    string // the folder that is opened first
	layout *layout

	// opening is held while files and the own folder are made, renamed and opened.
	opening  sync.Mutex
	relayout bool // the next record includes the layout; guarded by memory.mu

	asked sync.Once // traits asks at most once
	trait traits
}

// full returns the absolute path of a name.
func (l *place) full(name string) string {
	return filepath.Join(l.dir, l.layout.base, filepath.FromSlash(name))
}

// nameIn returns the name of entry i in a state.
func (l *place) nameIn(i int, state uint8) string {
	switch state {
	case partial:
		return l.layout.names[i].part
	case users:
		return l.layout.names[i].user
	}
	return l.layout.names[i].final
}

// uses tells whether an entry has, or had, a name.
func (l *place) uses(name string) bool {
	for k := range l.layout.names {
		if o := &l.layout.names[k]; o.final == name || o.part == name || o.user == name {
			return true
		}
	}
	return false
}

// stat describes a file. It follows symlinks only if the user asked for that.
func (l *place) stat(name string) (fs.FileInfo, error) {
	if l.follows() {
		d, err := l.disk.plain(l.dir)
		if err != nil {
			return nil, err
		}
		return d.lstat(name)
	}
	return l.disk.lstat(l.dir, l.layout.base, name)
}

func (l *place) follows() bool { return l.own != nil && l.own.FollowSymlinks }

// statFolder describes the folder that names are relative to.
func (l *place) statFolder() (fs.FileInfo, error) { return l.disk.lstat(l.dir, l.layout.base, "") }

// open opens that folder, and makes it first if asked to.
func (l *place) open(make bool) (folder, error) {
	if l.follows() {
		return l.disk.plain(l.dir)
	}
	return l.disk.folder(l.dir, l.layout.base, make)
}

// freeFinal finds a free final name for entry i, similar to own, its name in the
// torrent. taken tells whether a path belongs to another transfer.
func (l *place) freeFinal(i int, own string, taken func(path string) bool) (string, error) {
	dir := path.Dir(l.layout.names[i].final)
	for n := 2; ; n++ {
		v := path.Join(dir, variant(own, "", n))
		if l.layout.base == "" && taken(filepath.Join(l.dir, v)) {
			continue
		}
		if free, err := l.isFree(v); free || err != nil {
			return v, err
		}
	}
}

// freePart finds a free part name for entry i.
func (l *place) freePart(i int) (string, error) {
	final := l.layout.names[i].final
	for n := 1; ; n++ {
		v := path.Join(path.Dir(final), variant(path.Base(final), partEnding(l.id), n))
		if free, err := l.isFree(v); free || err != nil {
			return v, err
		}
	}
}

// isFree tells whether a name is used by no entry and by nothing on disk.
func (l *place) isFree(name string) (bool, error) {
	if l.uses(name) {
		return false, nil
	}
	_, err := l.stat(name)
	if err == nil || absentFile(err) {
		return err != nil, nil
	}
	return false, share.Wrapf("looking at %s: %w", name, err)
}

// traits are what can be relied upon on a file system.
type traits struct {
	inodes bool // a file keeps its inode
	times  bool // times change when a program writes, and not when the system does
}

// traits asks the file system once. One that does not tell is assumed to have all
// traits.
func (l *place) traits() traits {
	l.asked.Do(func() { l.trait = l.disk.traits(l.dir) })
	return l.trait
}

// compare tells what became of a file that had the stamp was. On file systems where
// inodes change by themselves, they are ignored.
func (l *place) compare(was, now stamp) likeness {
	like := compareStamps(was, now)
	if like == restamped && was.inode != now.inode && !l.traits().inodes {
		was.inode = 0
		like = compareStamps(was, now)
	}
	return like
}

// absentFile tells whether an error of stat means that nothing is there.
func absentFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(kindOf(err), ErrMissing)
}
