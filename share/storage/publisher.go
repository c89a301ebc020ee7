package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/shoalnet/shoal/share"
)

// publisher gives complete files their final names. Once all else is durable, it
// makes files of 0 bytes and empty folders. A record always tells first what is
// about to happen.
type publisher struct {
	*memory
	opened  *openFiles
	naming  *naming
	faults  *faults
	syncs   *syncer
	watch   *watcher
	records *recorder
}

// readyToName lists the files that are complete once the pieces in pending are
// recorded. It notes in memory, for that record, that they are about to be renamed.
func (p *publisher) readyToName(pending bitmap) []int {
	if p.own != nil {
		return nil
	}
	ready := p.complete(pending)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range ready {
		p.files[i].naming = true
	}
	return ready
}

// complete lists the files with a part name whose pieces are all recorded or
// pending. It looks at the files of the pieces in pending and at those that could
// not be renamed before.
func (p *publisher) complete(pending bitmap) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.known.recorded.clone()
	all.add(pending)
	all.remove(p.known.unknown)
	ready := func(i int) bool {
		f := &p.files[i]
		return f.state == partial && p.unsynced.onDisk(i) && all.hasAll(p.pieces(i)) && !p.lacksClipped(i)
	}
	var list []int
	for i := range p.unnamed {
		if ready(i) {
			list = append(list, i)
		}
	}
	at := 0
	for _, s := range pending.spans() {
		at = p.firstFile(at, int64(s.From)*p.info.PieceLength)
		for ; at < len(p.files) && p.info.Files[at].Offset < int64(s.To)*p.info.PieceLength; at++ {
			if p.onDisk(at) && p.info.Files[at].Length > 0 && ready(at) {
				list = append(list, at)
			}
		}
		at = max(0, at-1) // the last file may have pieces in the next span
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if p.unnamed == nil {
		p.unnamed = map[int]struct{}{}
	}
	for _, i := range list {
		p.unnamed[i] = struct{}{}
	}
	return list
}

// publish renames complete files to their final names. The record already tells
// that: if the process is killed after the rename, nothing else tells such a file
// from one of the user's. batching is held.
func (p *publisher) publish(ctx context.Context, ready []int) (err error) {
	var named []int
	for _, i := range ready {
		if !p.stillReady(i) {
			continue
		}
		switch e := p.rename(i); {
		case e == nil:
			named = append(named, i)
		case errors.Is(e, errGivenBack):
			p.agenda.wantSync(0)
		case err == nil:
			err = p.faults.failed(opWrite, i, 0, share.Wrapf("renaming %s: %w", p.layout.names[i].part, e))
		}
	}
	if len(named) == 0 {
		return err
	}
	if e := p.syncs.syncDirs(); e != nil {
		return cmpErr(err, e)
	}
	p.watch.stampFiles(named)
	p.mu.Lock()
	p.known.stale = true
	p.mu.Unlock()
	return cmpErr(err, p.records.recordIfStale(ctx))
}

// stillReady tells whether file i is recorded as complete and as about to be
// renamed.
func (p *publisher) stillReady(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, s := &p.files[i], p.pieces(i)
	return f.state == partial && f.naming && p.unsynced.onDisk(i) && !p.lacksClipped(i) &&
		p.known.recorded.hasAll(s) && p.known.have.hasAll(s) && !p.known.unknown.hasAny(s)
}

