package storage

import (
	"context"
	"errors"
	"os"
)

// CopyIn makes entry i, of which nothing is here yet, a copy of src: the system
// shares the blocks where the file system can, and copies them where not. It tells
// whether it did; else the caller writes. No byte counts before HashPiece has read
// it.
func (t *Transfer) CopyIn(ctx context.Context, i int, src *os.File) (bool, error) {
	s := t.pieces(i)
	t.mu.Lock()
	fits := t.own == nil && t.onDisk(i) && t.info.Files[i].Length > 0 && t.files[i].state == absent && t.users.of(i) == nil && !t.known.have.hasAny(s)
	t.mu.Unlock()
	if !fits {
		return false, nil
	}
	if err := t.intendOne(ctx, i); err != nil {
		return false, err
	}
	if err := t.mayWrite(s); err != nil {
		return false, err
	}
	const most = 256 << 20 // between two looks whether to go on
	for at, length := int64(0), t.info.Files[i].Length; at < length; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := t.copyOne(i, src, at, min(length-at, most))
		t.agenda.wantSync(n)
		if err != nil {
			return false, t.faults.writeFailed(i, at, err)
		}
		if n == 0 {
			return false, nil
		}
		at += n
	}
	return true, nil
}

// intendOne records that entry i is about to be made.
func (t *Transfer) intendOne(ctx context.Context, i int) error {
	t.batching.Lock()
	defer t.batching.Unlock()
	if err := t.naming.intendFiles(i, i); err != nil {
		return t.faults.failed(opWrite, i, 0, err)
	}
	return t.recordIfStale(ctx)
}

// copyOne copies n bytes at a place of src to the same place of entry i.
func (t *Transfer) copyOne(i int, src *os.File, at, n int64) (int64, error) {
	h, err := t.opened.acquire(i, true)
	if errors.Is(err, errPartTaken) {
		if err = t.unrecordNow(); err == nil {
			h, err = t.opened.acquire(i, true)
		}
	}
	if err != nil {
		return 0, err
	}
	defer h.unpin()
	lock := t.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := t.opened.checkPart(i, h.file); err != nil {
		return 0, err
	}
	m, err := h.file.copyFrom(osFile{src}, at, n)
	t.wrote(i)
	if e := t.opened.noteStamp(i, h.file); err == nil {
		err = e
	}
	return m, err
}
