package storage

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// verifier hashes pieces, notes the result in memory, and reads for others only
// what is known to be right.
type verifier struct {
	*memory
	reader *reader

	proving sync.Mutex // held while a piece in doubt is hashed for a reader
}

// errAgain means that what was read may not be what was hashed. Another attempt can
// tell.
var errAgain = errors.New("the file was changed while it was read")

// serveAttempts limits how often a block is read while its file keeps changing.
const serveAttempts = 4

// ReadAt reads verified content; pad bytes are zeros. It is an error to read pieces
// that are not complete, or a file that has changed.
func (v *verifier) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= v.info.Total || len(p) == 0 {
		if len(p) == 0 && off >= 0 && off <= v.info.Total {
			return 0, nil
		}
		return 0, io.EOF
	}
	s := v.span(off, min(int64(len(p)), v.info.Total-off))
	for range serveAttempts {
		ok, doubt := v.readable(s)
		if !ok {
			return 0, share.Wrapf("reading pieces %d to %d of %q: %w", s.From, s.To-1, v.info.Name, v.whyNot(s))
		}
		if doubt {
			if err := v.prove(s); err != nil {
				return 0, err
			}
			continue // the piece may be wrong
		}
		n, err := v.each(off, p, v.reader.serveFile)
		// The file may have changed during the read.
		if ok, doubt := v.readable(s); err == nil && ok && !doubt || err != nil && !errors.Is(err, errAgain) {
			return n, err
		}
	}
	return 0, v.restless(s)
}

// prove hashes those pieces of s that are in doubt.
func (v *verifier) prove(s Span) error {
	for p := s.From; p < s.To; p++ {
		if !v.inDoubt(p) {
			continue
		}
		err := func() error {
			v.proving.Lock()
			defer v.proving.Unlock()
			if !v.inDoubt(p) {
				return nil // another reader has hashed it
			}
			_, err := v.HashPiece(context.Background(), p)
			return err
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// HashPiece reads piece i from disk and notes whether it is right. An error of kind
// share.Disk means that the piece could not be read, and one of kind share.Refused
// that no data has both hashes of a hybrid. A piece whose layer is missing becomes
// unknown.
func (v *verifier) HashPiece(ctx context.Context, i int) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	sum := v.NewSum(i)
	_, err := v.CopyPiece(i, v.info.PieceSize(i), sum)
	if err != nil && err != io.EOF {
		v.mu.Lock()
		v.known.wasUnread(i)
		v.mu.Unlock()
		return false, err
	}
	if err != nil {
		return v.partsAreRight(i), v.MarkNotComplete(i)
	}
	switch sum.Verdict() {
	case metainfo.Right:
		return true, v.MarkComplete(i)
	case metainfo.Unknown:
		return false, v.markUnknown(i)
	case metainfo.Differ:
		if err := v.MarkNotComplete(i); err != nil {
			return false, err
		}
		return false, share.Errorf(share.Refused,
			"the v1 and v2 hashes of piece %d of %q belong to different data: the torrent can never be complete; look for another", i, v.info.Name)
	}
	return false, v.MarkNotComplete(i)
}

// markUnknown notes that piece p cannot be judged before its layer comes.
func (v *verifier) markUnknown(p int) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return ErrClosed
	}
	v.known.wasUnread(p)
	v.known.outdated(p)
	if v.known.unknown.has(p) {
		return nil
	}
	v.known.unreadable(p)
	v.endDoubt(p)
	v.agenda.post()
	return nil
}

// buffers are for hashing: large enough to make few calls, and small enough for the
// cache of the processor.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

type buffer [128 << 10]byte

// CopyPiece writes the first n bytes of piece p to w, whether they are right or
// not. It returns io.EOF where there is no data. Of a clipped piece there is not all: if it
// is to be hashed, what is there of it is judged here.
func (v *verifier) CopyPiece(p int, n int64, w io.Writer) (written int64, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	off := int64(p) * v.info.PieceLength
	v.mu.Lock()
	v.known.wasUnread(p)
	waiting, clipped := v.waiting(p), v.known.clipped.has(p)
	v.mu.Unlock()
	switch {
	case waiting:
		return 0, io.EOF
	case clipped:
		return 0, v.checkParts(p)
	}
	v.begin(p)
	defer func() {
		if err != nil && err != io.EOF {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.known.couldNotRead(p)
		}
	}()
	for written < n {
		b := buf[:min(int64(len(buf)), n-written)]
		m, err := v.reader.read(b, off+written)
		if m > 0 {
			if _, err := w.Write(b[:m]); err != nil {
				return written, err
			}
			written += int64(m)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent) {
			return written, io.EOF
		}
		return written, err
	}
	return written, nil
}

