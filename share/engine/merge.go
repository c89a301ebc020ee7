package engine

import (
	"context"
	"crypto/sha1"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// again is a second request for content that is here.
type again struct {
	FetchRequest
	t    *transfer      // that it would have made
	info *metainfo.Info // nil while not known here
}

// asked reads what merge needs of the disk.
func (e *Engine) asked(t *transfer, r FetchRequest) (again, error) {
	a := again{FetchRequest: r, t: t}
	info, err := e.infoOf(t.id)
	switch {
	case errors.Is(err, ErrStopped):
		return a, err
	case err == nil:
		a.info = info
	}
	return a, nil
}

// merge gives a second request for the same content what it wants. Its peers,
// trackers and web seeds are used from now on, also for a share. What it selects
// is fetched, too. What the user asks for takes over what others had begun; the
// place of what the user asked for before is changed when that is complete, and
// kept when it is not.
func (e *Engine) merge(t *transfer, a again) error {
	owner, err := e.leases.owner(a.Lease, a.Owner)
	if err != nil {
		return err
	}
	e.mergeSources(t, &a.t.options)
	defer func() {
		e.save(t)
		e.reconcile(t)
	}()
	user := owner == User || owner.is(ownedByCommand)
	if a.Only != "" && t.own() {
		if a.info == nil {
			return share.Errorf(share.Refused, "%q is being shared from this machine", t.name)
		}
		if err := errors.Join(checkSize(a.info, a.MaxSize), checkOnly(a.info, a.Only)); err != nil {
			return err
		}
	}
	if t.own() {
		if user && !a.Anywhere && filepath.Dir(t.path) != a.t.path {
			return share.Errorf(share.Usage, "%q is shared from this machine, from %s: it is not fetched into %s", t.name, t.path, a.t.path)
		}
		return nil
	}
	if !user {
		if a.Only != "" && t.options.Owners.byUser() {
			if a.info == nil {
				return share.Errorf(share.Refused, "%q is being fetched for the user of this node", t.name)
			}
			if err := errors.Join(checkSize(a.info, a.MaxSize), checkOnly(a.info, a.Only)); err != nil {
				return err
			}
		}
		t.options.Owners = t.options.Owners.with(owner)
		return nil
	}
	if !t.options.Owners.byUser() {
		if err := e.takeOver(t, a); err != nil {
			return err
		}
		t.options.Owners = t.options.Owners.with(owner)
		return nil
	}
	if err := e.mergeSelection(t, a); err != nil {
		return err
	}
	if !a.Anywhere && t.path != a.t.path {
		if idle := t.options.Paused || t.failure != nil; !t.done && !(idle && t.haveBytes() == 0) {
			return share.Errorf(share.Usage, "%q is being fetched into %s, and that is not complete: give --output %s, or remove %s first",
				t.name, t.path, t.path, t.id.Short())
		}
		e.moveTo(t, a.t.path)
	}
	if t.options.Owners.has(resting) {
		t.options.Owners = t.options.Owners.without(resting)
	}
	t.options.Owners = t.options.Owners.with(owner)
	if !t.done && t.options.Reason != "" && !a.Paused { // it was not the user who paused it
		t.options.Paused, t.options.Reason = false, ""
	}
	return nil
}

// mergeSources adds where else the content is to be had, and begins to use it.
func (e *Engine) mergeSources(t *transfer, more *options) {
	o := &t.options
	if trackers := appendNew(slices.Clone(o.Trackers), more.Trackers); len(trackers) != len(o.Trackers) {
		e.trackers.Remove(t.id, t.figures()) // and added again with the new ones
		o.Trackers = trackers
	}
	if seeds := appendNew(slices.Clone(o.WebSeeds), more.WebSeeds); len(seeds) != len(o.WebSeeds) {
		if l := t.live(); l != nil && !t.own() {
			e.serial.do(func() { l.net.AddWebSeeds(seeds) })
		}
		o.WebSeeds = seeds
	}
	if more.Adopt && !o.Adopt && !t.own() {
		o.Adopt = true
		if open := t.opened(); open != nil {
			e.box.run(func(ctx context.Context) func() {
				if err := open.files.Adopt(ctx); err != nil {
					e.log.Warn("completing what was there", "id", t.id.Short(), "error", err)
				}
				return nil
			})
		}
	}
	o.Peers = appendNew(slices.Clone(o.Peers), more.Peers)
	if t.kind == kindUnhashed {
		return
	}
	t.search.next, t.search.pause = e.now(), 0
	e.resolve(t)
}

// mergeSelection adds what a request selects to what is selected.
func (e *Engine) mergeSelection(t *transfer, a again) error {
	all := len(a.Files) == 0 && len(a.Link.Select) == 0
	o := &t.options
	if !t.known() || a.info == nil {
		if had := len(o.Globs) > 0 || len(o.Select) > 0; had && !all {
			o.Globs = appendNew(slices.Clone(o.Globs), a.Files)
			o.Select = append(slices.Clone(o.Select), a.Link.Select...)
		} else {
			o.Globs, o.Select = nil, nil
		}
		return nil
	}
	skip, err := selection(a.info, a.Files, a.Link.Select)
	if err != nil {
		return err
	}
	wanted := maps.Clone(o.Priorities)
	maps.DeleteFunc(wanted, func(i int, p share.Priority) bool { return p == share.Skip && skip[i] != share.Skip })
	if len(wanted) != len(o.Priorities) {
		e.setPriorities(t, a.info, wanted)
	}
	return nil
}

// setPriorities changes what of t is wanted.
func (e *Engine) setPriorities(t *transfer, info *metainfo.Info, all map[int]share.Priority) {
	for i, p := range t.options.Priorities {
		if p == share.Skip && all[i] != share.Skip {
			t.done, t.completed = false, time.Time{} // found out anew
		}
	}
	t.options.Priorities = all
	t.total = info.Size()
	for i, p := range all {
		if p == share.Skip {
			t.total -= info.Files[i].Length
		}
	}
	if o := t.opened(); o != nil {
		o.plan.setFiles(all)
		e.serial.do(o.plan.apply)
		e.lookAtProgress(t)
	}
}

// takeOver makes what others had begun to fetch the user's: where it goes, what
// of it, and how.
func (e *Engine) takeOver(t *transfer, a again) error {
	more := &a.t.options
	var skip map[int]share.Priority
	if t.known() && a.info != nil {
		var err error
		if skip, err = selection(a.info, a.Files, a.Link.Select); err != nil {
			return err
		}
	}
	o := &t.options
	o.Globs, o.Select, o.MaxSize, o.Only = more.Globs, more.Select, more.MaxSize, ""
	o.Limits, o.Goal, o.GoalDone, o.Sequential = more.Limits, more.Goal, false, more.Sequential
	o.Paused, o.Reason = more.Paused, ""
	if t.down != nil {
		t.down.Set(o.Limits.Down)
		t.up.Set(o.Limits.Up)
	}
	t.failure, t.search = nil, search{}
	if t.known() && a.info != nil {
		e.setPriorities(t, a.info, skip)
	}
	if t.path != a.t.path {
		e.moveTo(t, a.t.path)
	}
	return nil
}

// moveTo has t fetched into another folder. What is complete where it is now
// stays there and is copied; it is no concern of ours from here on.
func (e *Engine) moveTo(t *transfer, dir string) {
	if t.known() {
		t.options.From, t.options.Restart, t.wipe = t.shownPath(), true, !t.done
	}
	t.path, t.options.Root = dir, ""
	t.done, t.completed, t.options.Durable = false, time.Time{}, 0
	t.options.Lost, t.options.Damage = false, ""
	t.endStreams()
}

// startRestart forgets where the files of t were, and deletes what we made there
// that is of no use.
func (e *Engine) startRestart(t *transfer) {
	id, wipe := t.id, t.wipe
	spec := storage.Spec{Dir: filepath.Dir(t.options.From)}
	e.start(t, jobRestart, func(ctx context.Context) func() {
		if wipe {
			if _, err := e.erase(ctx, id, spec, nil, true, false, true); err != nil {
				e.log.Warn("what was begun elsewhere stays", "id", id.Short(), "error", err)
			}
		}
		err := (&ledger{e.cfg.DB, e.state.notes}).Delete(ctx, id)
		return func() {
			if err != nil {
				if ctx.Err() == nil {
					e.fail(t, share.Errorf(share.Disk, "fetching into another folder: %w", err))
				}
				return
			}
			t.options.Restart, t.options.Durable, t.wipe = false, 0, false
			e.save(t)
		}
	})
}

// startCopy takes what of t there is at another place of this machine.
func (e *Engine) startCopy(t *transfer) {
	o, info, from := t.opened(), t.info, t.options.From
	files, wanted := o.files, o.plan.wants()
	t.hashed.Store(0)
	t.toHash.Store(t.total)
	e.start(t, jobCopy, func(ctx context.Context) func() {
		n, err := copyPieces(ctx, info, files, from, wanted, func(n int64) { t.hashed.Add(n) })
		return func() {
			if t.opened() != o || t.options.From != from || ctx.Err() != nil {
				return
			}
			if err != nil {
				e.note(t, "copying from %s: %v", from, err)
			}
			e.note(t, "%d of the pieces were copied from %s", n, from)
			t.options.From = ""
			e.save(t)
			e.lookAtProgress(t)
		}
	})
}

// copyPieces copies the missing ones of the wanted pieces that are right below
// from. What is not there, or is wrong, is left to others.
func copyPieces(ctx context.Context, info *metainfo.Info, files *storage.Transfer, from string, wanted []storage.Span, did func(int64)) (n int, err error) {
	src := source{info: info, from: from}
	defer src.close()
	buf := make([]byte, info.PieceLength)
	copied, err := src.copyFiles(ctx, files, wanted)
	if err != nil {
		return 0, err
	}
	for _, s := range wanted {
		for i := s.From; i < s.To; i++ {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			size, at := info.PieceSize(i), int64(i)*info.PieceLength
			did(size)
			p := buf[:size]
			if copied[i] {
				ok, err := files.HashPiece(ctx, i)
				if err != nil {
					return n, err
				}
				if ok {
					n++
					continue
				}
			}
			if files.Durable(i) || src.read(p, at) != nil || sha1.Sum(p) != info.PieceHash(i) {
				continue
			}
			if _, err := files.WriteAt(p, at); err != nil {
				return n, err
			}
			ok, err := files.HashPiece(ctx, i)
			if err != nil {
				return n, err
			}
			if ok {
				n++
			}
		}
	}
	return n, files.Flush(ctx)
}

// MatchFolder reads the files in dir that have the names of the content, and tells
// how much of them is right. It changes nothing.
func MatchFolder(ctx context.Context, info *metainfo.Info, dir string) (m share.Match, err error) {
	src := source{info: info, from: filepath.Join(dir, info.Name)}
	defer src.close()
	there := make([]bool, len(info.Files))
	for i, f := range info.Files {
		fi, err := os.Lstat(src.name(i))
		if f.Pad || f.Symlink || err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
			continue
		}
		there[i] = true
		m.Files, m.Bytes = m.Files+1, m.Bytes+fi.Size()
	}
	buf := make([]byte, info.PieceLength)
	last, right := -1, false // the piece that was read, which files may share
	for i, f := range info.Files {
		if !there[i] {
			continue
		}
		for p := int(f.Offset / info.PieceLength); int64(p)*info.PieceLength < f.Offset+f.Length; p++ {
			if err := ctx.Err(); err != nil {
				return m, share.Errorf(share.Interrupted, "comparing with %s: %w", src.from, err)
			}
			off, b := int64(p)*info.PieceLength, buf[:info.PieceSize(p)]
			if p != last {
				last, right = p, src.read(b, off) == nil && sha1.Sum(b) == info.PieceHash(p)
			}
			if right {
				m.Right += min(off+int64(len(b)), f.Offset+f.Length) - max(off, f.Offset)
			}
		}
	}
	return m, nil
}

