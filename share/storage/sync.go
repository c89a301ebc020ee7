package storage

import (
	"context"
	"crypto/sha1"
	"errors"
)

// batchDue is sync for Run: it notes what goes wrong.
func (t *Transfer) batchDue(ctx context.Context) {
	t.mu.Lock()
	stopped := t.closed || t.halt.fault != nil
	t.mu.Unlock()
	var err error
	if stopped { // the probe that ends the fault syncs
		err = t.unrecordNow()
	} else {
		err = t.sync(ctx)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		t.log.Warn("cannot sync", "transfer", t.info.ID, "error", err)
	}
}

// sync makes everything that was marked complete before the call durable, and
// records it. This order is what the promise of the package rests on: no piece
// is recorded before every write to its files since their last good sync has
// been followed by another one.
func (t *Transfer) sync(ctx context.Context) error {
	t.batching.Lock()
	defer t.batching.Unlock()

	t.mu.Lock()
	failures := t.unsynced.failures
	t.mu.Unlock()
	healed, err := t.heal(ctx, failures)
	if err != nil {
		return err
	}
	if err := t.settleUsers(ctx); err != nil {
		return err
	}
	b := t.startBatch(healed, failures)
	if b == nil {
		return nil
	}
	syncErr := t.syncs.syncFiles(b.dirty)
	t.endSyncs(b, syncErr)
	if syncErr != nil {
		// Should the process be killed, the next one must know of this.
		if err := t.recordIfStale(ctx); err != nil {
			return cmpErr(syncErr, err)
		}
	}
	if err := t.syncs.syncDirs(); err != nil {
		return cmpErr(syncErr, err)
	}
	t.watch.stampFiles(b.dirty)
	ready := t.readyToName(b.pending)
	if err := t.record(ctx, b); err != nil {
		return cmpErr(syncErr, err)
	}
	err = cmpErr(t.publish(ctx, ready), t.dropSpills())
	return cmpErr(cmpErr(syncErr, err), t.finishIfComplete(ctx))
}

// cmpErr keeps the first error.
func cmpErr(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

// heal writes complete pieces that a failed sync left in doubt once more: the
// sync of what was just written says something again. What no longer hashes
// right is given up. It returns the pieces that are right and written.
func (t *Transfer) heal(ctx context.Context, failures int) (bitmap, error) {
	t.mu.Lock()
	sick := t.unsynced.sick
	todo := t.known.ill()
	t.mu.Unlock()
	if !sick && todo.empty() {
		return nil, nil
	}
	if err := t.recordIfStale(ctx); err != nil {
		return nil, err
	}
	healed := newBitmap(t.numPieces())
	err := t.replaceFailed(ctx)
	if err != nil {
		return nil, err
	}
	todo.each(func(p int) bool {
		var good bool
		if good, err = t.rewrite(p); good {
			healed.set(p)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.unsynced.heal(failures) {
		return nil, diskError("%w: %w", ErrBroken, errFailedBefore)
	}
	return healed, nil
}

// replaceFailed has the transfer leave the complete files that could not be
// synced: they are not written again, but copied to others.
func (t *Transfer) replaceFailed(ctx context.Context) error {
	t.mu.Lock()
	var list []int
	for i := range t.files {
		if t.unsynced.failed(i) && t.files[i].state >= final && t.own == nil {
			list = append(list, i)
		}
	}
	t.mu.Unlock()
	for _, i := range list {
		t.naming.giveToUser(i)
		if err := t.replace(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes what it reads of piece p, and tells whether that is right. It
// is read only once: the system may drop from memory what is not on the disk
// at any time.
func (t *Transfer) rewrite(p int) (good bool, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	h := sha1.New()
	off := int64(p) * t.info.PieceLength
	for end := off + t.info.PieceSize(p); off < end; {
		b := buf[:min(int64(len(buf)), end-off)]
		lost := false
		_, err := t.each(off, b, func(i int, at int64, part []byte) (int, error) {
			n, err := t.rewriteFile(i, at, part)
			lost = err != nil && n < len(part)
			return n, err
		})
		if lost {
			return false, t.giveUp(p)
		}
		if err != nil {
			return false, err
		}
		h.Write(b)
		off += int64(len(b))
	}
	if [20]byte(h.Sum(nil)) != t.info.PieceHash(p) {
		return false, t.giveUp(p)
	}
	return true, nil
}

// rewriteFile reads a part of file i and writes it again. When n is short, the
// part cannot be read.
func (t *Transfer) rewriteFile(i int, at int64, part []byte) (n int, err error) {
	if !t.onDisk(i) {
		clear(part)
		return len(part), nil
	}
	if u := t.userOf(i); u != nil {
		return t.rewriteUser(i, u, at, part)
	}
	h, err := t.opened.acquire(i, false)
	if errors.Is(err, errAbsent) {
		return 0, err
	}
	if err != nil {
		return len(part), t.faults.writeFailed(i, at, err)
	}
	n, err = h.file.ReadAt(part, at)
	h.unpin()
	if n < len(part) {
		return n, err
	}
	t.mu.Lock()
	f := &t.files[i]
	fine := f.state == users || f.state == final && !t.unsynced.failed(i)
	t.mu.Unlock()
	if !fine {
		_, err = t.writeFile(i, at, part)
		return len(part), err
	}
	return len(part), nil
}
