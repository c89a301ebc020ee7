package storage

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"sync"
)

// lookIfDue compares a complete file with its stamp, at most every lookEvery.
func (t *Transfer) lookIfDue(i int) error {
	f := &t.files[i]
	now := int64(t.store.clock())
	if last := f.looked.Load(); last != 0 && now >= last && now-last < int64(lookEvery) {
		return nil
	}
	t.mu.Lock()
	skip := f.state < final || f.stamp == (stamp{})
	t.mu.Unlock()
	if skip {
		return nil
	}
	f.looked.Store(max(now, 1))
	return t.look(i)
}

// look compares a complete file with its stamp. A difference is a trouble, and
// its error is returned.
func (t *Transfer) look(i int) error {
	t.mu.Lock()
	name, state := t.name(i), t.files[i].state
	t.mu.Unlock()
	fi, err := t.stat(name)
	if err != nil && kindOf(err) != ErrMissing {
		return t.faults.failed(opRead, i, 0, fmt.Errorf("looking at %s: %w", name, err))
	}
	t.mu.Lock()
	was, moved := t.files[i].stamp, t.files[i].state != state || t.name(i) != name
	t.mu.Unlock()
	switch {
	case moved:
		return nil
	case err != nil || !fi.Mode().IsRegular():
		return t.faults.trouble(i, ErrMissing, stamp{})
	}
	now := stampOf(fi)
	switch t.place.compare(was, now) {
	case sameFile:
		return nil
	case restamped:
		t.opened.closeFile(i) // it may lead to another file than the name
		t.mu.Lock()
		f := &t.files[i]
		if f.state == state && f.stamp == was && t.troubles.of(i) == nil {
			t.doubtFile(i, now)
		}
		t.mu.Unlock()
		t.log.Info("a file may have changed; it is hashed again", "transfer", t.info.ID, "file", name)
		t.agenda.post()
		return nil
	}
	return t.faults.trouble(i, ErrChanged, now)
}

// probeTroubles looks at each file in trouble again. One that is as it was is
// trusted at once; one that has the right size, and kept still since the last
// look, is hashed.
func (t *Transfer) probeTroubles() {
	t.mu.Lock()
	list := t.troubles.list()
	t.mu.Unlock()
	if len(list) == 0 {
		return
	}
	moved := false
	for _, i := range list {
		moved = t.probeTrouble(i) || moved
	}
	t.mu.Lock()
	t.holdAgain()
	left, pause := t.troubles.count(), t.troubles.looked(moved)
	t.mu.Unlock()
	if left > 0 {
		t.agenda.wantProbe(pause)
	}
	if moved {
		t.agenda.post()
	}
}

// probeTrouble tells whether something changed about file i.
func (t *Transfer) probeTrouble(i int) bool {
	t.mu.Lock()
	name := t.name(i)
	t.mu.Unlock()
	t.opened.closeFile(i) // it may lead to a file that the name no longer does
	fi, err := t.stat(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	tr, f := t.troubles.of(i), &t.files[i]
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
		t.dropTrouble(i)
		return true
	case like == restamped && f.state == final && !tr.wrong:
		t.doubtFile(i, now)
		return true
	}
	fits := now.size == t.info.Files[i].Length || f.state == partial && now.size < t.info.Files[i].Length
	if still := now == tr.seen; !fits || !still {
		*tr = trouble{kind: ErrChanged, seen: now}
		return !still
	}
	t.rehash(i, now)
	return true
}

// Completion tells whether piece p is known to be right or wrong, and which. What
// is not known is neither served nor requested.
func (t *Transfer) Completion(p int) (known, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.completion(p)
}

