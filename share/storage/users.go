package storage

import (
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// userFile is a file of the user's that has, or had, the name of an entry. It is
// read where it is, and never written. A piece that it shares with another file may
// have to be fetched for that file. The bytes of the piece that belong to this
// entry then go to a file of ours under the part name of the entry, the spill, each
// at its place. If the user's file turns out to be wrong, the spill becomes the
// part file of the entry; if it is right, the spill is deleted.
type userFile struct {
	open atomic.Pointer[handle] // of the spill

	// Guarded by memory.mu.
	spill      bool // recorded: the file with the part name is ours
	made       bool // the spill exists
	head, tail bool // the first piece, or the last, is read from the spill
	synced     bool // the user's file was synced since it was found
	lost       bool // it was changed before it was decided about: it is not used
	settled    bool // all of it is right, and it is used where it is
}

// userFiles are the user's files of a transfer, by entry. It touches memory only;
// memory.mu guards it.
type userFiles struct {
	geometry
	byEntry map[int]*userFile
	n       atomic.Int32 // len(byEntry), to be read without the mutex
}

// any tells whether there are any. It needs no lock.
func (s *userFiles) any() bool { return s.n.Load() > 0 }

// of returns the user's file of entry i, or nil.
func (s *userFiles) of(i int) *userFile { return s.byEntry[i] }

// all iterates in the order of entries. Files may be dropped meanwhile.
func (s *userFiles) all() iter.Seq2[int, *userFile] {
	return func(yield func(int, *userFile) bool) {
		for _, i := range slices.Sorted(maps.Keys(s.byEntry)) {
			if u := s.byEntry[i]; u != nil && !yield(i, u) {
				return
			}
		}
	}
}

// take returns the user's file of entry i and makes it if there is none.
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

// setSpilled sets whether it is.
func (s *userFiles) setSpilled(i, p int, is bool) {
	if u := s.byEntry[i]; p == s.pieces(i).From {
		u.head = is
	} else {
		u.tail = is
	}
}
