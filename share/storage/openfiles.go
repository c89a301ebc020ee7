package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
)

// openFiles keeps the files and the folder of a transfer open. It makes files that
// are to be written, opens files under the names that memory has, and syncs a file
// that was written before it closes it. It reads and writes no content.
type openFiles struct {
	*memory
	naming      *naming // nil of what is Own
	cache       *handles
	flusher     flusher
	preallocate bool
	log         *slog.Logger

	folder  atomic.Pointer[handle]
	entries []atomic.Pointer[handle] // by entry
	locks   *[8]sync.Mutex           // see fileLock; nil of what is Own
}

// flusher syncs the file of a handle and notes the result.
type flusher interface{ syncOpen(h *handle) error }

// acquire gives a pinned handle of file i.
func (o *openFiles) acquire(i int, write bool) (*handle, error) {
	f := &o.entries[i]
	if h := f.Load(); h != nil && (h.writable || !write) && h.pin() {
		return h, nil
	}
	o.opening.Lock()
	defer o.opening.Unlock()
	h := f.Load()
	if h != nil && (h.writable || !write) && h.pin() {
		return h, nil
	}
	if h != nil {
		o.closeFile(i)
	}
	return o.openFile(i, write)
}

// openFile opens file i, making it if it is to be written. opening is held.
func (o *openFiles) openFile(i int, write bool) (*handle, error) {
	o.mu.Lock()
	closed, state := o.closed, o.files[i].state
	o.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if state == absent && !write {
		return nil, errAbsent
	}
	d, err := o.openFolder(write)
	if err != nil {
		return nil, err
	}
	defer d.unpin()
	if state >= final && write {
		return nil, fmt.Errorf("%s is complete: %w", o.layout.names[i].final, fs.ErrPermission)
	}
	if state == absent {
		if err := o.makeRoom(d.dir, o.layout.names[i].part); err != nil {
			return nil, err
		}
	}
	h, err := o.cache.open(o, func() (*handle, error) { return o.openIn(d.dir, i, state, write) })
	if state == absent && errors.Is(err, fs.ErrExist) {
		return nil, o.naming.otherPart(i)
	}
	if err != nil {
		return nil, err
	}
	if state == absent {
		o.mu.Lock()
		o.files[i].state, o.files[i].created = partial, true
		o.mu.Unlock()
	}
	if err := o.takePart(i, h.file, write); err != nil {
		h.unpin()
		o.cache.retire(h)
		return nil, err
	}
	o.entries[i].Store(h)
	return h, nil
}

