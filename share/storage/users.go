package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// userFile is a file of the user's that has the name of an entry, or had it: it
// is read where it is, and never written. A piece that it shares with another
// file may have to be fetched for that one's sake; what of it would be the user's
// goes to a file of ours under the part name of the entry, the spill, at the
// place where it belongs. It becomes the entry's part file should the user's file
// turn out to be another one, and is deleted if not.
type userFile struct {
	open atomic.Pointer[handle] // of the spill

	// Guarded by memory.mu.
	spill      bool // recorded: what has the part name is ours
	made       bool // and it is there
	head, tail bool // the first piece, and the last, are read from it
	synced     bool // the user's file was, since it was found
	lost       bool // it was changed before it was taken: of no use any more
	settled    bool // all of it is right, and in use where it is
}

// userFiles are the user's files that entries of a transfer are, or were beside. It
// touches memory only; the mutex of memory guards it.
type userFiles struct {
	geometry
	byEntry map[int]*userFile
	n       atomic.Int32 // len(byEntry), for those who do not hold the mutex
}

// any tells whether there are any. No lock need be held.
func (s *userFiles) any() bool { return s.n.Load() > 0 }

// of is the user's file of entry i; nil without one.
func (s *userFiles) of(i int) *userFile { return s.byEntry[i] }

// all goes through them in the order of entries. They may be dropped meanwhile.
func (s *userFiles) all() iter.Seq2[int, *userFile] {
	return func(yield func(int, *userFile) bool) {
		for _, i := range slices.Sorted(maps.Keys(s.byEntry)) {
			if u := s.byEntry[i]; u != nil && !yield(i, u) {
				return
			}
		}
	}
}

// take is of, and makes what it does not find.
func (s *userFiles) take(i int) *userFile {
	u := s.byEntry[i]
	if u == nil {
		if s.byEntry == nil {
			s.byEntry = map[int]*userFile{}
		}
		u = &userFile{}
		s.byEntry[i] = u
		s.n.Store(int32(len(s.byEntry)))
	}
	return u
}

// drop forgets the user's file of entry i.
func (s *userFiles) drop(i int) {
	delete(s.byEntry, i)
	s.n.Store(int32(len(s.byEntry)))
}

// spilled tells whether piece p of entry i is read from the spill.
func (s *userFiles) spilled(i, p int) bool {
	u, of := s.byEntry[i], s.pieces(i)
	return u != nil && (u.head && p == of.From || u.tail && p == of.To-1)
}

// setSpilled notes so, or the opposite, of an entry that has a user's file.
func (s *userFiles) setSpilled(i, p int, is bool) {
	if u := s.byEntry[i]; p == s.pieces(i).From {
		u.head = is
	} else {
		u.tail = is
	}
}

// readUser reads entry i, which is a file of the user's or in its spill.
func (t *Transfer) readUser(i int, u *userFile, at int64, p []byte, check func(i int, h *handle) error) (int, error) {
	return t.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		t.mu.Lock()
		in := t.users.spilled(i, piece)
		t.mu.Unlock()
		if !in {
			return t.readOne(i, at, p, check)
		}
		h, err := t.acquireSpill(i, u, false)
		if err != nil {
			return 0, t.readFailed(i, at, err)
		}
		n, err := h.file.ReadAt(p, at)
		h.unpin()
		if n == len(p) {
			return n, nil
		}
		if err == io.EOF {
			return n, fmt.Errorf("the spill of %s ends: %w", t.layout.names[i].final, io.ErrUnexpectedEOF)
		}
		return n, t.readFailed(i, at, err)
	})
}

