package storage

import (
	"errors"
	"fmt"
	"io"
)

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
