package storage

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share"
)

// watcher compares files with what they were when they were hashed or last written.
// It looks at stamps and reads no content. A file with the same stamp is trusted. A
// file that may have changed is in doubt, and one that has changed or is missing is
// in trouble.
//
// A file is in doubt if its size and mtime are the same and its ctime or inode is
// not: a program changed its mode, made a hard link, restored a backup, or wrote to
// it and put the mtime back. Its pieces are not durable until they are hashed
// again. Until then they are served, each after a hash.
type watcher struct {
	*memory
	opened *openFiles
	faults *faults
	clock  func() time.Duration
	log    *slog.Logger

	looked []atomic.Int64 // by entry: when it was last compared with its stamp
}

// lookEvery is how often a complete file is compared with its stamp while it is
// read. That takes about a twentieth of the time of reading a block.
const lookEvery = 250 * time.Millisecond

// lookIfDue compares a complete file with its stamp, unless that was done within
// lookEvery.
func (w *watcher) lookIfDue(i int) error {
	now := int64(w.clock())
	if last := w.looked[i].Load(); last != 0 && now >= last && now-last < int64(lookEvery) {
		return nil
	}
	w.mu.Lock()
	skip := w.files[i].state < final || w.files[i].stamp == (stamp{})
	w.mu.Unlock()
	if skip {
		return nil
	}
	w.looked[i].Store(max(now, 1))
	return w.look(i)
}

// look compares a complete file with its stamp. If the file is in trouble, it
// returns why.
func (w *watcher) look(i int) error {
	w.mu.Lock()
	name, state := w.name(i), w.files[i].state
	w.mu.Unlock()
	fi, err := w.stat(name)
	if err != nil && kindOf(err) != ErrMissing {
		return w.faults.failed(opRead, i, 0, share.Wrapf("looking at %s: %w", name, err))
	}
	w.mu.Lock()
	was, moved := w.files[i].stamp, w.files[i].state != state || w.name(i) != name
	w.mu.Unlock()
	switch {
	case moved:
		return nil
	case err != nil || !fi.Mode().IsRegular():
		return w.faults.trouble(i, ErrMissing, stamp{})
	}
	now := stampOf(fi)
	switch w.place.compare(was, now) {
	case sameFile:
		return nil
	case restamped:
		w.opened.closeFile(i) // the handle may be of a file that no longer has the name
		w.mu.Lock()
		f := &w.files[i]
		if f.state == state && f.stamp == was && w.troubles.of(i) == nil {
			w.doubtFile(i, now)
		}
		w.mu.Unlock()
		w.log.Info("a file may have changed; it is hashed again", "transfer", w.info.ID, "file", name)
		w.agenda.post()
		return nil
	}
	return w.faults.trouble(i, ErrChanged, now)
}

// lookAtAll looks at every file that is not in trouble.
func (w *watcher) lookAtAll(ctx context.Context) error {
	for i := range w.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.mu.Lock()
		f := &w.files[i]
		skip := w.closed || !w.onDisk(i) || f.state == absent || f.stamp == (stamp{}) || w.troubles.of(i) != nil
		part := f.state == partial
		w.mu.Unlock()
		if skip {
			continue
		}
		if part {
			if err := w.lookAtPart(i); err != nil {
				return err
			}
			continue
		}
		if err := w.look(i); err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrMissing) && !errors.Is(err, errAbsent) {
			return err
		}
	}
	return nil
}

// lookAtPart is look for an incomplete file.
func (w *watcher) lookAtPart(i int) error {
	lock := w.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	w.mu.Lock()
	f := &w.files[i]
	name, part := w.layout.names[i].part, f.state == partial
	w.mu.Unlock()
	if !part {
		return nil
	}
	fi, err := w.stat(name)
	switch {
	case err == nil && fi.Mode().IsRegular():
		w.mu.Lock()
		same := f.state != partial || compareStamps(f.stamp, stampOf(fi)) == sameFile
		w.mu.Unlock()
		if !same {
			w.opened.closeFile(i)
			w.opened.partChanged(i, stampOf(fi))
		}
		return nil
	case err == nil || kindOf(err) == ErrMissing:
		w.mu.Lock()
		part = f.state == partial // it may have been renamed meanwhile
		w.mu.Unlock()
		if part {
			w.faults.trouble(i, ErrMissing, stamp{})
		}
		return nil
	}
	return err
}

// unchanged is called after a block was read for a peer. It checks that the file of
// h is still what was hashed.
func (w *watcher) unchanged(i int, h *handle) error {
	f := &w.files[i]
	w.mu.Lock()
	part := f.state == partial
	w.mu.Unlock()
	if part { // our own writes change its stamp
		lock := w.opened.fileLock(i)
		lock.Lock()
		defer lock.Unlock()
	}
	now, err := h.file.stamp()
	if err != nil {
		return w.readFailed(i, 0, err)
	}
	w.mu.Lock()
	same := f.stamp == (stamp{}) || f.stamp == now || compareStamps(f.stamp, now) == sameFile
	part = part && f.state == partial
	w.mu.Unlock()
	switch {
	case same:
		return nil
	case part:
		w.opened.partChanged(i, now)
		return errAgain
	}
	w.looked[i].Store(0)
	w.opened.closeFile(i)
	if err := w.look(i); err != nil {
		return err
	}
	return errAgain
}

// probeTroubles looks again at each file in trouble. A file that is as it was is
// trusted at once. A file of the right size that has not changed since the last
// look is hashed.
func (w *watcher) probeTroubles() {
	w.mu.Lock()
	list := w.troubles.list()
	w.mu.Unlock()
	if len(list) == 0 {
		return
	}
	moved := false
	for _, i := range list {
		moved = w.probeTrouble(i) || moved
	}
	w.mu.Lock()
	w.holdAgain()
	left, pause := w.troubles.count(), w.troubles.looked(moved)
	w.mu.Unlock()
	if left > 0 {
		w.agenda.wantProbe(pause)
	}
	if moved {
		w.agenda.post()
	}
}