// MarkComplete notes that piece p was hashed and is right.
func (t *Transfer) MarkComplete(p int) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	if t.known.outdated(p) {
		t.known.again(p)
		t.mu.Unlock()
		t.agenda.post()
		return nil
	}
	if t.known.right(p) {
		t.endDoubt(p) // the new stamps of its files are recorded
	}
	t.filesOf(p, func(i int) {
		f := &t.files[i]
		if f.state == partial && t.unsynced.untouched(i) {
			t.adopt(i) // an earlier process wrote it, and may not have synced it
		}
		f.suspect = f.suspect && !(t.known.have.hasAll(t.pieces(i)) && !t.known.doubt.hasAny(t.pieces(i)))
	})
	held := t.known.held.has(p)
	if held {
		t.known.refresh(Span{p, p + 1})
	}
	last := !t.known.recorded.has(p) && t.known.arrived()
	t.mu.Unlock()
	if held {
		t.agenda.post()
	}
	if last {
		t.agenda.wantSyncNow()
	} else {
		t.agenda.wantSync(0)
	}
	return nil
}

// Await says which pieces are wanted; before, all are. When the last of them is
// complete it is synced at once: nothing more comes that could share its batch.
func (t *Transfer) Await(wanted []Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.await(wanted)
}

// Arrived tells whether every piece that is wanted is complete, durable or not.
func (t *Transfer) Arrived() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.arrived()
}

// MarkNotComplete notes that piece p was hashed and is wrong, unless it could
// not be read.
func (t *Transfer) MarkNotComplete(p int) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	unread := t.known.wasUnread(p)
	if t.known.outdated(p) && !unread {
		t.known.again(p)
		t.mu.Unlock()
		t.agenda.post()
		return nil
	}
	switch {
	case t.known.clipped.has(p): // nothing was read
	case t.waiting(p):
		t.known.refresh(Span{p, p + 1})
	case unread:
		t.known.unreadable(p)
		t.endDoubt(p)
	default:
		t.known.wrong(p)
		t.endDoubt(p)
		t.blame(p)
	}
	t.known.counted = false
	told := t.known.event.any
	t.mu.Unlock()
	if told {
		t.agenda.post()
	}
	t.agenda.wantSync(0)
	return nil
}

// buffers are for hashing: large enough to make the calls cheap, and small
// enough for the processor's cache.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

type buffer [128 << 10]byte

// CopyPiece writes the first n bytes of piece p, right or wrong, to w. What is
// not there is io.EOF.
func (t *Transfer) CopyPiece(p int, n int64, w io.Writer) (written int64, err error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	off := int64(p) * t.info.PieceLength
	t.mu.Lock()
	t.known.wasUnread(p)
	waiting := t.waiting(p) || t.known.clipped.has(p)
	t.mu.Unlock()
	if waiting {
		return 0, io.EOF
	}
	t.begin(p)
	defer func() {
		if err != nil && err != io.EOF {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.known.couldNotRead(p)
		}
	}()
	for written < n {
		b := buf[:min(int64(len(buf)), n-written)]
		m, err := t.read(b, off+written)
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

// HashPiece reads piece i from disk and notes whether it is right, as the
// client's Piece.VerifyData would. An error, of kind share.Disk, says that it
// could not be read.
func (t *Transfer) HashPiece(ctx context.Context, i int) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	h := sha1.New()
	_, err := t.CopyPiece(i, t.info.PieceSize(i), h)
	if err != nil && err != io.EOF {
		t.mu.Lock()
		t.known.wasUnread(i)
		t.mu.Unlock()
		return false, err
	}
	if err == nil && [20]byte(h.Sum(nil)) == t.info.PieceHash(i) {
		return true, t.MarkComplete(i)
	}
	return false, t.MarkNotComplete(i)
}

// Recheck makes every piece whose files are there unknown and ends the trouble
// with files that were changed or went missing: what turns out wrong or missing
// is then fetched again, beside what another program wrote. Event.Verify lists
// what is to be hashed. Nothing is trusted until it has been.
func (t *Transfer) Recheck(ctx context.Context) error {
	return t.recheck(ctx, func(int) bool { return true })
}

// Mend is Recheck for those files alone that are missing, or not what they were.
func (t *Transfer) Mend(ctx context.Context) error { return t.recheck(ctx, t.amiss) }

// Amiss tells whether there is anything for Mend to do.
func (t *Transfer) Amiss() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.files {
		if t.amiss(i) {
			return true
		}
	}
	return false
}

