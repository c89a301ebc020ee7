package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// lookEvery is how often a complete file that is read is compared with what it
// was. A look costs about a twentieth of the time of reading one block.
const lookEvery = 250 * time.Millisecond

// errAbsent says that nothing was ever written where a read wanted something.
var errAbsent = errors.New("nothing is there yet")

// ReadAt reads verified content; pad bytes are zeros. Bytes of pieces that are
// not complete, or of a file that changed since, are an error.
func (t *Transfer) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= t.info.Total || len(p) == 0 {
		if len(p) == 0 && off >= 0 && off <= t.info.Total {
			return 0, nil
		}
		return 0, io.EOF
	}
	s := t.span(off, min(int64(len(p)), t.info.Total-off))
	for range serveAttempts {
		ok, doubt := t.readable(s)
		if !ok {
			return 0, fmt.Errorf("reading pieces %d to %d of %q: %w", s.From, s.To-1, t.info.Name, t.whyNot(s))
		}
		if doubt {
			if err := t.prove(s); err != nil {
				return 0, err
			}
			continue // it may be known to be wrong now
		}
		n, err := t.each(off, p, t.serveFile)
		// What is known of the pieces may have changed with the file.
		if ok, doubt := t.readable(s); err == nil && ok && !doubt || err != nil && !errors.Is(err, errAgain) {
			return n, err
		}
	}
	return 0, t.restless(s)
}

// serveFile reads what is sent to a peer: bytes of which it is known, after they
// were read, that they are those that were hashed.
func (t *Transfer) serveFile(i int, at int64, p []byte) (int, error) {
	return t.readChecked(i, at, p, t.unchanged)
}

// whyNot says why pieces cannot be read.
func (t *Transfer) whyNot(s Span) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known.held.hasAny(s) {
		if err := t.faultNow(); err != nil {
			return err
		}
	}
	return errAbsent
}

// read reads what is on disk, right or wrong.
func (t *Transfer) read(p []byte, off int64) (int, error) {
	return t.each(off, p, t.readFile)
}

func (t *Transfer) readFile(i int, at int64, p []byte) (int, error) {
	return t.readChecked(i, at, p, nil)
}

// readChecked reads a part of file i; check, where not nil, has the last word.
func (t *Transfer) readChecked(i int, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	if !t.onDisk(i) {
		clear(p)
		return len(p), nil
	}
	if u := t.userOf(i); u != nil {
		return t.readUser(i, u, at, p, check)
	}
	return t.readOne(i, at, p, check)
}

// readOne reads the file that entry i is.
func (t *Transfer) readOne(i int, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	if err := t.lookIfDue(i); err != nil {
		return 0, err
	}
	h, err := t.acquire(i, false)
	if err != nil {
		return 0, t.readFailed(i, at, err)
	}
	n, err := h.file.ReadAt(p, at)
	if n == len(p) {
		err = nil
		if check != nil {
			err = check(i, h)
		}
		h.unpin()
		return n, err
	}
	h.unpin()
	return n, t.readFailed(i, at, err)
}

// readFailed makes of err what the caller gets, and sees to what it means.
func (t *Transfer) readFailed(i int, at int64, err error) error {
	if errors.Is(err, errAbsent) || errors.Is(err, ErrClosed) {
		return err
	}
	t.mu.Lock()
	name, complete := t.name(i), t.files[i].state >= final
	t.mu.Unlock()
	short := errors.Is(err, io.EOF)
	if complete && (short || errors.Is(kindOf(err), ErrMissing)) {
		if err := t.look(i); err != nil {
			return err
		}
	}
	if short {
		return fmt.Errorf("%s ends before byte %d: %w", name, at, io.ErrUnexpectedEOF)
	}
	return t.failed(opRead, i, at, fmt.Errorf("reading %s: %w", name, err))
}

// WriteAt takes a block from a peer.
func (t *Transfer) WriteAt(p []byte, off int64) (int, error) {
	if t.own != nil {
		return 0, ErrOwn
	}
	if off < 0 || int64(len(p)) > t.info.Total-off {
		return 0, fmt.Errorf("writing %d bytes at %d of %q: %w", len(p), off, t.info.Name, io.ErrShortWrite)
	}
	s := t.span(off, int64(len(p)))
	if t.isHere(s) {
		return len(p), nil
	}
	if err := t.intend(s); err != nil {
		return 0, err
	}
	if err := t.mayWrite(s); err != nil {
		return 0, err
	}
	n, err := t.each(off, p, t.writeFile)
	t.agenda.wantSync(int64(n))
	return n, err
}

// mayWrite makes sure that the pieces of s may be written: that nothing is in
// the way, and that the ledger does not call durable what is about to change.
func (t *Transfer) mayWrite(s Span) error {
	for {
		t.mu.Lock()
		var err error
		switch {
		case t.closed:
			err = ErrClosed
		case t.halt.err() != nil || t.known.held.hasAny(s):
			err = t.faultNow()
		}
		if err == nil {
			t.known.unrecord(s)
			t.known.have.unsetSpan(s)
		}
		stale := t.known.stale
		t.mu.Unlock()
		if err != nil || !stale {
			return err
		}
		if err := t.unrecordNow(); err != nil {
			return err
		}
	}
}