// probeTrouble looks at file i and tells whether something changed.
func (w *watcher) probeTrouble(i int) bool {
	w.mu.Lock()
	name := w.name(i)
	w.mu.Unlock()
	w.opened.closeFile(i) // the handle may be of a file that no longer has the name
	fi, err := w.stat(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	tr, f := w.troubles.of(i), &w.files[i]
	if tr == nil {
		return false
	}
	if err != nil || !fi.Mode().IsRegular() {
		changed := tr.kind != ErrMissing
		*tr = trouble{kind: ErrMissing}
		return changed
	}
	now := stampOf(fi)
	switch like := compareStamps(f.stamp, now); {
	case tr.wrong && like == sameFile:
		return false
	case like == sameFile:
		w.dropTrouble(i)
		return true
	case like == restamped && f.state == final && !tr.wrong:
		w.doubtFile(i, now)
		return true
	}
	fits := now.size == w.info.Files[i].Length || f.state == partial && now.size < w.info.Files[i].Length
	if still := now == tr.seen; !fits || !still {
		*tr = trouble{kind: ErrChanged, seen: now}
		return !still
	}
	w.rehash(i, now)
	return true
}

// stampFiles stores the stamps of files that were just synced. A complete file
// keeps the stamp it had when it was found or renamed, because its pieces were
// hashed after that. An incomplete file has the stamp of our last write.
func (w *watcher) stampFiles(files []int) {
	for _, i := range files {
		w.mu.Lock()
		f := &w.files[i]
		name := w.name(i)
		state, known := f.state, f.stamp != (stamp{})
		w.mu.Unlock()
		if state == absent || state >= final && known {
			continue
		}
		lock := w.opened.fileLock(i)
		lock.Lock()
		fi, err := w.stat(name)
		if err == nil && fi.Mode().IsRegular() { // if not, the next read reports it
			now := stampOf(fi)
			w.mu.Lock()
			ours := !known || f.state != state || compareStamps(f.stamp, now) == sameFile
			if ours && f.state == state {
				f.stamp = now
			}
			w.mu.Unlock()
			if !ours {
				w.opened.partChanged(i, now)
			}
		}
		lock.Unlock()
	}
}

// stillOurs tells whether file i, which is about to be renamed, is as our last
// write left it. If not, it is hashed again.
func (w *watcher) stillOurs(i int) (bool, error) {
	lock := w.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	fi, err := w.stat(w.layout.names[i].part)
	if err != nil {
		return false, err
	}
	now := stampOf(fi)
	w.mu.Lock()
	f := &w.files[i]
	same := f.stamp == (stamp{}) || compareStamps(f.stamp, now) == sameFile
	w.mu.Unlock()
	if !same {
		w.opened.partChanged(i, now)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.known.unknown.hasAny(w.pieces(i)), nil
}

// renewed stores the stamp of file i after our own rename. Everything but the ctime
// must be the same. mu is held.
func (w *watcher) renewed(i int, now stamp) {
	was := w.files[i].stamp
	was.ctime = 0
	if was != (stamp{}) && w.place.compare(was, now) != sameFile {
		w.rehash(i, now)
	}
	w.files[i].stamp = now
}

// readFailed handles an error of a read and returns the error for the caller.
func (w *watcher) readFailed(i int, at int64, err error) error {
	if errors.Is(err, errAbsent) || errors.Is(err, ErrClosed) {
		return err
	}
	w.mu.Lock()
	name, complete := w.name(i), w.files[i].state >= final
	w.mu.Unlock()
	short := errors.Is(err, io.EOF)
	if complete && (short || errors.Is(kindOf(err), ErrMissing)) {
		if err := w.look(i); err != nil {
			return err
		}
	}
	if short {
		return share.Wrapf("%s ends before byte %d: %w", name, at, io.ErrUnexpectedEOF)
	}
	return w.faults.failed(opRead, i, at, share.Wrapf("reading %s: %w", name, err))
}

// fileFound is a file as it is on disk.
type fileFound struct {
	state uint8
	name  string
	stamp stamp
	err   error // the disk did not answer
}

// find looks for the file of entry i, where it was or where it may be now. A file
// with a part name is the transfer's only if that was recorded. A file with the
// final name is the user's, unless it was recorded.
func (w *watcher) find(i int) fileFound {
	w.mu.Lock()
	names, state, created, naming, was := w.layout.names[i], w.files[i].state, w.files[i].created, w.files[i].naming, w.files[i].stamp
	w.mu.Unlock()
	type try struct {
		name  string
		state uint8
	}
	var tries []try
	switch {
	case w.own != nil || state == final:
		tries = []try{{names.final, final}}
	case state == users:
		tries = []try{{names.user, users}}
	case state == partial || created && names.part != "":
		tries = []try{{names.part, partial}, {names.final, users}}
	case created:
		tries = []try{{names.final, final}}
	default:
		tries = []try{{names.final, users}}
	}
	for _, x := range tries {
		fi, err := w.stat(x.name)
		switch {
		case err == nil && fi.Mode().IsRegular():
			found := fileFound{state: x.state, name: x.name, stamp: stampOf(fi)}
			// It was renamed, and the process was killed before it recorded that.
			if x.state == users && naming && found.stamp.size == was.size && found.stamp.mtime == was.mtime {
				found.state = final
			}
			return found
		case err != nil && !absentFile(err):
			return fileFound{err: err}
		}
	}
	return fileFound{}
}
