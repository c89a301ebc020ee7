package storage

import (
	"path"
	"sync"
)

// unsynced is what was written and may not be on the disk yet: which files and
// folders have to be synced, and which syncs failed. It touches memory only. It has
// no lock except those of the syncs: memory.mu guards it.
type unsynced struct {
	many     int        // how many files should be synced at once; see wrote
	files    []fileSync // by entry
	queue    []int      // files that have to be synced, each once
	dirs     map[string]struct{}
	sick     bool // some file has failed
	failures int  // how many syncs failed

	locks *[2 * syncsPerTransfer]sync.Mutex // made when first needed
}

// fileSync is the state of one file.
type fileSync struct {
	writes uint32 // counts the writes
	synced uint32 // the value of writes before the last good sync
	queued bool
	failed bool // a sync failed, and its pieces have not been written again
}

// parentDir stands for the folder above the own folder.
const parentDir = ".."

func newUnsynced(files, many int) unsynced {
	return unsynced{many: many, files: make([]fileSync, files)}
}

// empty tells whether no file and no folder has to be synced.
func (u *unsynced) empty() bool { return len(u.queue)+len(u.dirs) == 0 }

// wrote notes that file i has to be synced. It tells whether there are now as many
// files as should be synced at once.
func (u *unsynced) wrote(i int) (many bool) {
	u.files[i].writes++
	u.enqueue(i)
	return len(u.queue) == u.many
}

func (u *unsynced) enqueue(i int) {
	if f := &u.files[i]; !f.queued {
		f.queued = true
		u.queue = append(u.queue, i)
	}
}

// untouched tells whether file i was not written since the transfer was opened, as
// far as is known.
func (u *unsynced) untouched(i int) bool { return u.files[i].writes == 0 }

// dirty tells whether file i has to be synced.
func (u *unsynced) dirty(i int) bool { return u.files[i].writes != u.files[i].synced }

// onDisk tells whether every write to file i is on the disk.
func (u *unsynced) onDisk(i int) bool { return !u.dirty(i) && !u.files[i].failed }

// drop notes that file i need not be synced any more: it is gone.
func (u *unsynced) drop(i int) { u.files[i].synced = u.files[i].writes }

// take returns the files to sync now.
func (u *unsynced) take() []int {
	files := u.queue
	u.queue = nil
	for _, i := range files {
		u.files[i].queued = false
	}
	return files
}

// putBack queues those of files again that were not synced, or were written
// meanwhile. It returns them.
func (u *unsynced) putBack(files []int) (left []int) {
	for _, i := range files {
		if u.dirty(i) {
			u.enqueue(i)
			left = append(left, i)
		}
	}
	return left
}

// lock is held while file i is synced and the result is noted. No other sync of it
// may come in between: the system reports a failure only once, and the second sync
// would succeed.
func (u *unsynced) lock(i int) *sync.Mutex {
	if u.locks == nil {
		u.locks = new([2 * syncsPerTransfer]sync.Mutex)
	}
	return &u.locks[i%len(u.locks)]
}

// begin is called before file i is synced. The sync is useless if an earlier one
// failed.
func (u *unsynced) begin(i int) (writes uint32, useless bool) {
	return u.files[i].writes, u.files[i].failed
}

// done notes that a sync succeeded that began after that many writes.
func (u *unsynced) done(i int, writes uint32) {
	if f := &u.files[i]; int32(writes-f.synced) > 0 {
		f.synced = writes
	}
}

// fail notes that the sync of file i failed.
func (u *unsynced) fail(i int) {
	u.files[i].failed, u.sick = true, true
	u.failures++
}

// failed tells whether a sync of file i failed.
func (u *unsynced) failed(i int) bool { return u.files[i].failed }

// heal notes that everything that failed was written again. It does nothing if
// another sync failed meanwhile.
func (u *unsynced) heal(failures int) bool {
	if u.failures != failures {
		return false
	}
	u.sick = false
	for i := range u.files {
		u.files[i].failed = false
	}
	return true
}

// noteDir notes that the names in a folder changed.
func (u *unsynced) noteDir(name string) {
	if u.dirs == nil {
		u.dirs = map[string]struct{}{}
	}
	u.dirs[name] = struct{}{}
}

// noteTree notes every folder above name: an earlier process may have made it and
// been killed before it synced it. With parent, that includes the folder above the
// own one.
func (u *unsynced) noteTree(name string, parent bool) {
	for d := path.Dir(name); ; d = path.Dir(d) {
		u.noteDir(d)
		if d == "." {
			break
		}
	}
	if parent {
		u.noteDir(parentDir)
	}
}

// takeDirs returns the folders to sync now.
func (u *unsynced) takeDirs() map[string]struct{} {
	dirs := u.dirs
	u.dirs = nil
	return dirs
}

// putBackDirs notes again folders that could not be synced.
func (u *unsynced) putBackDirs(dirs map[string]struct{}) {
	for name := range dirs {
		u.noteDir(name)
	}
}
