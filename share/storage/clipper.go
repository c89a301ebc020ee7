package storage

import (
	"context"
	"errors"
	"io/fs"
	"path"
)

// clipper deletes the part files of files that are not wanted, once the wanted
// files are complete.
//
// A piece that a wanted file shares with another one has to be fetched whole. The
// bytes of the other file are deleted at the end, so that no part file of it stays:
// the piece is clipped. It stays durable for the wanted file, whose bytes can be
// read, but it is not offered to peers. If the other file is wanted later, the
// piece is fetched again.
type clipper struct {
	*memory
	opened  *openFiles
	faults  *faults
	syncs   *syncer
	records *recorder
}

// clip deletes the part files of unwanted files that hold nothing but bytes of
// pieces of wanted files. batching is held.
func (c *clipper) clip(want func(i int) bool) error {
	if want == nil {
		return nil
	}
	names := c.chooseClipped(want)
	if len(names) == 0 {
		return nil
	}
	if err := c.records.recordIfStale(context.Background()); err != nil {
		return err
	}
	c.opening.Lock()
	d, err := c.opened.openFolder(false)
	c.opening.Unlock()
	if err != nil {
		return c.faults.failed(opWrite, -1, 0, err)
	}
	defer d.unpin()
	for i, name := range names {
		if err := d.dir.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c.faults.failed(opWrite, -1, 0, err)
		}
		c.mu.Lock()
		c.files[i].created, c.known.stale = false, true
		c.unsynced.noteDir(path.Dir(name))
		c.mu.Unlock()
	}
	if err := c.syncs.syncDirs(); err != nil {
		return err
	}
	return c.records.recordIfStale(context.Background())
}

// chooseClipped notes which pieces are clipped and returns the part files to
// delete, by entry.
func (c *clipper) chooseClipped(want func(i int) bool) map[int]string {
	c.opening.Lock()
	defer c.opening.Unlock()
	names := map[int]string{}
	for i := range c.files {
		if !c.onDisk(i) || want(i) || !c.onlyShared(i, want) {
			continue
		}
		c.opened.closeFile(i)
		c.mu.Lock()
		f := &c.files[i]
		f.state, f.stamp, f.naming = absent, stamp{}, false
		c.unsynced.drop(i)
		delete(c.unnamed, i)
		c.known.clipped = c.known.clipped.grown(c.numPieces())
		s := c.pieces(i)
		for p := s.From; p < s.To; p++ {
			switch {
			case c.known.recorded.has(p) && c.known.have.has(p):
				c.known.clipped.set(p)
			default:
				c.known.unknown.unset(p)
			}
		}
		c.known.refresh(s)
		c.known.stale = true
		names[i] = c.layout.names[i].part
		c.mu.Unlock()
	}
	c.agenda.post()
	return names
}

// onlyShared tells whether file i is an unfinished one that the transfer made, and
// every piece of it that is there is shared with a wanted file.
func (c *clipper) onlyShared(i int, want func(i int) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, s := &c.files[i], c.pieces(i)
	if f.state != partial || !f.created || c.unsynced.failed(i) {
		return false
	}
	for p := s.From; p < s.To; p++ {
		if (c.known.have.has(p) || c.known.unknown.has(p)) && !c.wantedBeside(p, i, want) {
			return false
		}
	}
	return true
}

// wantedBeside tells whether a file other than i that is wanted has a byte of piece p.
func (c *clipper) wantedBeside(p, i int, want func(int) bool) bool {
	for k := range c.filesOf(p) {
		if k != i && want(k) {
			return true
		}
	}
	return false
}
