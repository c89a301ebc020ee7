package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"path"
	"slices"
)

// clipper deletes the part files of files that are not wanted, once the wanted
// files are complete.
//
// A piece that a wanted file shares with another one has to be fetched whole. The
// bytes of the other file are deleted at the end, so that no part file of it stays:
// the piece is clipped. It stays durable for the wanted file, whose bytes can be
// read, but it is not offered to peers. If the other file is wanted later, the
// piece is fetched again. The hash of the piece says nothing of what is left of it, so the
// parts that stay are hashed while it is whole, and right. So an unfinished file has no byte of a clipped piece, also
// when it is made again for another piece of it.
type clipper struct {
	*memory
	opened  *openFiles
	faults  *faults
	syncs   *syncer
	reader  *reader
	checks  *verifier
	records *recorder
}

// part is what is there of a clipped piece in one file. Its bytes were right when they were
// hashed.
type part struct {
	file int
	sum  [sha256.Size]byte
}

// clips are the parts of clipped pieces. A piece without parts was clipped by an earlier
// version.
type clips map[int][]part

func hasPart(parts []part, file int) bool {
	return slices.ContainsFunc(parts, func(x part) bool { return x.file == file })
}

// clip deletes the part files of unwanted files that hold nothing but bytes of
// pieces of wanted files. batching is held.
func (c *clipper) clip(want func(i int) bool) error {
	if want == nil {
		return nil
	}
	parts, err := c.hashParts(want)
	if err != nil {
		return err
	}
	names := c.chooseClipped(want, parts)
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

// hashParts hashes what will be left of the pieces that are to be clipped. A piece is hashed
// as a whole after that: a part that was changed meanwhile would be taken for what was right.
func (c *clipper) hashParts(want func(i int) bool) (clips, error) {
	all := clips{}
	chosen := c.choose(want)
	for i := range chosen {
		s := c.pieces(i)
		for p := s.From; p < s.To; p++ {
			if _, ok := all[p]; ok || !c.isWhole(p) {
				continue
			}
			parts := []part{}
			for k := range c.filesOf(p) {
				if _, ok := chosen[k]; ok || c.stateOf(k) < final {
					continue
				}
				sum, err := c.reader.sumPart(context.Background(), p, k)
				if err != nil {
					return nil, err
				}
				parts = append(parts, part{k, sum})
			}
			if right, err := c.checks.HashPiece(context.Background(), p); err != nil {
				return nil, err
			} else if right {
				all[p] = parts
			}
		}
	}
	return all, nil
}

// isWhole tells whether piece p is right and recorded, and not clipped.
func (c *clipper) isWhole(p int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.recorded.has(p) && c.known.have.has(p) && !c.known.clipped.has(p)
}

// chooseClipped notes which pieces are clipped and returns the part files to
// delete, by entry. A file of which a piece is right and has no parts stays for now.
func (c *clipper) chooseClipped(want func(i int) bool, parts clips) map[int]string {
	c.opening.Lock()
	defer c.opening.Unlock()
	names := map[int]string{}
	for i := range c.choose(want) {
		c.mu.Lock()
		ready := c.hasParts(i, parts)
		c.mu.Unlock()
		if !ready {
			continue
		}
		c.opened.closeFile(i)
		c.mu.Lock()
		f := &c.files[i]
		f.state, f.stamp, f.naming = absent, stamp{}, false
		c.unsynced.drop(i)
		delete(c.unnamed, i)
		s := c.pieces(i)
		for p := s.From; p < s.To; p++ {
			switch {
			case c.known.clipped.has(p): // for another file
			case c.known.recorded.has(p) && c.known.have.has(p):
				c.known.clip(p, parts[p])
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

// hasParts tells whether each piece of file i that is right and not clipped has its parts. mu
// is held.
func (c *clipper) hasParts(i int, parts clips) bool {
	s := c.pieces(i)
	for p := s.From; p < s.To; p++ {
		if _, ok := parts[p]; !ok && c.known.have.has(p) && !c.known.clipped.has(p) {
			return false
		}
	}
	return true
}

// choose lists the files to clip. A piece is not clipped if an unfinished file with bytes
// of it stays.
func (c *clipper) choose(want func(i int) bool) map[int]struct{} {
	chosen := map[int]struct{}{}
	for i := range c.files {
		if c.onDisk(i) && !want(i) && c.onlyShared(i, want) {
			chosen[i] = struct{}{}
		}
	}
	for again := true; again; {
		again = false
		for i := range chosen {
			if c.besideUnfinished(i, chosen) {
				delete(chosen, i)
				again = true
			}
		}
	}
	return chosen
}

// besideUnfinished tells whether an unfinished file that is not chosen has a byte of a
// piece of file i.
func (c *clipper) besideUnfinished(i int, chosen map[int]struct{}) bool {
	s := c.pieces(i)
	for p := s.From; p < s.To; p++ {
		for k := range c.filesOf(p) {
			if _, ok := chosen[k]; k != i && !ok && c.stateOf(k) == partial {
				return true
			}
		}
	}
	return false
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
