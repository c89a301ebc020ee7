package storage

import (
	"context"
	"errors"

	"github.com/shoalnet/shoal/share/metainfo"
)

// healer repairs what a failed sync left in doubt: it writes again what can still
// be read and is right, so that the next sync of it counts. See
// docs/decisions/0003-failed-sync.md.
type healer struct {
	*memory
	opened  *openFiles
	naming  *naming
	faults  *faults
	reader  *reader
	records *recorder
	settler *settler
	writer  *writer
}

// heal writes the complete pieces again that a failed sync left in doubt. A piece
// that is no longer right is fetched again. It returns the pieces that were right
// and are written.
func (hl *healer) heal(ctx context.Context, failures int) (bitmap, error) {
	hl.mu.Lock()
	sick := hl.unsynced.sick
	todo := hl.known.ill()
	hl.mu.Unlock()
	if !sick && todo.empty() {
		return nil, nil
	}
	if err := hl.records.recordIfStale(ctx); err != nil {
		return nil, err
	}
	healed := newBitmap(hl.numPieces())
	err := hl.replaceFailed(ctx)
	if err != nil {
		return nil, err
	}
	todo.each(func(p int) bool {
		var good bool
		if good, err = hl.rewrite(p); good {
			healed.set(p)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	hl.mu.Lock()
	defer hl.mu.Unlock()
	if !hl.unsynced.heal(failures) {
		return nil, diskError("%w: %w", ErrBroken, errFailedBefore)
	}
	return healed, nil
}

// replaceFailed replaces the complete files that could not be synced. A complete
// file is not written again, but copied.
func (hl *healer) replaceFailed(ctx context.Context) error {
	hl.mu.Lock()
	var list []int
	for i := range hl.files {
		if hl.unsynced.failed(i) && hl.files[i].state >= final && hl.own == nil {
			list = append(list, i)
		}
	}
	hl.mu.Unlock()
	for _, i := range list {
		hl.naming.giveToUser(i)
		if err := hl.settler.replace(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// rewrite reads piece p, writes the same bytes again, and tells whether they are
// right. It reads them only once: the system may drop at any time what is in memory
// and not on the disk.
func (hl *healer) rewrite(p int) (good bool, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	sum := hl.NewSum(p)
	off := int64(p) * hl.info.PieceLength
	for end := off + hl.info.PieceSize(p); off < end; {
		b := buf[:min(int64(len(buf)), end-off)]
		lost := false
		_, err := hl.each(off, b, func(i int, at int64, part []byte) (int, error) {
			n, err := hl.rewriteFile(i, at, part)
			lost = err != nil && n < len(part)
			return n, err
		})
		if lost {
			return false, hl.giveUp(p)
		}
		if err != nil {
			return false, err
		}
		sum.Write(b)
		off += int64(len(b))
	}
	if sum.Verdict() != metainfo.Right {
		return false, hl.giveUp(p)
	}
	return true, nil
}

// rewriteFile reads a part of file i and writes it again. If n is short, the part
// cannot be read.
func (hl *healer) rewriteFile(i int, at int64, part []byte) (n int, err error) {
	if !hl.onDisk(i) {
		clear(part)
		return len(part), nil
	}
	if u := hl.userOf(i); u != nil {
		return hl.rewriteUser(i, u, at, part)
	}
	h, err := hl.opened.acquire(i, false)
	if errors.Is(err, errAbsent) {
		return 0, err
	}
	if err != nil {
		return len(part), hl.faults.writeFailed(i, at, err)
	}
	n, err = h.file.ReadAt(part, at)
	h.unpin()
	if n < len(part) {
		return n, err
	}
	hl.mu.Lock()
	f := &hl.files[i]
	fine := f.state == users || f.state == final && !hl.unsynced.failed(i)
	hl.mu.Unlock()
	if !fine {
		_, err = hl.writer.writeFile(i, at, part)
		return len(part), err
	}
	return len(part), nil
}

// rewriteUser is rewriteFile for a user's file: it writes only to the spill.
func (hl *healer) rewriteUser(i int, u *userFile, at int64, p []byte) (int, error) {
	return hl.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		hl.mu.Lock()
		in := hl.users.spilled(i, piece)
		hl.mu.Unlock()
		if !in {
			return hl.reader.readOne(i, at, p, nil)
		}
		h, err := hl.opened.acquireSpill(i, u, false)
		if err != nil {
			return 0, err
		}
		defer h.unpin()
		n, err := h.file.ReadAt(p, at)
		if n < len(p) {
			return n, err
		}
		_, err = h.file.WriteAt(p, at)
		hl.wrote(i)
		if err != nil {
			err = hl.faults.writeFailed(i, at, err)
		}
		return len(p), err
	})
}