// checkParts compares what is there of the clipped piece p with its hashes, if the piece is
// unknown or in doubt. One that is wrong is clipped no more. The error is io.EOF if the disk
// could read it all.
func (v *verifier) checkParts(p int) error {
	v.mu.Lock()
	parts, due := v.known.parts[p], v.known.unknown.has(p) || v.known.doubt.has(p)
	v.mu.Unlock()
	if !due {
		return io.EOF
	}
	v.begin(p)
	right := parts != nil
	for _, x := range parts {
		sum, err := v.reader.sumPart(context.Background(), p, x.file)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errAbsent):
			right = false
		case err != nil:
			v.mu.Lock()
			v.known.couldNotRead(p)
			v.mu.Unlock()
			return err
		}
		right = right && sum == x.sum
	}
	if right {
		if err := v.MarkComplete(p); err != nil {
			return err
		}
		return io.EOF
	}
	v.mu.Lock()
	if began, ok := v.known.began[p]; ok && began == v.known.changes {
		v.known.unclip(Span{p, p + 1}, func(int) bool { return true }) // the caller notes that it is wrong
	}
	v.mu.Unlock()
	return io.EOF
}

// partsAreRight tells whether piece p is clipped, and what is there of it is right.
func (v *verifier) partsAreRight(p int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	ok, doubt := v.known.readable(Span{p, p + 1})
	return ok && !doubt && v.known.clipped.has(p)
}

// begin notes that piece p is about to be hashed. If the piece is unknown or in
// doubt, it waits until another change of its files would be seen.
func (v *verifier) begin(p int) {
	v.mu.Lock()
	var ctimes []int64
	if v.known.begin(p) {
		for i := range v.filesOf(p) {
			if v.files[i].state != absent {
				ctimes = append(ctimes, v.files[i].stamp.ctime)
			}
		}
	}
	v.mu.Unlock()
	if len(ctimes) > 0 {
		v.disk.settle(slices.Max(ctimes))
	}
}

// MarkComplete notes that piece p was hashed and is right. If that was not read from disk
// and a file was changed meanwhile, the piece becomes unknown.
func (v *verifier) MarkComplete(p int) error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return ErrClosed
	}
	proven := v.known.proven(p)
	switch {
	case v.known.outdated(p):
		v.known.again(p)
		v.mu.Unlock()
		v.agenda.post()
		return nil
	case !proven:
		v.known.reverify(Span{p, p + 1})
		v.mu.Unlock()
		v.agenda.post()
		return nil
	}
	if v.known.right(p) {
		v.endDoubt(p) // the new stamps of its files have to be recorded
	}
	for i := range v.filesOf(p) {
		f := &v.files[i]
		if f.state == partial && v.unsynced.untouched(i) {
			v.adopt(i) // an earlier process wrote it, and may not have synced it
		}
		f.suspect = f.suspect && !(v.known.have.hasAll(v.pieces(i)) && !v.known.doubt.hasAny(v.pieces(i)))
	}
	held := v.known.held.has(p)
	if held {
		v.known.refresh(Span{p, p + 1})
	}
	last := !v.known.recorded.has(p) && v.known.arrived()
	v.mu.Unlock()
	if held {
		v.agenda.post()
	}
	if last {
		v.agenda.wantSyncNow()
	} else {
		v.agenda.wantSync(0)
	}
	return nil
}

// MarkNotComplete notes that piece p was hashed and is wrong, unless the disk could
// not read it.
func (v *verifier) MarkNotComplete(p int) error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return ErrClosed
	}
	unread := v.known.wasUnread(p)
	if v.known.outdated(p) && !unread {
		v.known.again(p)
		v.mu.Unlock()
		v.agenda.post()
		return nil
	}
	switch {
	case v.known.clipped.has(p): // nothing was read
	case v.waiting(p):
		v.known.refresh(Span{p, p + 1})
	case unread:
		v.known.unreadable(p)
		v.endDoubt(p)
	default:
		v.known.wrong(p)
		v.endDoubt(p)
		v.blame(p)
	}
	v.known.counted = false
	told := v.known.event.any
	v.mu.Unlock()
	if told {
		v.agenda.post()
	}
	v.agenda.wantSync(0)
	return nil
}