// openIn opens file i as it is on disk. An incomplete one is opened for both
// reading and writing, so that one handle serves.
func (o *openFiles) openIn(d folder, i int, state uint8, write bool) (*handle, error) {
	h := &handle{owner: o, index: i}
	var err error
	names, exec := &o.layout.names[i], o.info.Files[i].Exec
	switch state {
	case final:
		h.file, err = d.open(names.final, mode{})
	case users:
		h.file, err = d.open(names.user, mode{})
	case partial:
		h.writable = true
		h.file, err = d.open(names.part, mode{write: true})
		if k := kindOf(err); !write && (k == ErrReadOnly || k == ErrDenied) {
			h.writable = false
			h.file, err = d.open(names.part, mode{})
		}
	default:
		h.writable = true
		h.file, err = d.open(names.part, mode{write: true, create: true, exec: exec})
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// openFolder gives a pinned handle of the folder that names are below. It makes the
// folder if asked to, but not a second time: a folder that was there and is gone is
// a fault. opening is held.
func (o *openFiles) openFolder(make bool) (*handle, error) {
	if h := o.folder.Load(); h != nil && h.pin() {
		return h, nil
	}
	o.mu.Lock()
	make = make && !o.made
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	h, err := o.cache.open(o, func() (*handle, error) {
		d, err := o.place.open(make)
		if err != nil {
			return nil, err
		}
		return &handle{dir: d, owner: o}, nil
	})
	if err != nil {
		return nil, err
	}
	o.folder.Store(h)
	o.mu.Lock()
	o.made = o.own == nil
	o.mu.Unlock()
	return h, nil
}

// makeRoom makes the folders that name is in.
func (o *openFiles) makeRoom(d folder, name string) error {
	err := d.makeFor(name)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.noteTree(name)
	return err
}

// takePart checks that file i, which was just opened, is as we left it if it is
// incomplete, and prepares it for writing.
func (o *openFiles) takePart(i int, f file, write bool) error {
	if o.stateOf(i) != partial {
		return nil
	}
	lock := o.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := o.checkPart(i, f); err != nil || !write {
		return err
	}
	if err := o.fit(i, f); err != nil {
		return err
	}
	return o.noteStamp(i, f)
}

// fit truncates file i if it is too long and the transfer made it. If preallocation
// is on, it reserves the space that is missing.
func (o *openFiles) fit(i int, f file) error {
	size := o.info.Files[i].Length
	fi, err := f.Stat()
	switch {
	case err != nil || fi.Size() == size:
		return err
	case fi.Size() > size:
		o.mu.Lock()
		ours := o.files[i].created
		o.mu.Unlock()
		if !ours {
			return nil
		}
		return f.Truncate(size)
	case !o.preallocate:
		return nil
	}
	if err := f.reserve(size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// acquireSpill gives a pinned handle of the spill of entry i.
func (o *openFiles) acquireSpill(i int, u *userFile, create bool) (*handle, error) {
	if h := u.open.Load(); h != nil && h.pin() {
		return h, nil
	}
	o.opening.Lock()
	defer o.opening.Unlock()
	if h := u.open.Load(); h != nil && h.pin() {
		return h, nil
	}
	o.mu.Lock()
	closed, made := o.closed, u.made
	o.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case !made && !create:
		return nil, errAbsent
	}
	d, err := o.openFolder(create)
	if err != nil {
		return nil, err
	}
	defer d.unpin()
	name := o.layout.names[i].part
	if !made {
		if err := o.makeRoom(d.dir, name); err != nil {
			return nil, err
		}
	}
	h, err := o.cache.open(o, func() (*handle, error) {
		f, err := d.dir.open(name, mode{write: true, create: !made, exec: !made && o.info.Files[i].Exec})
		if err != nil {
			return nil, err
		}
		return &handle{owner: o, index: i, file: f, writable: true}, nil
	})
	if errors.Is(err, fs.ErrExist) {
		return nil, o.naming.otherPart(i)
	}
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	u.made = true
	o.mu.Unlock()
	u.open.Store(h)
	return h, nil
}

// closeAll closes every file and the folder, as soon as nobody uses them.
func (o *openFiles) closeAll() {
	o.opening.Lock()
	defer o.opening.Unlock()
	for i := range o.files {
		o.closeFile(i)
		o.closeSpill(i)
	}
	if h := o.folder.Swap(nil); h != nil {
		o.cache.retire(h)
	}
}

// closeFile closes file i as soon as nobody uses it. It syncs unsynced writes first:
// once the file is closed, the system may forget that they failed.
func (o *openFiles) closeFile(i int) { o.closeHandle(o.entries[i].Swap(nil)) }

// closeSpill is closeFile for the spill of entry i.
func (o *openFiles) closeSpill(i int) {
	if u := o.userOf(i); u != nil {
		o.closeHandle(u.open.Swap(nil))
	}
}

func (o *openFiles) closeHandle(h *handle) {
	if h == nil {
		return
	}
	if o.dirtyHandle(h) && h.pin() {
		o.flusher.syncOpen(h)
		h.unpin()
	}
	o.cache.retire(h)
}

// forget implements owner.
func (o *openFiles) forget(h *handle) {
	if h.dir != nil {
		o.folder.CompareAndSwap(h, nil)
		return
	}
	if u := o.userOf(h.index); u != nil {
		u.open.CompareAndSwap(h, nil)
	}
	o.entries[h.index].CompareAndSwap(h, nil)
	if o.dirtyHandle(h) {
		o.flusher.syncOpen(h)
	}
}

// dirtyHandle implements owner.
func (o *openFiles) dirtyHandle(h *handle) bool {
	return h.file != nil && h.writable && o.dirtyFile(h.index)
}

// fileLock is held while file i, which is incomplete, is written or gets its final name,
// and while its stamp is taken after that: the two are one step.
func (o *openFiles) fileLock(i int) *sync.Mutex { return &o.locks[i%len(o.locks)] }

// checkPart compares file i, which is incomplete and open as h, with what it was after
// our last write. Its fileLock is held.
func (o *openFiles) checkPart(i int, h file) error {
	now, err := h.stamp()
	if err != nil {
		return err
	}
	o.mu.Lock()
	f := &o.files[i]
	same := f.stamp == (stamp{}) || f.stamp == now || compareStamps(f.stamp, now) == sameFile
	o.mu.Unlock()
	if !same {
		o.partChanged(i, now)
	}
	return nil
}

// partChanged handles an incomplete file that another program has changed: all of its
// pieces have to be hashed again.
func (o *openFiles) partChanged(i int, now stamp) {
	tr := o.traits()
	o.closeFile(i) // the handle may be of a file that no longer has the name
	o.mu.Lock()
	f := &o.files[i]
	if tr.times && compareStamps(f.stamp, now) != sameFile {
		o.rehash(i, now)
		o.log.Warn("another program has changed an incomplete file; it is hashed again", "transfer", o.info.ID, "file", o.name(i))
	}
	f.stamp = now
	o.mu.Unlock()
	o.agenda.post()
}

// noteStamp stores the stamp of file i after a change of our own.
func (o *openFiles) noteStamp(i int, h file) error {
	now, err := h.stamp()
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files[i].stamp = now
	return nil
}
