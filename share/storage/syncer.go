package storage

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// syncer syncs what was written: files, several at once, and the names in folders.
// It notes which syncs failed. A later sync of the same data never counts, even if it
// succeeds: see docs/decisions/0003-failed-sync.md.
type syncer struct {
	*memory
	opened *openFiles
	faults *faults
	width  int // how many files are synced at once
}

// syncsPerTransfer is how many files of a transfer are synced at once: enough
// for a file system to put several into one commit of its journal.
const syncsPerTransfer = 8

// syncFiles syncs files, several at once, and returns the first error.
func (s *syncer) syncFiles(files []int) error {
	var first error
	if len(files) == 1 || s.width == 1 {
		for _, i := range files {
			first = cmpErr(first, s.syncFile(i))
		}
		return first
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range min(s.width, len(files)) {
		wg.Go(func() {
			for i := range next {
				if err := s.syncFile(i); err != nil {
					mu.Lock()
					first = cmpErr(first, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

// syncFile syncs entry i if it has to be.
func (s *syncer) syncFile(i int) error {
	if !s.dirtyFile(i) {
		return nil // synced when its handle was closed
	}
	if u := s.userOf(i); u != nil {
		return s.syncUser(i, u)
	}
	h, err := s.opened.acquire(i, false)
	if errors.Is(err, errAbsent) {
		s.mu.Lock()
		s.unsynced.drop(i)
		s.mu.Unlock()
		return nil
	}
	if err != nil {
		return s.faults.writeFailed(i, 0, err)
	}
	defer h.unpin()
	return s.syncOpen(h)
}

// syncUser syncs the user's file of entry i, once, and its spill.
func (s *syncer) syncUser(i int, u *userFile) error {
	s.mu.Lock()
	synced, made := u.synced, u.made
	s.mu.Unlock()
	if !synced {
		h, err := s.opened.acquire(i, false)
		if err == nil {
			err = h.file.Sync()
			h.unpin()
		}
		switch {
		case errors.Is(err, errAbsent) || errors.Is(err, ErrClosed):
			return nil // it is gone: the next read reports it
		case err != nil && h == nil:
			return s.faults.failed(opRead, i, 0, share.Wrapf("opening %s: %w", s.layout.names[i].user, err))
		case err != nil:
			s.mu.Lock()
			s.taint(i)
			s.mu.Unlock()
			return s.faults.failed(opSync, i, 0, share.Wrapf("syncing %s: %w", s.layout.names[i].user, err))
		}
	}
	s.mu.Lock()
	u.synced = true
	if !made {
		s.unsynced.drop(i)
	}
	s.mu.Unlock()
	if !made {
		return nil
	}
	h, err := s.opened.acquireSpill(i, u, false)
	if err != nil {
		return s.faults.writeFailed(i, 0, err)
	}
	defer h.unpin()
	return s.syncOpen(h)
}

// syncOpen syncs the file of h and notes the result.
func (s *syncer) syncOpen(h *handle) error {
	s.mu.Lock()
	lock := s.unsynced.lock(h.index)
	s.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	s.mu.Lock()
	writes, useless := s.unsynced.begin(h.index)
	s.mu.Unlock()
	if useless {
		return s.faults.failed(opSync, h.index, 0, errFailedBefore)
	}
	err := h.file.Sync()
	s.mu.Lock()
	if err == nil {
		s.unsynced.done(h.index, writes)
		s.mu.Unlock()
		return nil
	}
	s.taint(h.index)
	name := s.name(h.index)
	s.mu.Unlock()
	s.agenda.wantSyncNow()
	return s.faults.failed(opSync, h.index, 0, share.Wrapf("syncing %s: %w", name, err))
}

// errFailedBefore is why a sync of a file does not count.
var errFailedBefore = errors.New("an earlier sync failed, and its data has not been written again")

// syncDirs syncs the folders in which names changed.
func (s *syncer) syncDirs() error {
	s.mu.Lock()
	dirs := s.unsynced.takeDirs()
	s.mu.Unlock()
	if len(dirs) == 0 {
		return nil
	}
	err := s.syncNames(dirs)
	if err != nil {
		s.mu.Lock()
		s.unsynced.putBackDirs(dirs)
		s.mu.Unlock()
		return s.faults.failed(opSync, -1, 0, share.Wrapf("syncing the folder of %s: %w", s.Path(), err))
	}
	return nil
}

// syncNames syncs the names in folders.
func (s *syncer) syncNames(dirs map[string]struct{}) error {
	s.opening.Lock()
	d, err := s.opened.openFolder(false)
	s.opening.Unlock()
	if err != nil {
		return err
	}
	defer d.unpin()
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		if name != parentDir {
			// A folder that was removed has no names to sync; its files are missing.
			if err := d.dir.syncDir(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		p, err := s.disk.folder(s.dir, "", false)
		if err != nil {
			return err
		}
		err = p.syncDir(".")
		p.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
