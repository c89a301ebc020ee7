package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/shoalnet/shoal/share/metainfo"
)

// publish gives complete files their final names: those of which the last
// piece is in pending. It returns the ones renamed.
func (t *Transfer) publish(pending bitmap) (named []int, err error) {
	if t.own != nil {
		return nil, nil
	}
	for _, i := range t.complete(pending) {
		switch e := t.rename(i); {
		case e == nil:
			named = append(named, i)
		case err == nil:
			err = t.failed(opWrite, i, 0, fmt.Errorf("renaming %s: %w", t.layout.names[i].part, e))
		}
	}
	return named, err
}

// complete lists the files under a part name whose pieces are all recorded or
// pending, of those with a piece in pending and those left over.
func (t *Transfer) complete(pending bitmap) []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.recorded.clone()
	all.add(pending)
	all.remove(t.unknown)
	ready := func(i int) bool {
		f := &t.files[i]
		return f.state == partial && f.writes == f.synced && !f.failed && all.hasAll(t.pieces(i))
	}
	var list []int
	for i := range t.unnamed {
		if ready(i) {
			list = append(list, i)
		}
	}
	at := 0
	for _, s := range pending.spans() {
		at = t.firstFile(at, int64(s.From)*t.info.PieceLength)
		for ; at < len(t.files) && t.info.Files[at].Offset < int64(s.To)*t.info.PieceLength; at++ {
			if t.onDisk(at) && t.info.Files[at].Length > 0 && ready(at) {
				list = append(list, at)
			}
		}
		at = max(0, at-1) // the last one may go on in the next span
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if t.unnamed == nil {
		t.unnamed = map[int]struct{}{}
	}
	for _, i := range list {
		t.unnamed[i] = struct{}{}
	}
	return list
}

// firstFile is the first file, from the one given on, that ends after off.
func (t *Transfer) firstFile(from int, off int64) int {
	n, _ := slices.BinarySearchFunc(t.info.Files[from:], off, func(f metainfo.File, off int64) int {
		if f.Offset+f.Length > off {
			return 1
		}
		return -1
	})
	return from + n
}

// rename moves file i to its final name, or to another one if something else
// has come to have that.
func (t *Transfer) rename(i int) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	d, err := t.openFolder(false)
	if err != nil {
		return err
	}
	defer d.unpin()
	names := &t.layout.names[i]
	if ours, err := t.stillOurs(i); err != nil || !ours {
		return err
	}
	found := false
	for n := 2; ; n++ {
		err = d.dir.rename(names.part, names.final)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		same, e := sameContent(d.dir, names.part, names.final, t.info.Files[i].Length)
		if e != nil {
			return e
		}
		if same {
			err, found = t.keepFound(d.dir, i), true
			break
		}
		if err := t.renameTo(i, n); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	t.closeFile(i)
	t.mu.Lock()
	f := &t.files[i]
	f.state, f.foreign, f.before, f.suspect = final, false, found, false
	if found {
		f.stamp = stamp{}
	}
	delete(t.unnamed, i)
	t.noteDir(path.Dir(names.final))
	t.mu.Unlock()
	return t.renewed(i, names.final)
}

