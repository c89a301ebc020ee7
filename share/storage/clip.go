package storage

import (
	"context"
	"errors"
	"io/fs"
	"path"
)

// A piece that a wanted file shares with one that is not wanted has to be fetched
// whole. Once the wanted files are complete, the other's bytes are deleted, so that
// no part file of it stays: the piece is clipped. It stays durable for the wanted
// file, whose bytes can be read, but it is not offered to peers. Should the other
// file be wanted after all, the piece is fetched again.

// Select tells which files are wanted. It never waits for the disk.
func (t *Transfer) Select(want func(i int) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var again []int
	t.known.clipped.each(func(p int) bool {
		t.filesOf(p, func(i int) {
			if t.files[i].state == absent && want(i) {
				again = append(again, p)
			}
		})
		return true
	})
	for _, p := range again {
		t.known.fetchAgain(Span{p, p + 1})
	}
	if len(again) > 0 {
		t.agenda.post()
	}
}

// clip deletes the part files of files that are not wanted and have nothing but
// their share in pieces of wanted ones. batching is held.
func (t *Transfer) clip(want func(i int) bool) error {
	if want == nil {
		return nil
	}
	names := t.chooseClipped(want)
	if len(names) == 0 {
		return nil
	}
	if err := t.recordIfStale(context.Background()); err != nil {
		return err
	}
	t.opening.Lock()
	d, err := t.opened.openFolder(false)
	t.opening.Unlock()
	if err != nil {
		return t.faults.failed(opWrite, -1, 0, err)
	}
	defer d.unpin()
	for i, name := range names {
		if err := d.dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return t.faults.failed(opWrite, -1, 0, err)
		}
		t.mu.Lock()
		t.files[i].created, t.known.stale = false, true
		t.unsynced.noteDir(path.Dir(name))
		t.mu.Unlock()
	}
	if err := t.syncs.syncDirs(); err != nil {
		return err
	}
	return t.recordIfStale(context.Background())
}

// chooseClipped notes which pieces are clipped, and lists the part files to delete.
func (t *Transfer) chooseClipped(want func(i int) bool) map[int]string {
	t.opening.Lock()
	defer t.opening.Unlock()
	names := map[int]string{}
	for i := range t.files {
		if !t.onDisk(i) || want(i) || !t.onlyShared(i, want) {
			continue
		}
		t.opened.closeFile(i)
		t.mu.Lock()
		f := &t.files[i]
		f.state, f.stamp, f.naming = absent, stamp{}, false
		t.unsynced.drop(i)
		delete(t.unnamed, i)
		t.known.clipped = t.known.clipped.grown(t.numPieces())
		s := t.pieces(i)
		for p := s.From; p < s.To; p++ {
			switch {
			case t.known.recorded.has(p) && t.known.have.has(p):
				t.known.clipped.set(p)
			default:
				t.known.unknown.unset(p)
			}
		}
		t.known.refresh(s)
		t.known.stale = true
		names[i] = t.layout.names[i].part
		t.mu.Unlock()
	}
	t.agenda.post()
	return names
}

// onlyShared tells whether file i is an unfinished one of ours that has no piece of
// its own: each that is there is one of a wanted file.
func (t *Transfer) onlyShared(i int, want func(i int) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, s := &t.files[i], t.pieces(i)
	if f.state != partial || !f.created || t.unsynced.failed(i) {
		return false
	}
	for p := s.From; p < s.To; p++ {
		shared := false
		t.filesOf(p, func(k int) { shared = shared || k != i && want(k) })
		if !shared && (t.known.have.has(p) || t.known.unknown.has(p)) {
			return false
		}
	}
	return true
}
