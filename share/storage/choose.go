package storage

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/shoalnet/shoal/share/metainfo"
)

// chooser decides on the names of files when a transfer is opened for the first
// time. It looks at which files exist and reads none.
type chooser struct {
	info  *metainfo.Info
	disk  disk
	dir   string // the folder that holds the content
	adopt bool   // complete the user's files in place

	taken   func(path string) bool // whether a path belongs to another transfer
	claimed func(path string) bool // whether a path belongs to an open transfer
	within  func(path string) bool // whether a folder above a path does
}

// layout chooses the names.
func (c *chooser) layout() *layout {
	l, info := &layout{adopt: c.adopt}, c.nameable()
	defer func() {
		if l.base == "" || c.isFolder(l.base) {
			c.noteSources(l)
		}
	}()
	top := func(name string, e entry) bool {
		p := filepath.Join(c.dir, name)
		return c.taken(p) || c.occupied("", name, e)
	}
	if !info.Multi {
		l.names, _, _ = mapNames(info, false, top)
		return l
	}
	m := namer{taken: top, fold: cases.Fold()}
	l.base = m.choose(&node{}, info.Name, entry{folder: true})
	var taken occupied
	if c.isFolder(l.base) {
		taken = func(name string, e entry) bool { return c.occupied(l.base, name, e) }
	}
	var renamed bool
	l.names, l.folders, renamed = mapNames(info, false, taken)
	if renamed && c.keepsNamesApart() {
		l.names, l.folders, _ = mapNames(info, true, taken)
	}
	return l
}

func (c *chooser) isFolder(base string) bool {
	fi, err := c.disk.lstat(c.dir, base, "")
	return err == nil && fi.IsDir()
}

// noteSources notes the user's files that have the name of an entry, so that the
// entry needs another one. They may hold some of the content. With adopt, a file
// with the part name that other programs use counts, too.
func (c *chooser) noteSources(l *layout) {
	names := make(map[string]bool, len(l.names))
	for i := range l.names {
		names[l.names[i].final] = true
	}
	for i := range l.names {
		n, f := &l.names[i], &c.info.Files[i]
		if n.final == "" || f.Length == 0 {
			continue
		}
		own := path.Join(path.Dir(n.final), variant(f.Path[len(f.Path)-1], "", 1))
		if !names[own] && c.isUsers(l.base, own, math.MaxInt64) {
			n.user = own
			continue
		}
		if part := own + partSuffix; c.adopt && !names[part] && !c.isUsers(l.base, n.final, math.MaxInt64) && c.isUsers(l.base, part, f.Length) {
			n.user = part
		}
	}
}

// isUsers tells whether a file of at most the given size exists that belongs to no
// transfer.
func (c *chooser) isUsers(base, name string, most int64) bool {
	fi, err := c.disk.lstat(c.dir, base, name)
	p := filepath.Join(c.dir, base, name)
	return err == nil && fi.Mode().IsRegular() && fi.Size() > 0 && fi.Size() <= most && !c.claimed(p) && !c.within(p)
}

// occupied tells whether a file or folder on disk prevents an entry from having its
// name. A file of the right size does not: it may be an earlier copy, and is hashed
// before it counts. With adopt, a shorter file does not either. A part name, and
// any name inside the folder of another transfer, is always occupied if it exists.
func (c *chooser) occupied(base, name string, e entry) bool {
	fi, err := c.disk.lstat(c.dir, base, name)
	if err != nil {
		return false // files are made with O_EXCL, so nothing is overwritten
	}
	switch {
	case c.within(filepath.Join(c.dir, base, name)):
		return true
	case e.folder:
		return !fi.IsDir()
	case !fi.Mode().IsRegular():
		return true
	case e.part:
		return true
	case c.adopt && fi.Size() > 0 && e.length > 0:
		return fi.Size() > e.length
	}
	return fi.Size() != e.length
}

// keepsNamesApart tells whether the file system distinguishes names that differ in
// case or in Unicode normalization. It makes a file to find out, only for torrents
// that have such names.
func (c *chooser) keepsNamesApart() bool {
	d, err := c.disk.folder(c.dir, "", false)
	if err != nil {
		return false
	}
	defer d.Close()
	name := ".shoal-\u00e9-" + rand.Text()
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return false
	}
	h.Close()
	defer d.remove(name)
	for _, other := range []string{strings.ToLower(name), norm.NFD.String(name)} {
		if _, err := d.lstat(other); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// nameable returns the info dictionary with names that the file system can hold:
// the names of the torrent, or on a file system of Windows, names that Windows
// allows.
func (c *chooser) nameable() *metainfo.Info {
	odd := func(name string) bool { return metainfo.WindowsName(name) != name }
	some := odd(c.info.Name)
	for i := 0; i < len(c.info.Files) && !some; i++ {
		some = slices.ContainsFunc(c.info.Files[i].Path, odd)
	}
	for _, p := range c.info.Folders {
		some = some || slices.ContainsFunc(p, odd)
	}
	if !some || c.holdsOddNames() {
		return c.info
	}
	return windowsNames(c.info)
}

// holdsOddNames tells whether the file system accepts a name that Windows does not
// allow, and keeps it unchanged. It makes a file to find out, only for torrents
// that have such names.
func (c *chooser) holdsOddNames() bool {
	d, err := c.disk.folder(c.dir, "", false)
	if err != nil {
		return true // the first file that is made there reports the error
	}
	defer d.Close()
	name := ".shoal-" + rand.Text() + "\\<>:\"|?* ."
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return !c.writable(d)
	}
	h.Close()
	defer d.remove(name)
	_, err = d.lstat(strings.TrimRight(name, ". "))
	return errors.Is(err, fs.ErrNotExist)
}

// writable tells whether a file with an ordinary name can be made. If not, a
// failure says nothing about names.
func (c *chooser) writable(d folder) bool {
	name := ".shoal-" + rand.Text()
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return false
	}
	h.Close()
	_ = d.remove(name)
	return true
}

// windowsNames returns a copy of info in which Windows allows every name.
func windowsNames(info *metainfo.Info) *metainfo.Info {
	tidy := func(p []string) []string {
		out := make([]string, len(p))
		for i, e := range p {
			out[i] = metainfo.WindowsName(e)
		}
		return out
	}
	c := *info
	c.Name, c.Files, c.Folders = metainfo.WindowsName(info.Name), slices.Clone(info.Files), slices.Clone(info.Folders)
	for i := range c.Files {
		c.Files[i].Path = tidy(c.Files[i].Path)
	}
	for i := range c.Folders {
		c.Folders[i] = tidy(c.Folders[i])
	}
	return &c
}
