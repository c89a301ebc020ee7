package storage

import (
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