// stillOurs tells whether file i, which is to get its final name, is what it was
// after our last write. If not it is hashed again.
func (t *Transfer) stillOurs(i int) (bool, error) {
	lock := t.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	fi, err := t.stat(t.layout.names[i].part)
	if err != nil {
		return false, err
	}
	now := stampOf(fi)
	t.mu.Lock()
	f := &t.files[i]
	same := f.stamp == (stamp{}) || compareStamps(f.stamp, now) == sameFile
	t.mu.Unlock()
	if !same {
		t.partChanged(i, now)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.unknown.hasAny(t.pieces(i)), nil
}

// keepFound takes the file that already has the final name of file i, and the
// same content, for it.
func (t *Transfer) keepFound(d folder, i int) error {
	h, err := d.open(t.layout.names[i].final, mode{})
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.Sync(); err != nil {
		return err
	}
	return d.remove(t.layout.names[i].part)
}

// renameTo changes the final name of file i to its n-th variant and records so
// before the file gets it. t.opening is held.
func (t *Transfer) renameTo(i, n int) error {
	old := t.layout.names[i].final
	own := t.info.Files[i].Path
	v := path.Join(path.Dir(old), variant(own[len(own)-1], false, n))
	for k := range t.layout.names {
		if o := t.layout.names[k]; k != i && (o.final == v || o.part == v) {
			return nil // the caller tries the next
		}
	}
	t.layout.names[i].final = v
	err := t.store.save(context.Background(), Record{ID: t.info.ID, Layout: t.layout.encode(t.info)})
	if err != nil {
		t.layout.names[i].final = old
	}
	return err
}

// sameContent compares two files of a folder.
func sameContent(d folder, a, b string, size int64) (bool, error) {
	fi, err := d.lstat(b)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() != size {
		return false, err
	}
	fa, err := d.open(a, mode{})
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := d.open(b, mode{})
	if err != nil {
		return false, err
	}
	defer fb.Close()
	const step = 64 << 10
	pa, pb := make([]byte, step), make([]byte, step)
	for off := int64(0); off < size; off += step {
		n := min(step, size-off)
		if _, err := fa.ReadAt(pa[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if _, err := fb.ReadAt(pb[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(pa[:n], pb[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// demote makes a complete file writable again: it gets its part name. One that
// was found and turned out to be something else stays as it is, and file i
// starts anew beside it. It returns the state of file i. t.opening is held.
func (t *Transfer) demote(d folder, i int) (uint8, error) {
	f := &t.files[i]
	t.mu.Lock()
	foreign := f.foreign
	t.mu.Unlock()
	if foreign {
		t.mu.Lock()
		f.state, f.foreign, f.before, f.stamp = absent, false, false, stamp{}
		t.mu.Unlock()
		return absent, nil
	}
	names := &t.layout.names[i]
	t.closeFile(i)
	if err := d.remove(names.part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return final, err
	}
	if err := d.rename(names.final, names.part); err != nil {
		return final, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f.state, f.before = partial, false
	f.stamp.ctime = 0 // taken anew, and all else compared, when it is opened
	t.noteDir(path.Dir(names.part))
	return partial, nil
}

// settleForeign finds out whether a file that was found under the final name of
// file i is that file, before something is written to it.
func (t *Transfer) settleForeign(i int) error {
	s := t.pieces(i)
	for p := s.From; ; p++ {
		t.mu.Lock()
		f := &t.files[i]
		if f.foreign && t.have.hasAny(s) {
			f.foreign = false
		}
		undecided := f.state == final && f.foreign && t.unknown.hasAny(s)
		unknown := t.unknown.has(p)
		t.mu.Unlock()
		if !undecided || p == s.To {
			return nil
		}
		if unknown {
			if _, err := t.HashPiece(context.Background(), p); err != nil {
				return err
			}
		}
	}
}

// hasEmpty tells whether there is anything to make once all else is complete.
func (t *Transfer) hasEmpty() bool {
	for i := range t.info.Files {
		if t.info.Files[i].Length == 0 && t.onDisk(i) {
			return true
		}
	}
	return len(t.layout.folders) > 0
}

// mustFinish tells whether what has no bytes is to be made now. t.mu is held.
func (t *Transfer) mustFinish() bool {
	return t.own == nil && !t.emptied && t.durable().count() == t.numPieces()
}

// finishIfComplete makes what has no bytes once all else is durable.
func (t *Transfer) finishIfComplete(ctx context.Context) error {
	t.mu.Lock()
	must := t.mustFinish()
	t.mu.Unlock()
	if !must {
		return nil
	}
	if t.hasEmpty() {
		if err := t.makeEmpty(nil); err != nil {
			return err
		}
	}
	t.mu.Lock()
	t.emptied, t.stale = true, true
	t.mu.Unlock()
	return t.recordIfStale(ctx)
}

// Finish flushes, and makes the files of 0 bytes among those wanted, by index
// in Info.Files, and the folders that are empty; it is how a transfer of
// selected files ends. What is already there under such a name stays. A
// transfer all of whose pieces are durable is finished without it.
func (t *Transfer) Finish(ctx context.Context, want func(i int) bool) error {
	if err := t.sync(ctx); err != nil || t.own != nil {
		return err
	}
	t.batching.Lock()
	defer t.batching.Unlock()
	return t.makeEmpty(want)
}

// makeEmpty makes files without bytes, those wanted or all, and empty folders.
// t.batching is held.
func (t *Transfer) makeEmpty(want func(i int) bool) error {
	var made []int
	err := func() error {
		t.opening.Lock()
		defer t.opening.Unlock()
		var d *handle
		open := func() (err error) {
			if d == nil {
				d, err = t.openFolder(true)
			}
			return err
		}
		defer func() {
			if d != nil {
				d.unpin()
			}
		}()
		for i := range t.files {
			f := &t.info.Files[i]
			if f.Length > 0 || !t.onDisk(i) || want != nil && !want(i) || t.stateOf(i) != absent {
				continue
			}
			if err := open(); err != nil {
				return err
			}
			ok, err := t.makeEmptyFile(d.dir, i)
			if err != nil {
				return err
			}
			if ok {
				made = append(made, i)
			}
		}
		for _, name := range t.layout.folders {
			if err := open(); err != nil {
				return err
			}
			if err := t.makeRoom(d.dir, name+"/x"); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return t.failed(opWrite, -1, 0, fmt.Errorf("making the empty files of %s: %w", t.Path(), err))
	}
	if err := t.syncDirs(); err != nil {
		return err
	}
	if len(made) == 0 {
		return nil
	}
	t.stampFiles(made)
	t.mu.Lock()
	t.stale = true
	t.mu.Unlock()
	return t.recordIfStale(context.Background())
}

// makeEmptyFile tells whether it made file i. t.opening is held.
func (t *Transfer) makeEmptyFile(d folder, i int) (bool, error) {
	name := t.layout.names[i].final
	if err := t.makeRoom(d, name); err != nil {
		return false, err
	}
	h, err := d.open(name, mode{write: true, create: true, exec: t.info.Files[i].Exec})
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := errors.Join(h.Sync(), h.Close()); err != nil {
		return false, err
	}
	t.mu.Lock()
	t.files[i].state = final
	t.mu.Unlock()
	return true, nil
}

func (t *Transfer) stateOf(i int) uint8 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files[i].state
}
