package storage

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/shoalnet/shoal/share"
)

// writer writes blocks to the files of a transfer. Before it makes a file, it
// records that; before it changes a piece, it removes the piece from the ledger. It
// writes to no complete file and to none of the user's: for these, the settler puts
// another file beside.
type writer struct {
	*memory
	opened  *openFiles
	naming  *naming
	faults  *faults
	records *recorder
	settler *settler
}

// write writes a block from a peer.
func (w *writer) write(p []byte, off int64) (int, error) {
	if off < 0 || int64(len(p)) > w.info.Total-off {
		return 0, share.Wrapf("writing %d bytes at %d of %q: %w", len(p), off, w.info.Name, io.ErrShortWrite)
	}
	s := w.span(off, int64(len(p)))
	if w.isHere(s) {
		return len(p), nil
	}
	if err := w.intend(s); err != nil {
		return 0, err
	}
	if err := w.mayWrite(s); err != nil {
		return 0, err
	}
	n, err := w.each(off, p, w.writeFile)
	w.agenda.wantSync(int64(n))
	return n, err
}

// mayWrite prepares a write to the pieces of s: it checks that nothing prevents it,
// and removes them from the ledger.
func (w *writer) mayWrite(s Span) error {
	for {
		w.mu.Lock()
		var err error
		switch {
		case w.closed:
			err = ErrClosed
		case w.halt.err() != nil || w.known.held.hasAny(s):
			err = w.faultNow()
		}
		if err == nil {
			w.known.unrecord(s)
			w.known.have.unsetSpan(s)
		}
		stale := w.known.stale
		w.mu.Unlock()
		if err != nil || !stale {
			return err
		}
		if err := w.records.unrecordNow(); err != nil {
			return err
		}
	}
}

// writeFile writes a part of file i.
func (w *writer) writeFile(i int, at int64, p []byte) (int, error) {
	if !w.onDisk(i) {
		return len(p), nil
	}
	n, done, err := w.writeUser(i, at, p)
	if done || err != nil {
		return n, err
	}
	h, err := w.opened.acquire(i, true)
	if errors.Is(err, errPartTaken) {
		if err = w.records.unrecordNow(); err == nil {
			h, err = w.opened.acquire(i, true)
		}
	}
	if err != nil {
		return 0, w.faults.writeFailed(i, at, err)
	}
	n, err = w.writeOpen(i, h, at, p)
	h.unpin()
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = w.faults.writeFailed(i, at, err)
	}
	return n, err
}

// writeOpen writes to file i after it has checked that no other program has changed
// it since our last write.
func (w *writer) writeOpen(i int, h *handle, at int64, p []byte) (n int, err error) {
	lock := w.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := w.opened.checkPart(i, h.file); err != nil {
		return 0, err
	}
	n, err = h.file.WriteAt(p, at)
	w.wrote(i)
	if e := w.opened.noteStamp(i, h.file); err == nil {
		err = e
	}
	return n, err
}

// writeUser handles a write to an entry that is a complete file, ours or the
// user's: such a file is never written. If done is false, the entry can be written
// now.
func (w *writer) writeUser(i int, at int64, p []byte) (n int, done bool, err error) {
	w.mu.Lock()
	complete := w.files[i].state == final
	w.mu.Unlock()
	if complete {
		w.naming.giveToUser(i)
	}
	piece := w.span(w.info.Files[i].Offset+at, int64(len(p))).From
	w.mu.Lock()
	u := w.users.of(i)
	spill := u != nil && w.inPlace(i) && w.shared(piece, i)
	w.mu.Unlock()
	if u == nil {
		return 0, false, nil
	}
	if !spill {
		return 0, false, w.settler.replaceUser(i)
	}
	n, err = w.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		h, err := w.openSpill(i, u)
		if err != nil {
			return 0, err
		}
		defer h.unpin()
		w.mu.Lock()
		w.users.setSpilled(i, piece, true)
		w.mu.Unlock()
		n, err := h.file.WriteAt(p, at)
		w.wrote(i)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		return n, err
	})
	if err != nil {
		err = w.faults.writeFailed(i, at, err)
	}
	return n, true, err
}

// openSpill gives a pinned handle of the spill of entry i. It makes the spill if
// there is none, after it has recorded that.
func (w *writer) openSpill(i int, u *userFile) (*handle, error) {
	w.mu.Lock()
	recorded := u.spill && !w.known.stale
	w.mu.Unlock()
	if !recorded {
		if err := w.naming.intendSpill(i, u); err != nil {
			return nil, err
		}
		if err := w.records.unrecordNow(); err != nil {
			return nil, err
		}
	}
	return w.opened.acquireSpill(i, u, true)
}

// intend records which files a write to the pieces of s may make, before they are
// made. It includes some files after these, so that there is not one record for
// each of many small files.
func (w *writer) intend(s Span) error {
	w.mu.Lock()
	first, last := -1, -1
	for p := s.From; p < s.To; p++ {
		for i := range w.filesOf(p) {
			if f := &w.files[i]; f.state == absent && !f.created {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
	}
	w.mu.Unlock()
	if first < 0 {
		return nil
	}
	if n := len(w.files); n > intendAll {
		last = max(last, min(first+n/intendAll, n-1))
	}
	w.records.batching.Lock()
	defer w.records.batching.Unlock()
	if err := w.naming.intendFiles(first, last); err != nil {
		return w.faults.failed(opWrite, first, 0, err)
	}
	return w.records.recordIfStale(context.Background())
}

// intendAll is about how many such records there are for a transfer of very many
// files.
const intendAll = 256

// copyIn implements Transfer.CopyIn.
func (w *writer) copyIn(ctx context.Context, i int, src *os.File) (bool, error) {
	s := w.pieces(i)
	w.mu.Lock()
	fits := w.onDisk(i) && w.info.Files[i].Length > 0 && w.files[i].state == absent && w.users.of(i) == nil && !w.known.have.hasAny(s)
	w.mu.Unlock()
	if !fits {
		return false, nil
	}
	if err := w.intendOne(ctx, i); err != nil {
		return false, err
	}
	if err := w.mayWrite(s); err != nil {
		return false, err
	}
	const most = 256 << 20 // between two checks of ctx
	for at, length := int64(0), w.info.Files[i].Length; at < length; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := w.copyOne(i, src, at, min(length-at, most))
		w.agenda.wantSync(n)
		if err != nil {
			return false, w.faults.writeFailed(i, at, err)
		}
		if n == 0 {
			return false, nil
		}
		at += n
	}
	return true, nil
}

// intendOne records that entry i is about to be made.
func (w *writer) intendOne(ctx context.Context, i int) error {
	w.records.batching.Lock()
	defer w.records.batching.Unlock()
	if err := w.naming.intendFiles(i, i); err != nil {
		return w.faults.failed(opWrite, i, 0, err)
	}
	return w.records.recordIfStale(ctx)
}

// copyOne copies n bytes at an offset of src to the same offset of entry i.
func (w *writer) copyOne(i int, src *os.File, at, n int64) (int64, error) {
	h, err := w.opened.acquire(i, true)
	if errors.Is(err, errPartTaken) {
		if err = w.records.unrecordNow(); err == nil {
			h, err = w.opened.acquire(i, true)
		}
	}
	if err != nil {
		return 0, err
	}
	defer h.unpin()
	lock := w.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	if err := w.opened.checkPart(i, h.file); err != nil {
		return 0, err
	}
	m, err := h.file.copyFrom(osFile{src}, at, n)
	w.wrote(i)
	if e := w.opened.noteStamp(i, h.file); err == nil {
		err = e
	}
	return m, err
}