// writeUser takes care of a write to entry i if that is a complete file, ours or
// the user's: such a file is never written. Unless done, the entry is one that
// can be written now.
func (t *Transfer) writeUser(i int, at int64, p []byte) (n int, done bool, err error) {
	t.mu.Lock()
	complete := t.files[i].state == final
	t.mu.Unlock()
	if complete {
		t.giveToUser(i)
	}
	piece := t.span(t.info.Files[i].Offset+at, int64(len(p))).From
	t.mu.Lock()
	u := t.users.of(i)
	spill := u != nil && t.inPlace(i) && t.shared(piece, i)
	t.mu.Unlock()
	if u == nil {
		return 0, false, nil
	}
	if !spill {
		return 0, false, t.replaceUser(i)
	}
	n, err = t.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		h, err := t.openSpill(i, u)
		if err != nil {
			return 0, err
		}
		defer h.unpin()
		t.mu.Lock()
		t.users.setSpilled(i, piece, true)
		t.mu.Unlock()
		n, err := h.file.WriteAt(p, at)
		t.wrote(i)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		return n, err
	})
	if err != nil {
		err = t.writeFailed(i, at, err)
	}
	return n, true, err
}

// giveToUser takes a complete file in which something is wrong for the user's:
// he may have edited it.
func (t *Transfer) giveToUser(i int) {
	t.opening.Lock()
	defer t.opening.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.files[i].state == final {
		t.takeUser(i, t.layout.names[i].final)
	}
}

// openSpill gives a pinned handle of the spill of entry i and makes it if need
// be, after it was recorded.
func (t *Transfer) openSpill(i int, u *userFile) (*handle, error) {
	t.mu.Lock()
	recorded := u.spill && !t.known.stale
	t.mu.Unlock()
	if !recorded {
		if err := t.intendSpill(i, u); err != nil {
			return nil, err
		}
		if err := t.unrecordNow(); err != nil {
			return nil, err
		}
	}
	return t.acquireSpill(i, u, true)
}

// intendSpill notes that the part name of entry i is about to be a file of ours.
// It is to be recorded.
func (t *Transfer) intendSpill(i int, u *userFile) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	t.mu.Lock()
	known := u.spill
	t.mu.Unlock()
	if known {
		return nil
	}
	if err := t.freePart(i); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	u.spill, t.known.stale = true, true
	return nil
}

// acquireSpill gives a pinned handle of the spill of entry i.
func (t *Transfer) acquireSpill(i int, u *userFile, create bool) (*handle, error) {
	if h := u.open.Load(); h != nil && h.pin() {
		return h, nil
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	if h := u.open.Load(); h != nil && h.pin() {
		return h, nil
	}
	t.mu.Lock()
	closed, made := t.closed, u.made
	t.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case !made && !create:
		return nil, errAbsent
	}
	d, err := t.openFolder(create)
	if err != nil {
		return nil, err
	}
	defer d.unpin()
	name := t.layout.names[i].part
	if !made {
		if err := t.makeRoom(d.dir, name); err != nil {
			return nil, err
		}
	}
	h, err := t.store.handles.open(t, func() (*handle, error) {
		f, err := d.dir.open(name, mode{write: true, create: !made, exec: !made && t.info.Files[i].Exec})
		if err != nil {
			return nil, err
		}
		return &handle{owner: t, index: i, file: f, writable: true}, nil
	})
	if errors.Is(err, fs.ErrExist) {
		return nil, t.otherPart(i)
	}
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	u.made = true
	t.mu.Unlock()
	u.open.Store(h)
	return h, nil
}

func (t *Transfer) closeSpill(i int) {
	if u := t.userOf(i); u != nil {
		t.closeHandle(u.open.Swap(nil))
	}
}

// syncUser syncs entry i, a file of the user's, and its spill.
func (t *Transfer) syncUser(i int, u *userFile) error {
	t.mu.Lock()
	synced, made := u.synced, u.made
	t.mu.Unlock()
	if !synced {
		h, err := t.acquire(i, false)
		if err == nil {
			err = h.file.Sync()
			h.unpin()
		}
		switch {
		case errors.Is(err, errAbsent) || errors.Is(err, ErrClosed):
			return nil // it is no more: whoever reads it next will see
		case err != nil && h == nil:
			return t.failed(opRead, i, 0, fmt.Errorf("opening %s: %w", t.layout.names[i].user, err))
		case err != nil:
			t.mu.Lock()
			t.taint(i)
			t.mu.Unlock()
			return t.failed(opSync, i, 0, fmt.Errorf("syncing %s: %w", t.layout.names[i].user, err))
		}
	}
	t.mu.Lock()
	u.synced = true
	if !made {
		t.unsynced.drop(i)
	}
	t.mu.Unlock()
	if !made {
		return nil
	}
	h, err := t.acquireSpill(i, u, false)
	if err != nil {
		return t.writeFailed(i, 0, err)
	}
	defer h.unpin()
	return t.syncOpen(h)
}

