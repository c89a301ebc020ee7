package storage

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// remover deletes what a transfer made and lists what stays. Nothing else uses the
// files meanwhile.
type remover struct {
	geometry
	*place
	newSum func(p int) Sum
	found  bool        // the own folder was there before the transfer
	files  []removable // by entry
	have   bitmap      // the pieces that were right
}

// removable is what the transfer knew of one of its files.
type removable struct {
	state   uint8
	created bool // by the transfer
	suspect bool // it was changed while complete
	spill   bool // there is a file of ours under the part name, beside the user's
	stamp   stamp
}

// nameOf returns the name of file i.
func (r *remover) nameOf(i int) string { return r.nameIn(i, r.files[i].state) }

// newRemover copies from memory what is needed to remove the transfer.
func newRemover(m *memory) *remover {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &remover{geometry: m.geometry, place: &m.place, newSum: m.NewSum, found: m.found, files: make([]removable, len(m.files)), have: m.known.have.clone()}
	for i := range m.files {
		f, u := &m.files[i], m.users.of(i)
		r.files[i] = removable{state: f.state, created: f.created, suspect: f.suspect, spill: u != nil && u.made, stamp: f.stamp}
	}
	return r
}

// remove deletes what the transfer made. Without data it deletes only what a later
// transfer cannot use. It lists what stays. opening is held.
func (r *remover) remove(data bool) ([]share.Kept, error) {
	switch {
	case r.own != nil:
		return nil, nil
	case data:
		return r.delete()
	}
	return r.leave()
}

// record is the record that is kept of the transfer: which unfinished files it
// made, and where.
func (r *remover) record() Record {
	l := *r.layout
	l.left, l.adopt = r.dir, false
	p := progress{found: r.found}
	for i := range r.files {
		if f := &r.files[i]; f.state == partial && f.created {
			p.files = append(p.files, fileRecord{index: i, state: partial, created: true, stamp: f.stamp})
		}
	}
	return Record{ID: r.info.ID, Layout: l.encode(r.info), Progress: p.encode(r.info)}
}

// leave lists the unfinished files and deletes the spills.
func (r *remover) leave() (kept []share.Kept, err error) {
	var spills []string
	for i := range r.files {
		f := &r.files[i]
		if f.state == partial && f.created {
			kept = append(kept, share.Kept{Path: r.full(r.layout.names[i].part), Reason: "it is unfinished", Part: true})
		}
		if f.spill {
			spills = append(spills, r.layout.names[i].part)
		}
	}
	if len(spills) == 0 {
		return kept, nil
	}
	d, err := r.place.open(false)
	if err != nil {
		return kept, gone(err)
	}
	defer d.Close()
	folders := map[string]struct{}{".": {}}
	var errs []error
	for _, name := range spills {
		errs = append(errs, gone(d.remove(name)))
		addFolders(folders, path.Dir(name))
	}
	return kept, errors.Join(append(errs, syncAll(d, folders))...)
}

