package storage

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share/metainfo"
)

// nameable is the info dictionary of t with the names that its file system can
// hold: those of the torrent, but where that is a file system of Windows.
func (t *Transfer) nameable() *metainfo.Info {
	odd := func(name string) bool { return metainfo.WindowsName(name) != name }
	some := odd(t.info.Name)
	for i := 0; i < len(t.info.Files) && !some; i++ {
		some = slices.ContainsFunc(t.info.Files[i].Path, odd)
	}
	for _, p := range t.info.Folders {
		some = some || slices.ContainsFunc(p, odd)
	}
	if !some || t.holdsOddNames() {
		return t.info
	}
	return windowsNames(t.info)
}

// windowsNames is info as storage names things by it, with every name such as
// Windows allows.
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

// holdsOddNames asks the file system whether it takes a name that no Windows
// could, and keeps it as it is. It is asked only for torrents that have such
// names.
func (t *Transfer) holdsOddNames() bool {
	d, err := t.store.disk.folder(t.dir, "", false)
	if err != nil {
		return true // whatever is made there will say so
	}
	defer d.Close()
	name := ".shoal-" + rand.Text() + "\\<>:\"|?* ."
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return !t.writable(d)
	}
	h.Close()
	defer d.remove(name)
	_, err = d.lstat(strings.TrimRight(name, ". "))
	return errors.Is(err, fs.ErrNotExist)
}

// writable tells whether a file with an ordinary name can be made: else a
// failure says nothing about names.
func (t *Transfer) writable(d folder) bool {
	name := ".shoal-" + rand.Text()
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return false
	}
	h.Close()
	_ = d.remove(name)
	return true
}