func (t *Transfer) writeFile(i int, at int64, p []byte) (int, error) {
	if !t.onDisk(i) {
		return len(p), nil
	}
	n, done, err := t.writeUser(i, at, p)
	if done || err != nil {
		return n, err
	}
	h, err := t.acquire(i, true)
	if errors.Is(err, errPartTaken) {
		if err = t.unrecordNow(); err == nil {
			h, err = t.acquire(i, true)
		}
	}
	if err != nil {
		return 0, t.writeFailed(i, at, err)
	}
	n, err = t.writeOpen(i, h, at, p)
	h.unpin()
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = t.writeFailed(i, at, err)
	}
	return n, err
}

// writeOpen writes to file i, which nobody else may have changed since our last
// write to it.
func (t *Transfer) writeOpen(i int, h *handle, at int64, p []byte) (n int, err error) {
	lock := t.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := t.checkPart(i, h.file); err != nil {
		return 0, err
	}
	n, err = h.file.WriteAt(p, at)
	t.wrote(i)
	if e := t.noteStamp(i, h.file); err == nil {
		err = e
	}
	return n, err
}

func (t *Transfer) writeFailed(i int, at int64, err error) error {
	if errors.Is(err, ErrClosed) {
		return err
	}
	t.mu.Lock()
	name := t.name(i)
	t.mu.Unlock()
	return t.failed(opWrite, i, at, fmt.Errorf("writing %s: %w", name, err))
}

// acquire gives a pinned handle of file i.
func (t *Transfer) acquire(i int, write bool) (*handle, error) {
	f := &t.files[i]
	if h := f.open.Load(); h != nil && (h.writable || !write) && h.pin() {
		return h, nil
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	h := f.open.Load()
	if h != nil && (h.writable || !write) && h.pin() {
		return h, nil
	}
	if h != nil {
		t.closeFile(i)
	}
	return t.openFile(i, write)
}

// openFile opens file i, making it if it is to be written. opening is held.
func (t *Transfer) openFile(i int, write bool) (*handle, error) {
	t.mu.Lock()
	closed, state := t.closed, t.files[i].state
	t.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if state == absent && !write {
		return nil, errAbsent
	}
	d, err := t.openFolder(write)
	if err != nil {
		return nil, err
	}
	defer d.unpin()
	if state >= final && write {
		return nil, fmt.Errorf("%s is complete: %w", t.layout.names[i].final, fs.ErrPermission)
	}
	if state == absent {
		if err := t.makeRoom(d.dir, t.layout.names[i].part); err != nil {
			return nil, err
		}
	}
	h, err := t.store.handles.open(t, func() (*handle, error) { return t.openIn(d.dir, i, state, write) })
	if state == absent && errors.Is(err, fs.ErrExist) {
		return nil, t.otherPart(i)
	}
	if err != nil {
		return nil, err
	}
	if state == absent {
		t.mu.Lock()
		t.files[i].state, t.files[i].created = partial, true
		t.mu.Unlock()
	}
	if err := t.takePart(i, h.file, write); err != nil {
		h.unpin()
		t.store.handles.retire(h)
		return nil, err
	}
	t.files[i].open.Store(h)
	return h, nil
}

// takePart makes sure that file i, just opened, is what it was when it is
// incomplete, and readies it for writing.
func (t *Transfer) takePart(i int, f file, write bool) error {
	if t.stateOf(i) != partial {
		return nil
	}
	lock := t.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := t.checkPart(i, f); err != nil || !write {
		return err
	}
	if err := t.fit(i, f); err != nil {
		return err
	}
	return t.noteStamp(i, f)
}

// fit cuts off what is beyond the end of file i, and reserves what is missing
// of it if that is wanted.
func (t *Transfer) fit(i int, f file) error {
	size := t.info.Files[i].Length
	fi, err := f.Stat()
	switch {
	case err != nil || fi.Size() == size:
		return err
	case fi.Size() > size:
		t.mu.Lock()
		ours := t.files[i].created
		t.mu.Unlock()
		if !ours {
			return nil
		}
		return f.Truncate(size)
	case !t.store.cfg.Preallocate:
		return nil
	}
	if err := f.reserve(size); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// openIn opens file i as it is on disk. An incomplete one is opened for both
// reading and writing, so that one handle serves.
func (t *Transfer) openIn(d folder, i int, state uint8, write bool) (*handle, error) {
	h := &handle{owner: t, index: i}
	var err error
	names, exec := &t.layout.names[i], t.info.Files[i].Exec
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

// openFolder gives a pinned handle of the folder that names are below, making
// it where asked to, but not a second time: one that was there and is gone is a
// fault. opening is held.
func (t *Transfer) openFolder(make bool) (*handle, error) {
	if h := t.folder.Load(); h != nil && h.pin() {
		return h, nil
	}
	t.mu.Lock()
	make = make && !t.made
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	h, err := t.store.handles.open(t, func() (*handle, error) {
		d, err := t.place.open(make)
		if err != nil {
			return nil, err
		}
		return &handle{dir: d, owner: t}, nil
	})
	if err != nil {
		return nil, err
	}
	t.folder.Store(h)
	t.mu.Lock()
	t.made = t.own == nil
	t.mu.Unlock()
	return h, nil
}

// makeRoom makes the folders that name is in.
func (t *Transfer) makeRoom(d folder, name string) error {
	err := d.makeFor(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.noteTree(name)
	return err
}