// recheck is Recheck for some files. which is called with mu held.
func (t *Transfer) recheck(ctx context.Context, which func(i int) bool) error {
	t.batching.Lock()
	defer t.batching.Unlock()
	found := make(map[int]fileFound)
	t.mu.Lock()
	for i := range t.files {
		if t.onDisk(i) && which(i) {
			found[i] = fileFound{}
		}
	}
	t.mu.Unlock()
	t.opening.Lock()
	for i := range found {
		found[i] = t.find(i)
	}
	_, lost := t.statFolder()
	t.opening.Unlock()
	t.mu.Lock()
	t.made = t.made && lost == nil
	for i := range t.files {
		if f, ok := found[i]; ok {
			t.recheckFile(i, f)
		}
	}
	t.holdAgain()
	t.known.counted = false
	stopped := t.halt.fault != nil
	t.mu.Unlock()
	t.opened.closeAll()
	if stopped {
		t.agenda.wantProbe(0)
	}
	t.agenda.post()
	return t.recordIfStale(ctx)
}

// recheckFile takes file i as it was found. mu is held.
func (t *Transfer) recheckFile(i int, found fileFound) {
	f := &t.files[i]
	s := t.pieces(i)
	if t.troubles.of(i) != nil {
		t.dropTrouble(i)
	}
	changed := f.suspect
	f.suspect, f.doubt = false, false
	t.known.changes++
	if found.err != nil {
		t.addTrouble(i, &trouble{kind: ErrMissing})
		return
	}
	if t.own != nil && (found.state != final || found.stamp.size != t.info.Files[i].Length) {
		kind := ErrChanged
		if found.state != final {
			kind = ErrMissing
		}
		t.addTrouble(i, &trouble{kind: kind, seen: found.stamp})
		return
	}
	like, anew := compareStamps(f.stamp, found.stamp), f.stamp != (stamp{}) && writtenAnew(f.stamp, found.stamp)
	his := f.state == users
	f.state, f.stamp = found.state, found.stamp
	if t.own == nil && t.info.Files[i].Length == 0 {
		f.created = f.created && found.state == final && !anew
		return
	}
	t.known.clipped.unsetSpan(s)
	switch {
	case t.own != nil:
	case found.state == final && (changed || like != sameFile):
		// It may be the user's by now. If only the change time is another, what is
		// right of it tells.
		f.created = f.created && !anew
		t.takeUser(i, t.layout.names[i].final).synced = false
	case found.state == users:
		f.created = f.created && his && !anew
		u := t.takeUser(i, found.name)
		u.settled, u.synced, u.lost = false, false, false
	case t.users.of(i) != nil:
		t.userGone(i)
	}
	if f.state == absent {
		f.created = f.created && his
		t.known.lose(s)
		return
	}
	t.known.reverify(s)
	t.adopt(i)
}

// writtenAnew tells whether somebody has written a file, or put another in its
// place, since it had the first stamp. A chmod has not.
func writtenAnew(was, now stamp) bool {
	return compareStamps(was, now) == otherFile || was.inode != 0 && now.inode != 0 && was.inode != now.inode
}

// fileFound is a file as it is on disk.
type fileFound struct {
	state uint8
	name  string
	stamp stamp
	err   error // the disk did not tell
}

// find looks for the file that entry i was, or else may be now. Under a part name
// it is only looked for if that was recorded to be ours, and what has the final
// name without that is the user's.
func (t *Transfer) find(i int) fileFound {
	t.mu.Lock()
	names, state, created, naming, was := t.layout.names[i], t.files[i].state, t.files[i].created, t.files[i].naming, t.files[i].stamp
	t.mu.Unlock()
	type try struct {
		name  string
		state uint8
	}
	var tries []try
	switch {
	case t.own != nil || state == final:
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
		fi, err := t.stat(x.name)
		switch {
		case err == nil && fi.Mode().IsRegular():
			found := fileFound{state: x.state, name: x.name, stamp: stampOf(fi)}
			// A rename that the process did not live to record.
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