// rename gives file i its final name, or another one if something else has that
// name now.
func (p *publisher) rename(i int) error {
	p.opening.Lock()
	defer p.opening.Unlock()
	d, err := p.opened.openFolder(false)
	if err != nil {
		return err
	}
	defer d.unpin()
	names := &p.layout.names[i]
	if back, err := p.giveBack(d.dir, i); err != nil || back {
		return cmp.Or(err, errGivenBack)
	}
	if ours, err := p.watch.stillOurs(i); err != nil || !ours {
		return err
	}
	// Whoever compares the file with its stamp meanwhile would take the rename, which
	// changes the ctime, for somebody else's.
	lock := p.opened.fileLock(i)
	lock.Lock()
	defer lock.Unlock()
	p.dressPart(d.dir, i, names.part)
	found := false
	for {
		if names.part == names.final { // a user's file that was completed in place
			break
		}
		err = d.dir.rename(names.part, names.final)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		p.mu.Lock()
		ours := p.files[i].created
		p.mu.Unlock()
		same, e := sameContent(d.dir, names.part, names.final, p.info.Files[i].Length)
		if e != nil {
			return e
		}
		if same && ours {
			err, found = p.keepFound(d.dir, i), true
			break
		}
		if err := p.naming.nextName(i); err != nil {
			return err
		}
		if err := p.records.recordNames(context.Background()); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	p.opened.closeFile(i)
	fi, err := p.stat(names.final)
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &p.files[i]
	f.state, f.naming, f.suspect = final, false, false
	if found {
		f.stamp, f.created = stamp{}, false
		u := p.takeUser(i, names.final)
		u.synced, u.settled = true, true
	}
	delete(p.unnamed, i)
	p.unsynced.noteDir(path.Dir(names.final))
	if err == nil {
		p.watch.renewed(i, stampOf(fi))
	}
	return err
}

// errGivenBack means that a file is the user's again.
var errGivenBack = errors.New("the file is the user's")

// giveBack checks file i if it is a user's file that is completed in place. If the
// user has made it longer than it should be, it is the user's again and is not
// truncated. It tells whether it is. opening is held.
func (p *publisher) giveBack(d folder, i int) (bool, error) {
	p.mu.Lock()
	ours, name := p.files[i].created, p.layout.names[i].part
	p.mu.Unlock()
	if ours {
		return false, nil
	}
	fi, err := d.lstat(name)
	if err != nil || fi.Size() == p.info.Files[i].Length {
		return false, err
	}
	p.opened.closeFile(i)
	if err := p.naming.changePart(i); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[i].naming = false
	p.takeUser(i, name)
	p.rehash(i, stampOf(fi))
	return true, nil
}

// keepFound uses the file that already has the final name of file i, and the same
// content.
func (p *publisher) keepFound(d folder, i int) error {
	h, err := d.open(p.layout.names[i].final, mode{})
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.Sync(); err != nil {
		return err
	}
	return d.remove(p.layout.names[i].part)
}

// sameContent compares two files of a folder.
func sameContent(d folder, a, b string, size int64) (bool, error) {
	fi, err := d.lstat(b)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() != size {
		return false, err
	}
	fa, err := d.open(a, mode{})
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := d.open(b, mode{})
	if err != nil {
		return false, err
	}
	defer fb.Close()
	const step = 64 << 10
	pa, pb := make([]byte, step), make([]byte, step)
	for off := int64(0); off < size; off += step {
		n := min(step, size-off)
		if _, err := fa.ReadAt(pa[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if _, err := fb.ReadAt(pb[:n], off); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(pa[:n], pb[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// finishIfComplete makes files of 0 bytes and empty folders, once all else is
// durable.
func (p *publisher) finishIfComplete(ctx context.Context) error {
	p.mu.Lock()
	must := p.mustFinish()
	p.mu.Unlock()
	if !must {
		return nil
	}
	if p.hasEmpty() {
		if err := p.makeEmpty(nil); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.emptied, p.known.stale = true, true
	p.mu.Unlock()
	return p.records.recordIfStale(ctx)
}

// makeEmpty makes files of 0 bytes, all or the wanted ones, and empty folders.
// batching is held.
func (p *publisher) makeEmpty(want func(i int) bool) error {
	empty, err := p.intendEmpty(want)
	if err != nil {
		return p.faults.failed(opWrite, -1, 0, share.Wrapf("making the empty files of %s: %w", p.Path(), err))
	}
	var made []int
	err = func() error {
		p.opening.Lock()
		defer p.opening.Unlock()
		var d *handle
		open := func() (err error) {
			if d == nil {
				d, err = p.opened.openFolder(true)
			}
			return err
		}
		defer func() {
			if d != nil {
				d.unpin()
			}
		}()
		for _, i := range empty {
			if err := open(); err != nil {
				return err
			}
			ok, err := p.makeEmptyFile(d.dir, i)
			if err != nil {
				return err
			}
			if ok {
				made = append(made, i)
			}
		}
		for _, name := range p.layout.folders {
			if err := open(); err != nil {
				return err
			}
			if err := p.opened.makeRoom(d.dir, name+"/x"); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return p.faults.failed(opWrite, -1, 0, share.Wrapf("making the empty files of %s: %w", p.Path(), err))
	}
	if err := p.syncs.syncDirs(); err != nil {
		return err
	}
	if len(made) == 0 {
		return nil
	}
	p.watch.stampFiles(made)
	p.mu.Lock()
	p.known.stale = true
	p.mu.Unlock()
	return p.records.recordIfStale(context.Background())
}

// intendEmpty lists the files of 0 bytes to make, and records first that they are
// about to be made.
func (p *publisher) intendEmpty(want func(i int) bool) (list []int, err error) {
	for i := range p.files {
		f := &p.info.Files[i]
		if f.Length > 0 || !p.onDisk(i) || want != nil && !want(i) || p.stateOf(i) != absent {
			continue
		}
		if _, err := p.stat(p.layout.names[i].final); err == nil {
			continue // what is there is kept
		} else if !absentFile(err) {
			return nil, err
		}
		p.mu.Lock()
		if !p.files[i].created {
			p.files[i].created, p.known.stale = true, true
		}
		p.mu.Unlock()
		list = append(list, i)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, p.records.recordIfStale(context.Background())
}

// makeEmptyFile makes file i and tells whether it did. opening is held.
func (p *publisher) makeEmptyFile(d folder, i int) (bool, error) {
	name := p.layout.names[i].final
	if err := p.opened.makeRoom(d, name); err != nil {
		return false, err
	}
	h, err := d.open(name, mode{write: true, create: true, exec: p.info.Files[i].Exec})
	if errors.Is(err, fs.ErrExist) { // another program made it meanwhile
		p.mu.Lock()
		p.files[i].created, p.known.stale = false, true
		p.mu.Unlock()
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := errors.Join(h.Sync(), h.Close()); err != nil {
		return false, err
	}
	p.dressFile(d, i, name)
	p.mu.Lock()
	p.files[i].state = final
	p.mu.Unlock()
	return true, nil
}
