package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
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

// writeUser takes care of a write to entry i if that is a complete file, ours or
// the user's: such a file is never written. Unless done, the entry is one that
// can be written now.
func (t *Transfer) writeUser(i int, at int64, p []byte) (n int, done bool, err error) {
	t.mu.Lock()
	complete := t.files[i].state == final
	t.mu.Unlock()
	if complete {
		t.naming.giveToUser(i)
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
		err = t.faults.writeFailed(i, at, err)
	}
	return n, true, err
}

// openSpill gives a pinned handle of the spill of entry i and makes it if need
// be, after it was recorded.
func (t *Transfer) openSpill(i int, u *userFile) (*handle, error) {
	t.mu.Lock()
	recorded := u.spill && !t.known.stale
	t.mu.Unlock()
	if !recorded {
		if err := t.naming.intendSpill(i, u); err != nil {
			return nil, err
		}
		if err := t.unrecordNow(); err != nil {
			return nil, err
		}
	}
	return t.opened.acquireSpill(i, u, true)
}

// rewriteUser is rewriteFile for a file of the user's: only its spill is written.
func (t *Transfer) rewriteUser(i int, u *userFile, at int64, p []byte) (int, error) {
	return t.byPiece(i, at, p, func(piece int, at int64, p []byte) (int, error) {
		t.mu.Lock()
		in := t.users.spilled(i, piece)
		t.mu.Unlock()
		if !in {
			return t.reader.readOne(i, at, p, nil)
		}
		h, err := t.opened.acquireSpill(i, u, false)
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
			err = t.faults.writeFailed(i, at, err)
		}
		return len(p), err
	})
}

// absentFile tells whether an error of stat says that nothing is there.
func absentFile(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(kindOf(err), ErrMissing)
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
	if err := t.naming.intendFiles(first, last); err != nil {
		return t.faults.failed(opWrite, first, 0, err)
	}
	return t.recordIfStale(context.Background())
}

// intendAll is about how often intentions are recorded for a transfer of very
// many files.
const intendAll = 256