// source reads content by its offsets from files of its names.
type source struct {
	info *metainfo.Info
	from string
	at   int // the file that is open
	file *os.File
}

// copyFiles has the system copy whole files, all pieces of which are wanted, and
// returns these pieces. Which of them are right is not known yet.
func (s *source) copyFiles(ctx context.Context, files *storage.Transfer, wanted []storage.Span) (map[int]bool, error) {
	pieces := make(map[int]bool)
	for i, f := range s.info.Files {
		from, to := int(f.Offset/s.info.PieceLength), int((f.Offset+f.Length-1)/s.info.PieceLength)+1
		w := sort.Search(len(wanted), func(k int) bool { return wanted[k].To >= to })
		all := w < len(wanted) && wanted[w].From <= from
		if f.Length == 0 || f.Pad || !all || s.open(i) != nil {
			continue
		}
		ok, err := files.CopyIn(ctx, i, s.file)
		if err != nil {
			return nil, err
		}
		for p := from; ok && p < to; p++ {
			pieces[p] = true
		}
	}
	return pieces, nil
}

func (s *source) name(i int) string {
	if !s.info.Multi {
		return s.from
	}
	return filepath.Join(append([]string{s.from}, s.info.Files[i].Path...)...)
}

func (s *source) close() {
	if s.file != nil {
		s.file.Close()
	}
}

func (s *source) read(p []byte, off int64) error {
	for i := range s.info.Files {
		f := &s.info.Files[i]
		if f.Length == 0 || off >= f.Offset+f.Length || len(p) == 0 {
			continue
		}
		n := min(int64(len(p)), f.Offset+f.Length-off)
		if f.Pad {
			clear(p[:n])
		} else if err := s.readFile(i, p[:n], off-f.Offset); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	if len(p) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// open makes file i the one that is open.
func (s *source) open(i int) error {
	if s.file != nil && s.at == i {
		return nil
	}
	s.close()
	s.file = nil
	name := s.name(i)
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > s.info.Files[i].Length {
		return os.ErrInvalid
	}
	s.at = i
	s.file, err = os.Open(name)
	if err != nil {
		s.file = nil
	}
	return err
}

func (s *source) readFile(i int, p []byte, at int64) error {
	if err := s.open(i); err != nil {
		return err
	}
	_, err := s.file.ReadAt(p, at)
	return err
}
