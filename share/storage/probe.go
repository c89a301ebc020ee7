package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// The pause between probes doubles from the first to the last.
const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
	probeBytes = 256 << 10
)

// kindOf sorts an error of the file system: nil, or one of the package's
// errors; ErrBroken is everything else.
func kindOf(err error) error {
	if err == nil {
		return nil
	}
	for _, kind := range []error{ErrFull, ErrReadOnly, ErrDenied, ErrMissing, ErrChanged, ErrBroken, ErrHandles} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if kind := errnoKinds[errno]; kind != nil {
			return kind
		}
		return ErrBroken
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrMissing
	}
	if errors.Is(err, fs.ErrPermission) {
		return ErrDenied
	}
	return ErrBroken
}

// Fault is why the transfer cannot go on, or nil: an error of kind share.Disk
// that wraps one of this package's errors and whose text is fit for people. It
// goes away by itself once the disk allows, which Notify tells.
func (t *Transfer) Fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.faultNow()
}

// probe looks whether what stopped the transfer is over.
func (t *Transfer) probe(ctx context.Context) {
	t.watch.probeTroubles()
	t.mu.Lock()
	f := t.halt.fault
	if f == nil || t.closed {
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	err := t.attempt(f)
	if err == nil {
		t.mu.Lock()
		t.halt.tryOut(f)
		t.mu.Unlock()
		if err := t.sync(ctx); err != nil {
			t.log.Debug("cannot sync after a fault", "transfer", t.info.ID, "error", err)
		}
		t.mu.Lock()
		over := t.halt.end() && !t.closed
		if over {
			t.known.changed()
			t.known.reverifyUnknown()
		}
		t.mu.Unlock()
		if over {
			t.log.Info("a transfer goes on", "transfer", t.info.ID)
			t.agenda.wantSync(0)
			t.agenda.post()
		}
		return // a new fault has asked for a probe of its own
	}
	t.mu.Lock()
	pause := t.halt.again()
	t.mu.Unlock()
	t.log.Debug("a transfer still cannot go on", "transfer", t.info.ID, "error", err)
	t.agenda.wantProbe(pause)
}

// attempt does what failed, or the like of it.
func (t *Transfer) attempt(f *fault) error {
	// Handles may lead to what a mount has come and gone over.
	t.opened.closeAll()
	switch f.op {
	case opRecord:
		return nil // the sync that follows records
	case opRead:
		return t.attemptRead(f)
	}
	if t.own != nil {
		return nil
	}
	if f.file >= 0 && t.stateOf(f.file) == partial {
		h, err := t.opened.acquire(f.file, true)
		if err != nil {
			return err
		}
		h.unpin()
	}
	return t.attemptWrite()
}

func (t *Transfer) attemptRead(f *fault) error {
	h, err := t.opened.acquire(f.file, false)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.unpin()
	if _, err = h.file.ReadAt(make([]byte, 1), f.at); err == io.EOF {
		return nil // whoever reads next will see
	}
	return err
}

// attemptWrite writes and syncs a file that has no name but for a moment, of as
// many bytes as are missing, or a few blocks.
func (t *Transfer) attemptWrite() error {
	t.mu.Lock()
	missing := int64(t.numPieces()-t.known.have.count()) * t.info.PieceLength
	t.mu.Unlock()
	t.opening.Lock()
	d, err := t.opened.openFolder(true)
	t.opening.Unlock()
	if err != nil {
		return err
	}
	defer d.unpin()
	name := ".shoal-" + rand.Text()
	h, err := d.dir.open(name, mode{write: true, create: true})
	if err != nil {
		return err
	}
	removed := d.dir.remove(name) == nil
	// Zeros would take no space on some disks.
	b := make([]byte, min(max(missing, 1), probeBytes))
	rand.Read(b)
	if _, err = h.WriteAt(b, 0); err == nil {
		err = h.Sync()
	}
	h.Close()
	if !removed {
		err = errors.Join(err, d.dir.remove(name))
	}
	return err
}
