package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

// readyToName lists the files that are complete once the pieces in pending are
// recorded, and notes that they are about to get their final names.
func (t *Transfer) readyToName(pending bitmap) []int {
	if t.own != nil {
		return nil
	}
	ready := t.complete(pending)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range ready {
		t.files[i].naming = true
	}
	return ready
}

// publish gives complete files their final names. That they get them is recorded
// already: were the process killed after the rename, nobody could tell such a
// file from one of the user's. batching is held.
func (t *Transfer) publish(ctx context.Context, ready []int) (err error) {
	var named []int
	for _, i := range ready {
		if !t.stillReady(i) {
			continue
		}
		switch e := t.rename(i); {
		case e == nil:
			named = append(named, i)
		case errors.Is(e, errGivenBack):
			t.agenda.wantSync(0)
		case err == nil:
			err = t.faults.failed(opWrite, i, 0, fmt.Errorf("renaming %s: %w", t.layout.names[i].part, e))
		}
	}
	if len(named) == 0 {
		return err
	}
	if e := t.syncs.syncDirs(); e != nil {
		return cmpErr(err, e)
	}
	t.watch.stampFiles(named)
	t.mu.Lock()
	t.known.stale = true
	t.mu.Unlock()
	return cmpErr(err, t.recordIfStale(ctx))
}

// stillReady tells whether file i is recorded as complete.
func (t *Transfer) stillReady(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, s := &t.files[i], t.pieces(i)
	return f.state == partial && f.naming && t.unsynced.onDisk(i) &&
		t.known.recorded.hasAll(s) && t.known.have.hasAll(s) && !t.known.unknown.hasAny(s)
}

// complete lists the files under a part name whose pieces are all recorded or
// pending, of those with a piece in pending and those left over.
func (t *Transfer) complete(pending bitmap) []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.known.recorded.clone()
	all.add(pending)
	all.remove(t.known.unknown)
	ready := func(i int) bool {
		f := &t.files[i]
		return f.state == partial && t.unsynced.onDisk(i) && all.hasAll(t.pieces(i))
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

// rename moves file i to its final name, or to another one if something else
// has come to have that.
func (t *Transfer) rename(i int) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	d, err := t.opened.openFolder(false)
	if err != nil {
		return err
	}
	defer d.unpin()
	names := &t.layout.names[i]
	if back, err := t.giveBack(d.dir, i); err != nil || back {
		return cmp.Or(err, errGivenBack)
	}
	if ours, err := t.watch.stillOurs(i); err != nil || !ours {
		return err
	}
	found := false
	for {
		if names.part == names.final { // the user's, completed in place
			break
		}
		err = d.dir.rename(names.part, names.final)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		t.mu.Lock()
		ours := t.files[i].created
		t.mu.Unlock()
		same, e := sameContent(d.dir, names.part, names.final, t.info.Files[i].Length)
		if e != nil {
			return e
		}
		if same && ours {
			err, found = t.keepFound(d.dir, i), true
			break
		}
		if err := t.naming.nextName(i); err != nil {
			return err
		}
		t.mu.Lock()
		layout := t.layout.encode(t.info)
		t.mu.Unlock()
		if err := t.store.save(context.Background(), Record{ID: t.info.ID, Layout: layout}); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	t.opened.closeFile(i)
	t.mu.Lock()
	f := &t.files[i]
	f.state, f.naming, f.suspect = final, false, false
	if found {
		f.stamp, f.created = stamp{}, false
		u := t.takeUser(i, names.final)
		u.synced, u.settled = true, true
	}
	delete(t.unnamed, i)
	t.unsynced.noteDir(path.Dir(names.final))
	t.mu.Unlock()
	return t.watch.renewed(i, names.final)
}

// errGivenBack says that a file is the user's again.
var errGivenBack = errors.New("the file is the user's")

// giveBack tells whether file i, which the user has asked to have completed in
// place, has become longer than it is to be: he has written to it, and it is not
// cut. opening is held.
func (t *Transfer) giveBack(d folder, i int) (bool, error) {
	t.mu.Lock()
	ours, name := t.files[i].created, t.layout.names[i].part
	t.mu.Unlock()
	if ours {
		return false, nil
	}
	fi, err := d.lstat(name)
	if err != nil || fi.Size() == t.info.Files[i].Length {
		return false, err
	}
	t.opened.closeFile(i)
	if err := t.naming.changePart(i); err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files[i].naming = false
	t.takeUser(i, name)
	t.rehash(i, stampOf(fi))
	return true, nil
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
	t.emptied, t.known.stale = true, true
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
	if err := t.makeEmpty(want); err != nil {
		return err
	}
	return t.clip(want)
}

// makeEmpty makes files without bytes, those wanted or all, and empty folders.
// batching is held.
func (t *Transfer) makeEmpty(want func(i int) bool) error {
	empty, err := t.intendEmpty(want)
	if err != nil {
		return t.faults.failed(opWrite, -1, 0, fmt.Errorf("making the empty files of %s: %w", t.Path(), err))
	}
	var made []int
	err = func() error {
		t.opening.Lock()
		defer t.opening.Unlock()
		var d *handle
		open := func() (err error) {
			if d == nil {
				d, err = t.opened.openFolder(true)
			}
			return err
		}
		defer func() {
			if d != nil {
				d.unpin()
			}
		}()
		for _, i := range empty {
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
			if err := t.opened.makeRoom(d.dir, name+"/x"); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return t.faults.failed(opWrite, -1, 0, fmt.Errorf("making the empty files of %s: %w", t.Path(), err))
	}
	if err := t.syncs.syncDirs(); err != nil {
		return err
	}
	if len(made) == 0 {
		return nil
	}
	t.watch.stampFiles(made)
	t.mu.Lock()
	t.known.stale = true
	t.mu.Unlock()
	return t.recordIfStale(context.Background())
}

// intendEmpty lists the files without bytes that are to be made, and records so
// before they are.
func (t *Transfer) intendEmpty(want func(i int) bool) (list []int, err error) {
	for i := range t.files {
		f := &t.info.Files[i]
		if f.Length > 0 || !t.onDisk(i) || want != nil && !want(i) || t.stateOf(i) != absent {
			continue
		}
		if _, err := t.stat(t.layout.names[i].final); err == nil {
			continue // what is there stays
		} else if !absentFile(err) {
			return nil, err
		}
		t.mu.Lock()
		if !t.files[i].created {
			t.files[i].created, t.known.stale = true, true
		}
		t.mu.Unlock()
		list = append(list, i)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, t.recordIfStale(context.Background())
}

// makeEmptyFile tells whether it made file i. opening is held.
func (t *Transfer) makeEmptyFile(d folder, i int) (bool, error) {
	name := t.layout.names[i].final
	if err := t.opened.makeRoom(d, name); err != nil {
		return false, err
	}
	h, err := d.open(name, mode{write: true, create: true, exec: t.info.Files[i].Exec})
	if errors.Is(err, fs.ErrExist) { // made by somebody else meanwhile
		t.mu.Lock()
		t.files[i].created, t.known.stale = false, true
		t.mu.Unlock()
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