// rewriteUser is rewriteFile for a file of the user's: only its spill is written.
func (t *Transfer) rewriteUser(i int, u *userFile, at int64, p []byte) (int, error) {
	return t.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		t.mu.Lock()
		in := t.users.spilled(i, piece)
		t.mu.Unlock()
		if !in {
			return t.readOne(i, at, p, nil)
		}
		h, err := t.acquireSpill(i, u, false)
		if err != nil {
			return 0, err
		}
		defer h.unpin()
		n, err := h.file.ReadAt(p, at)
		if n < len(p) {
			return n, err
		}
		_, err = h.file.WriteAt(p, at)
		t.wrote(i)
		if err != nil {
			err = t.writeFailed(i, at, err)
		}
		return len(p), err
	})
}

// freePart sees to it that nothing has the part name of entry i. opening is
// held.
func (t *Transfer) freePart(i int) error {
	if !strings.HasSuffix(t.layout.names[i].part, partEnding(t.info.ID)) {
		return t.changePart(i) // of a file that was completed in place, or of an old record
	}
	_, err := t.stat(t.layout.names[i].part)
	if err == nil || !absentFile(err) {
		if err != nil {
			return fmt.Errorf("looking at %s: %w", t.layout.names[i].part, err)
		}
		return t.changePart(i)
	}
	return nil
}

// absentFile tells whether an error of stat says that nothing is there.
func absentFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(kindOf(err), ErrMissing)
}

// otherPart gives entry i another part name, as somebody else's file has come to
// have it. The error is for the write that ran into it, and is over at once.
// opening is held.
func (t *Transfer) otherPart(i int) error {
	old := t.layout.names[i].part
	if err := t.changePart(i); err != nil {
		return err
	}
	return fmt.Errorf("%s was made by another program: %w", old, errPartTaken)
}

// errPartTaken says that the file has another part name now: try again.
var errPartTaken = errors.New("the part name was taken")

// changePart chooses a part name for entry i that is free, and has it recorded
// with what is recorded next. opening is held.
func (t *Transfer) changePart(i int) error {
	v, err := t.place.freePart(i)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.layout.names[i].part = v
	t.relayout, t.known.stale = true, true
	return nil
}

// intend records, before they are made, which files the write of pieces s may
// make: that of each entry that is not there, and of some next to it, so that
// this is not done for each of many small ones.
func (t *Transfer) intend(s Span) error {
	t.mu.Lock()
	first, last := -1, -1
	for p := s.From; p < s.To; p++ {
		t.filesOf(p, func(i int) {
			if f := &t.files[i]; f.state == absent && !f.created {
				if first < 0 {
					first = i
				}
				last = i
			}
		})
	}
	t.mu.Unlock()
	if first < 0 {
		return nil
	}
	if n := len(t.files); n > intendAll {
		last = max(last, min(first+n/intendAll, n-1))
	}
	t.batching.Lock()
	defer t.batching.Unlock()
	if err := t.intendFiles(first, last); err != nil {
		return t.failed(opWrite, first, 0, err)
	}
	return t.recordIfStale(context.Background())
}

// intendAll is about how often intentions are recorded for a transfer of very
// many files.
const intendAll = 256

// intendFiles notes that absent entries from first to last are about to be made
// under their part names.
func (t *Transfer) intendFiles(first, last int) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	for i := first; i <= last; i++ {
		if !t.onDisk(i) || t.info.Files[i].Length == 0 {
			continue
		}
		t.mu.Lock()
		skip := t.files[i].state != absent || t.files[i].created
		t.mu.Unlock()
		if skip {
			continue
		}
		if err := t.freePart(i); err != nil {
			return err
		}
		t.mu.Lock()
		t.files[i].created, t.known.stale = true, true
		t.mu.Unlock()
	}
	return nil
}
