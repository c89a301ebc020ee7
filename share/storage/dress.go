package storage

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share/seal"
)

// dress is the mode and the time that a file or folder of a sealed share has.
type dress struct {
	mode fs.FileMode
	time time.Time
}

// wardrobe is what a manifest says about modes and times. The owner may always read
// files, and use folders: who could not would have nothing to seed, and a folder that
// nobody can delete.
type wardrobe struct {
	files   []dress // as in Info.Files
	folders []folderDress
}

// folderDress is that of a folder, which is found by what is in it.
type folderDress struct {
	dress
	depth int // elements of its path below the root
	file  int // one below it, or noFile
	empty int // else its place in Info.Folders
}

func newWardrobe(m *seal.Manifest) (w wardrobe) {
	empty := 0
	open := []int{} // for each depth, the place in w.folders
	for i, e := range m.Entries {
		depth := len(m.Path(i)) - 1
		d := dress{e.Mode, e.Time}
		if !e.Folder {
			d.mode |= 0o400
			for _, k := range open[:depth] {
				if f := &w.folders[k]; f.file == noFile {
					f.file = len(w.files)
				}
			}
			w.files = append(w.files, d)
			continue
		}
		d.mode |= 0o700
		f := folderDress{dress: d, depth: depth, file: noFile, empty: -1}
		if i+1 == len(m.Entries) || m.Entries[i+1].Parent != i {
			f.empty = empty
			empty++
			for _, k := range open[:depth] {
				if a := &w.folders[k]; a.empty < 0 {
					a.empty = f.empty
				}
			}
		}
		open = append(open[:depth], len(w.folders))
		w.folders = append(w.folders, f)
	}
	return w
}

// name is where the folder is, below that of the transfer.
func (f *folderDress) name(l *layout) string {
	below := ""
	switch {
	case f.file != noFile:
		below = l.names[f.file].final
	case f.empty >= 0 && f.empty < len(l.folders):
		below = l.folders[f.empty] + "/x"
	}
	elements := strings.Split(below, "/")
	if below == "" || f.depth >= len(elements) {
		return ""
	}
	return path.Join(".", path.Join(elements[:f.depth]...))
}

// dressFile gives the file of entry i, which is called name, its mode and time, if it
// is of a sealed share. A file system that cannot hold them is no fault.
func (p *publisher) dressFile(d folder, i int, name string) bool {
	if p.sealing == nil {
		return false
	}
	w := p.sealing.wardrobe.files[i]
	if err := d.dress(name, w); err != nil {
		p.opened.log.Debug("setting the mode and time of a file", "transfer", p.info.ID, "error", err)
	}
	return true
}

// dressPart is dressFile for a part file that is about to get its final name. It notes
// the change, so that nobody takes it for another program's. The lock of the file is
// held.
func (p *publisher) dressPart(d folder, i int, name string) {
	p.mu.Lock()
	ours := p.files[i].created
	p.mu.Unlock()
	if !ours || !p.dressFile(d, i, name) {
		return
	}
	fi, err := d.lstat(name)
	if err != nil {
		return
	}
	now := stampOf(fi)
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := &p.files[i]; f.stamp.size == now.size && f.stamp.inode == now.inode {
		f.stamp = now
	}
}

// dressFolders gives the folders of a sealed share their modes and times, those inside
// others first. Those of a folder that was there before stay as they are.
func (p *publisher) dressFolders() {
	p.mu.Lock()
	skip := p.sealing == nil || p.found || !p.made || p.layout.base == ""
	p.mu.Unlock()
	if skip {
		return
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	d, err := p.opened.openFolder(false)
	if err != nil {
		return
	}
	defer d.unpin()
	for _, f := range slices.Backward(p.sealing.wardrobe.folders) {
		name := f.name(p.layout)
		if name == "" {
			continue
		}
		if err := d.dir.dress(name, f.dress); err != nil && !absentFile(err) {
			p.opened.log.Debug("setting the mode and time of a folder", "transfer", p.info.ID, "error", err)
		}
	}
}