// delete deletes what the transfer made and lists what stays.
func (r *remover) delete() ([]share.Kept, error) {
	d, err := r.place.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	// Hash before anything is deleted.
	doomed, kept, err := r.sortOut(d)
	if err != nil {
		return nil, err
	}
	folders := map[string]struct{}{}
	for _, f := range r.layout.folders {
		addFolders(folders, f)
	}
	var errs []error
	for _, name := range doomed {
		errs = append(errs, gone(d.remove(name)))
		addFolders(folders, path.Dir(name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	deepest := make([]string, 0, len(folders))
	for f := range folders {
		deepest = append(deepest, f)
	}
	slices.SortFunc(deepest, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, f := range deepest {
		_ = d.remove(f) // fails if something else is in it
	}
	folders["."] = struct{}{}
	if err := syncAll(d, folders); err != nil || r.layout.base == "" {
		return kept, err
	}
	if len(doomed) == 0 && r.found {
		return kept, nil
	}
	parent, err := r.disk.folder(r.dir, "", false)
	if err != nil {
		return nil, share.Wrapf("opening the folder above: %w", err)
	}
	defer parent.Close()
	if !r.found {
		_ = parent.remove(r.layout.base)
	}
	return kept, parent.syncDir(".")
}

// sortOut lists the files to delete and those that stay.
func (r *remover) sortOut(d folder) (doomed []string, kept []share.Kept, err error) {
	keep := func(name, reason string) {
		if _, err := d.lstat(name); err == nil {
			kept = append(kept, share.Kept{Path: r.full(name), Reason: reason})
		}
	}
	for i := range r.files {
		if !r.onDisk(i) {
			continue
		}
		names, state, created := r.layout.names[i], r.files[i].state, r.files[i].created
		switch {
		case state == partial && created:
			doomed = append(doomed, names.part)
		case state == partial:
			keep(names.part, "it was there before and was being completed in place")
		case state == final && !created:
			keep(names.final, "it was there before and was completed in place")
		case (state == final || state == users) && created:
			same, err := r.isAsMade(d, i)
			if err != nil {
				return nil, nil, err
			}
			if same {
				doomed = append(doomed, r.nameOf(i))
			} else {
				keep(r.nameOf(i), "it was changed since it was fetched")
			}
		}
		if names.user != "" && !(state == users && created) {
			keep(names.user, "it was there before")
		}
		if r.files[i].spill {
			doomed = append(doomed, names.part)
		}
	}
	return doomed, kept, nil
}

// isAsMade tells whether a complete file is still what the transfer made. If its
// stamp does not tell, its content does.
func (r *remover) isAsMade(d folder, i int) (bool, error) {
	name := r.nameOf(i)
	fi, err := d.lstat(name)
	if err != nil {
		return false, gone(err)
	}
	if !fi.Mode().IsRegular() || fi.Size() != r.info.Files[i].Length {
		return false, nil
	}
	f, s := &r.files[i], r.pieces(i)
	now := stampOf(fi)
	if writtenAnew(f.stamp, now) {
		return false, nil
	}
	same := f.state == final && !f.suspect && compareStamps(f.stamp, now) == sameFile
	// Without a change time, only right pieces prove it.
	for p := s.From; p < s.To && same; p++ {
		same = r.have.has(p) || f.stamp.ctime != 0 && r.shared(p, i)
	}
	if same || r.info.Files[i].Length == 0 {
		return true, nil
	}
	for p := s.From; p < s.To; p++ {
		if good, err := r.hashAt(d, p); err != nil || !good {
			return false, err
		}
	}
	return true, nil
}

// hashAt tells whether piece p is right in the files as they are now. A piece that
// cannot be read is not, nor is one whose hash is not known.
func (r *remover) hashAt(d folder, p int) (bool, error) {
	b := make([]byte, r.info.PieceSize(p))
	_, err := r.each(int64(p)*r.info.PieceLength, b, func(i int, at int64, part []byte) (int, error) {
		if !r.onDisk(i) {
			return len(part), nil
		}
		h, err := d.open(r.nameOf(i), mode{})
		if err != nil {
			return 0, err
		}
		defer h.Close()
		return h.ReadAt(part, at)
	})
	if err != nil && err != io.EOF {
		return false, nil
	}
	sum := r.newSum(p)
	sum.Write(b)
	return sum.Verdict() == metainfo.Right, nil
}

// syncAll syncs the names in those folders that exist. Without it a power cut may
// bring deleted files back after their record is gone.
func syncAll(d folder, folders map[string]struct{}) error {
	var errs []error
	for name := range folders {
		errs = append(errs, gone(d.syncDir(name)))
	}
	return errors.Join(errs...)
}

// gone returns err, or nil if err says that the file is not there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || kindOf(err) == ErrMissing {
		return nil
	}
	return err
}

// addFolders adds a folder and those above it.
func addFolders(set map[string]struct{}, name string) {
	for name != "." && name != "" {
		if _, ok := set[name]; ok {
			return
		}
		set[name] = struct{}{}
		name = path.Dir(name)
	}
}
