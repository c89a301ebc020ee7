package storage

import (
	"errors"
	"fmt"
	"io"
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
	h, err := t.opened.acquire(i, false)
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
	return t.faults.failed(opRead, i, at, fmt.Errorf("reading %s: %w", name, err))
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
	h, err := t.opened.acquire(i, true)
	if errors.Is(err, errPartTaken) {
		if err = t.unrecordNow(); err == nil {
			h, err = t.opened.acquire(i, true)
		}
	}
	if err != nil {
		return 0, t.faults.writeFailed(i, at, err)
	}
	n, err = t.writeOpen(i, h, at, p)
	h.unpin()
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = t.faults.writeFailed(i, at, err)
	}
	return n, err
}

// writeOpen writes to file i, which nobody else may have changed since our last
// write to it.
func (t *Transfer) writeOpen(i int, h *handle, at int64, p []byte) (n int, err error) {
	lock := t.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := t.opened.checkPart(i, h.file); err != nil {
		return 0, err
	}
	n, err = h.file.WriteAt(p, at)
	t.wrote(i)
	if e := t.opened.noteStamp(i, h.file); err == nil {
		err = e
	}
	return n, err
}
