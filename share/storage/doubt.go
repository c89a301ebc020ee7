package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A file is in doubt when its size and mtime are what they were, and its ctime or
// inode is not: somebody changed its mode, made a hard link, restored a backup, or
// wrote to it and put the mtime back. Its pieces are not durable until they were
// hashed again. Meanwhile they are served, each after it was hashed.

// errAgain says that what was read may not be what was hashed, and that another
// attempt can tell.
var errAgain = errors.New("the file was changed while it was read")

// serveAttempts bounds how often a block of a file that keeps changing is read.
const serveAttempts = 4

// prove hashes those pieces of s that are in doubt.
func (t *Transfer) prove(s Span) error {
	for p := s.From; p < s.To; p++ {
		if !t.inDoubt(p) {
			continue
		}
		err := func() error {
			t.proving.Lock()
			defer t.proving.Unlock()
			if !t.inDoubt(p) {
				return nil // another reader has hashed it
			}
			_, err := t.HashPiece(context.Background(), p)
			return err
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// Doubtful lists the pieces that are served, but not durable before they were
// hashed again: call HashPiece for each.
func (t *Transfer) Doubtful() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []int
	t.known.doubt.each(func(p int) bool {
		list = append(list, p)
		return true
	})
	return list
}

// begin notes that piece p is about to be hashed. What is not known of it is
// hashed no sooner than a change of its files would show.
func (t *Transfer) begin(p int) {
	t.mu.Lock()
	var ctimes []int64
	if t.known.begin(p) {
		t.filesOf(p, func(i int) {
			if t.files[i].state != absent {
				ctimes = append(ctimes, t.files[i].stamp.ctime)
			}
		})
	}
	t.mu.Unlock()
	if len(ctimes) > 0 {
		t.disk.settle(slices.Max(ctimes))
	}
}

// unchanged tells whether the file that h leads to is what was hashed, after a
// block of it was read for a peer.
func (t *Transfer) unchanged(i int, h *handle) error {
	f := &t.files[i]
	lock := t.opened.fileLock(i)
	t.mu.Lock()
	part := f.state == partial
	t.mu.Unlock()
	if part { // our own writes change it, too
		lock.Lock()
		defer lock.Unlock()
	}
	now, err := h.file.stamp()
	if err != nil {
		return t.readFailed(i, 0, err)
	}
	t.mu.Lock()
	same := f.stamp == (stamp{}) || f.stamp == now || compareStamps(f.stamp, now) == sameFile
	part = part && f.state == partial
	t.mu.Unlock()
	switch {
	case same:
		return nil
	case part:
		t.opened.partChanged(i, now)
		return errAgain
	}
	f.looked.Store(0)
	t.opened.closeFile(i)
	if err := t.look(i); err != nil {
		return err
	}
	return errAgain
}

// renewed takes the stamp of file i after a rename of our own: all but the ctime
// must be as before.
func (t *Transfer) renewed(i int, name string) error {
	fi, err := t.stat(name)
	if err != nil {
		return err
	}
	now := stampOf(fi)
	t.mu.Lock()
	was := t.files[i].stamp
	t.mu.Unlock()
	was.ctime = 0
	same := was == (stamp{}) || t.place.compare(was, now) == sameFile
	t.mu.Lock()
	defer t.mu.Unlock()
	if !same {
		t.rehash(i, now)
	}
	t.files[i].stamp = now
	return nil
}

// Look compares every complete file with what it was, and reads none. What it
// finds is in Progress and Fault afterwards. An error says that the disk did not
// tell.
func (t *Transfer) Look(ctx context.Context) error {
	for i := range t.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.mu.Lock()
		f := &t.files[i]
		skip := t.closed || !t.onDisk(i) || f.state == absent || f.stamp == (stamp{}) || t.troubles.of(i) != nil
		part := f.state == partial
		t.mu.Unlock()
		if skip {
			continue
		}
		if part {
			if err := t.lookAtPart(i); err != nil {
				return err
			}
			continue
		}
		if err := t.look(i); err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrMissing) && !errors.Is(err, errAbsent) {
			return err
		}
	}
	return nil
}

// lookAtPart is look for an incomplete file.
func (t *Transfer) lookAtPart(i int) error {
	lock := t.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	t.mu.Lock()
	f := &t.files[i]
	name, part := t.layout.names[i].part, f.state == partial
	t.mu.Unlock()
	if !part {
		return nil
	}
	fi, err := t.stat(name)
	switch {
	case err == nil && fi.Mode().IsRegular():
		t.mu.Lock()
		same := f.state != partial || compareStamps(f.stamp, stampOf(fi)) == sameFile
		t.mu.Unlock()
		if !same {
			t.opened.closeFile(i)
			t.opened.partChanged(i, stampOf(fi))
		}
		return nil
	case err == nil || kindOf(err) == ErrMissing:
		t.mu.Lock()
		part = f.state == partial // and was not renamed meanwhile
		t.mu.Unlock()
		if part {
			t.faults.trouble(i, ErrMissing, stamp{})
		}
		return nil
	}
	return err
}

// restless is the error of a read that gave no certain result.
func (t *Transfer) restless(s Span) error {
	return fmt.Errorf("reading pieces %d to %d of %q: %w", s.From, s.To-1, t.info.Name, errAgain)
}

func sinceOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}
