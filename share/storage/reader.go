package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/shoalnet/shoal/share"
)

// reader reads the files of a transfer, whether the bytes are right or not: an
// entry is in its own file, in a file of the user's, or in the spill beside that.
type reader struct {
	*memory
	opened *openFiles
	watch  *watcher
}

// errAbsent means that there is no file, or no right data, where something was to
// be read.
var errAbsent = errors.New("nothing is there yet")

// read reads what is on disk, right or wrong.
func (r *reader) read(p []byte, off int64) (int, error) {
	return r.each(off, p, r.readFile)
}

func (r *reader) readFile(i int, at int64, p []byte) (int, error) {
	return r.readChecked(i, at, p, nil)
}

// serveFile reads a part of file i for a peer. After the read it checks that the
// file is still what was hashed.
func (r *reader) serveFile(i int, at int64, p []byte) (int, error) {
	return r.readChecked(i, at, p, r.watch.unchanged)
}

// readChecked reads a part of file i. check, if not nil, is called after the read
// and may reject it.
func (r *reader) readChecked(i int, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	if !r.onDisk(i) {
		clear(p)
		return len(p), nil
	}
	if r.wasClipped(i, at, len(p)) {
		return 0, errAbsent
	}
	if u := r.userOf(i); u != nil {
		return r.readUser(i, u, at, p, check)
	}
	return r.readOne(i, at, p, check)
}

// sumPart hashes the bytes of piece p that are in file i.
func (r *reader) sumPart(ctx context.Context, p, i int) (sum [sha256.Size]byte, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	h := sha256.New()
	for at, n := r.partOf(p, i); n > 0; {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		b := buf[:min(int64(len(buf)), n)]
		if _, err := r.readFile(i, at, b); err != nil {
			return sum, err
		}
		h.Write(b)
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// readOne reads the file that entry i is.
func (r *reader) readOne(i int, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	if err := r.watch.lookIfDue(i); err != nil {
		return 0, err
	}
	h, err := r.opened.acquire(i, false)
	if err != nil {
		return 0, r.watch.readFailed(i, at, err)
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
	return n, r.watch.readFailed(i, at, err)
}

// readUser reads entry i from the user's file and its spill.
func (r *reader) readUser(i int, u *userFile, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	return r.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		r.mu.Lock()
		in := r.users.spilled(i, piece)
		r.mu.Unlock()
		if !in {
			return r.readOne(i, at, p, check)
		}
		h, err := r.opened.acquireSpill(i, u, false)
		if err != nil {
			return 0, r.watch.readFailed(i, at, err)
		}
		n, err := h.file.ReadAt(p, at)
		h.unpin()
		if n == len(p) {
			return n, nil
		}
		if err == io.EOF {
			return n, share.Wrapf("the part file of %s is too short: %w", r.layout.names[i].final, io.ErrUnexpectedEOF)
		}
		return n, r.watch.readFailed(i, at, err)
	})
}
