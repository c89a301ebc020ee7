package storage

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"github.com/shoalnet/shoal/share"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Remove closes t and makes the Ledger forget it. With data it also deletes the
// files that this transfer made, as long as they are what it made, and the
// folders that are empty then. All else stays, and so does what is Own; it lists
// what stays, and why. Without data it lists the unfinished files, which a later
// transfer of the same content into the same folder goes on with. After an error,
// of kind share.Disk, nothing is forgotten and Remove can be called again.
func (t *Transfer) Remove(ctx context.Context, data bool) ([]share.Kept, error) {
	t.mu.Lock()
	t.closed, t.removed = true, true
	t.mu.Unlock()
	t.batching.Lock()
	defer t.batching.Unlock()
	t.closeFiles()
	var kept []share.Kept
	left := false
	if t.own == nil {
		var err error
		if data {
			kept, err = t.removeData()
		} else {
			kept, err = t.leaveData()
			left = len(kept) > 0
		}
		if err != nil {
			return nil, diskError("deleting %s: %w", t.Path(), err)
		}
	}
	t.store.release(t)
	if left {
		if err := t.store.save(ctx, t.leftRecord()); err != nil {
			return nil, diskError("recording what is left of %q: %w", t.info.Name, err)
		}
		return kept, nil
	}
	if err := t.store.cfg.Ledger.Delete(ctx, t.info.ID); err != nil {
		return nil, diskError("forgetting %q: %w", t.info.Name, err)
	}
	return kept, nil
}

// leftRecord is what is remembered of a removed transfer: which unfinished files
// it made, and where.
func (t *Transfer) leftRecord() Record {
	t.opening.Lock()
	defer t.opening.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	l := *t.layout
	l.left, l.adopt = t.dir, false
	p := progress{found: t.found}
	for i := range t.files {
		if f := &t.files[i]; f.state == partial && f.created {
			p.files = append(p.files, fileRecord{index: i, state: partial, created: true, stamp: f.stamp})
		}
	}
	return Record{ID: t.info.ID, Layout: l.encode(t.info), Progress: p.encode(t.info)}
}

// leaveData lists the unfinished files, and deletes what is of no use to anybody.
func (t *Transfer) leaveData() (kept []share.Kept, err error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	var spills []string
	t.mu.Lock()
	for i := range t.files {
		f := &t.files[i]
		if f.state == partial && f.created {
			kept = append(kept, share.Kept{Path: t.full(t.layout.names[i].part), Reason: "it is unfinished", Part: true})
		}
		if u := t.users[i]; u != nil && u.made {
			spills = append(spills, t.layout.names[i].part)
		}
	}
	t.mu.Unlock()
	if len(spills) == 0 {
		return kept, nil
	}
	d, err := t.place.open(false)
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

// syncAll makes durable which names are in those folders that are there. Without
// it a power cut may bring deleted files back after their record is gone.
func syncAll(d folder, folders map[string]struct{}) error {
	var errs []error
	for name := range folders {
		errs = append(errs, gone(d.syncDir(name)))
	}
	return errors.Join(errs...)
}

// removeData deletes what this transfer made, and lists what stays.
func (t *Transfer) removeData() ([]share.Kept, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	d, err := t.place.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	// What is right is found out before anything is gone.
	doomed, kept, err := t.sortOut(d)
	if err != nil {
		return nil, err
	}
	folders := map[string]struct{}{}
	for _, f := range t.layout.folders {
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
		_ = d.remove(f) // fails where something else is in it
	}
	folders["."] = struct{}{}
	if err := syncAll(d, folders); err != nil || t.layout.base == "" {
		return kept, err
	}
	if len(doomed) == 0 && t.found {
		return kept, nil
	}
	parent, err := t.disk.folder(t.dir, "", false)
	if err != nil {
		return nil, fmt.Errorf("opening the folder above: %w", err)
	}
	defer parent.Close()
	if !t.found {
		_ = parent.remove(t.layout.base)
	}
	return kept, parent.syncDir(".")
}

// sortOut lists the files to delete, and those that stay. t.opening is held.
func (t *Transfer) sortOut(d folder) (doomed []string, kept []share.Kept, err error) {
	keep := func(name, reason string) {
		if _, err := d.lstat(name); err == nil {
			kept = append(kept, share.Kept{Path: t.full(name), Reason: reason})
		}
	}
	for i := range t.files {
		if !t.onDisk(i) {
			continue
		}
		t.mu.Lock()
		names, state, created, u := t.layout.names[i], t.files[i].state, t.files[i].created, t.users[i]
		t.mu.Unlock()
		switch {
		case state == partial && created:
			doomed = append(doomed, names.part)
		case state == partial:
			keep(names.part, "it was there before and was being completed in place")
		case state == final && !created:
			keep(names.final, "it was there before and was completed in place")
		case (state == final || state == users) && created:
			same, err := t.isAsMade(d, i)
			if err != nil {
				return nil, nil, err
			}
			if same {
				doomed = append(doomed, t.name(i))
			} else {
				keep(t.name(i), "it was changed since it was fetched")
			}
		}
		if names.user != "" && !(state == users && created) {
			keep(names.user, "it was there before")
		}
		if u != nil && u.made {
			doomed = append(doomed, names.part)
		}
	}
	return doomed, kept, nil
}

// isAsMade tells whether a complete file that this transfer made is still what it
// made: by its stamp, and where that says nothing by its content.
func (t *Transfer) isAsMade(d folder, i int) (bool, error) {
	name := t.name(i)
	fi, err := d.lstat(name)
	if err != nil {
		return false, gone(err)
	}
	if !fi.Mode().IsRegular() || fi.Size() != t.info.Files[i].Length {
		return false, nil
	}
	t.mu.Lock()
	f, s := &t.files[i], t.pieces(i)
	now := stampOf(fi)
	if writtenAnew(f.stamp, now) {
		t.mu.Unlock()
		return false, nil
	}
	same := f.state == final && !f.suspect && compareStamps(f.stamp, now) == sameFile
	// Without a change time only right pieces tell.
	for p := s.From; p < s.To && same; p++ {
		same = t.known.have.has(p) || f.stamp.ctime != 0 && t.shared(p, i)
	}
	t.mu.Unlock()
	if same || t.info.Files[i].Length == 0 {
		return true, nil
	}
	for p := s.From; p < s.To; p++ {
		if good, err := t.hashAt(d, p); err != nil || !good {
			return false, err
		}
	}
	return true, nil
}

// hashAt tells whether piece p is right, as the files are now. What cannot be
// read is not.
func (t *Transfer) hashAt(d folder, p int) (bool, error) {
	b := make([]byte, t.info.PieceSize(p))
	_, err := t.each(int64(p)*t.info.PieceLength, b, func(i int, at int64, part []byte) (int, error) {
		if !t.onDisk(i) {
			return len(part), nil
		}
		h, err := d.open(t.name(i), mode{})
		if err != nil {
			return 0, err
		}
		defer h.Close()
		return h.ReadAt(part, at)
	})
	if err != nil && err != io.EOF {
		return false, nil
	}
	return sha1.Sum(b) == t.info.PieceHash(p), nil
}

// gone is err, but for what is not there.
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
