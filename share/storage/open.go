package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Open gives the transfer of s.Info, as it was left or new. It looks at the
// size and time of each file and reads none. A disk that does not answer is not
// an error but a Fault. One transfer must not be open twice.
func (s *Store) Open(ctx context.Context, spec Spec) (*Transfer, error) {
	t, err := s.newTransfer(spec)
	if err != nil {
		return nil, err
	}
	rec, err := s.cfg.Ledger.Load(ctx, t.info.ID)
	if err != nil {
		return nil, diskError("loading the record of %q: %w", t.info.Name, err)
	}
	fresh := rec == nil
	var left *Record
	if rec != nil && isLeft(rec, t.info) {
		rec, left, fresh = nil, rec, true
	}
	if rec != nil {
		if err := t.restore(rec, spec); err != nil {
			s.log.Warn("a record is of no use; the data is hashed again", "transfer", t.info.ID, "error", err)
			fresh = true
		}
	}
	if err := s.place(t, spec, fresh, left); err != nil {
		s.release(t)
		return nil, err
	}
	if fresh {
		err = t.recordAll(ctx)
	} else if t.known.stale {
		err = t.unrecordNow()
	}
	if err != nil {
		s.release(t)
		return nil, err
	}
	t.mu.Lock()
	sync, probe := !t.unsynced.empty() || len(t.unnamed) > 0 || t.mustFinish(), t.troubles.count() > 0
	// The client asks for every piece when it is given the transfer.
	t.known.event.refresh, t.known.event.verify = nil, nil
	t.mu.Unlock()
	if sync {
		t.agenda.wantSync(0)
	}
	if probe {
		t.agenda.wantProbe(firstPause)
		t.agenda.post()
	}
	return t, nil
}

// place decides where a fresh transfer goes, and claims its paths.
func (s *Store) place(t *Transfer, spec Spec, fresh bool, left *Record) error {
	if fresh {
		// Two that are placed at once must not get the same name.
		s.placing.Lock()
		defer s.placing.Unlock()
		t.plan(spec, left)
	}
	return s.claim(t)
}

func (s *Store) newTransfer(spec Spec) (*Transfer, error) {
	if spec.Info == nil {
		return nil, errors.New("opening a transfer without an info dictionary")
	}
	t := &Transfer{
		memory: newMemory(spec.Info, s.disk, spec.Own, spec.Dir, sinceOf(spec.Since), s.handles.max/2),
		store:  s,
		log:    s.log,
	}
	where := spec.Dir
	if t.own != nil {
		where = t.own.Path
		t.own = &Own{Path: filepath.Clean(where), FollowSymlinks: spec.Own.FollowSymlinks}
		t.dir = t.own.Path
		if !t.info.Multi {
			t.dir = filepath.Dir(t.own.Path)
		}
	}
	if !filepath.IsAbs(where) {
		return nil, share.Errorf(share.Usage, "the path %q is not absolute", where)
	}
	t.job = job{store: s, dir: t.dir, notify: spec.Notify, work: t}
	t.agenda = &t.job
	t.naming = naming{memory: &t.memory, claims: &t.job}
	t.opened = newOpenFiles(&t.memory, &t.naming, s.handles, &t.syncs, s.cfg.Preallocate, s.log)
	t.faults = faults{memory: &t.memory, opened: &t.opened, log: s.log}
	t.syncs = syncer{memory: &t.memory, opened: &t.opened, faults: &t.faults, width: s.syncs}
	t.watch = newWatcher(&t.memory, &t.opened, &t.faults, s.clock, s.log)
	t.reader = reader{memory: &t.memory, opened: &t.opened, watch: &t.watch}
	t.verifier = verifier{memory: &t.memory, reader: &t.reader}
	return t, nil
}

// recordAll saves the record of a transfer that is opened for the first time:
// before anything has a name on disk.
func (t *Transfer) recordAll(ctx context.Context) error {
	p := progress{made: t.made, recorded: t.known.recorded, unknown: t.known.unknown, files: t.fileRecords()}
	err := t.store.save(ctx, Record{ID: t.info.ID, Layout: t.layout.encode(t.info), Progress: p.encode(t.info)})
	if err != nil {
		return diskError("recording %q: %w", t.info.Name, err)
	}
	t.known.stale = false
	return nil
}

// plan decides where everything goes, and takes in what is already there.
func (t *Transfer) plan(spec Spec, left *Record) {
	if t.own != nil {
		t.planOwn(spec.Own.Sources)
		return
	}
	mine := t.goOn(left, spec)
	if mine == nil {
		c := chooser{
			info: t.info, disk: t.disk, dir: t.dir, adopt: spec.Adopt,
			claimed: t.store.claimed, within: t.store.within,
			taken: func(path string) bool { return t.store.claimed(path) || spec.Taken != nil && spec.Taken(path) },
		}
		t.layout = c.layout()
	}
	t.layout.adopt = spec.Adopt
	if t.layout.base != "" {
		fi, err := t.statFolder()
		t.made = err == nil && fi.IsDir()
		t.found = t.made && (mine == nil || mine.found)
		if !t.made {
			return
		}
	}
	if mine != nil {
		t.takeLeft(mine)
	}
	for i := range t.files {
		if t.onDisk(i) && t.info.Files[i].Length > 0 && t.files[i].state == absent {
			t.takeFound(i)
		}
	}
	t.unknownOnlyWhereData()
}

// isLeft tells whether a record is what a removed transfer has left.
func isLeft(rec *Record, info *metainfo.Info) bool {
	l, err := decodeLayout(rec.Layout, info)
	return err == nil && l.left != ""
}

// goOn has the transfer take up the names of a removed one that has left files in
// the same folder, unless they belong to somebody else by now. It returns nil if
// there is none.
func (t *Transfer) goOn(left *Record, spec Spec) *progress {
	if left == nil {
		return nil
	}
	l, err := decodeLayout(left.Layout, t.info)
	if err != nil || l.left != t.dir || l.own {
		return nil
	}
	p, err := decodeProgress(left.Progress, t.info)
	if err != nil {
		return nil
	}
	l.left = ""
	for i := range l.names {
		l.names[i].user = ""
	}
	t.layout = l
	path := t.Path()
	if t.store.claimed(path) || spec.Taken != nil && spec.Taken(path) {
		t.layout = nil
		return nil
	}
	return p
}

// takeLeft takes the unfinished files that a removed transfer has left.
func (t *Transfer) takeLeft(p *progress) {
	for _, r := range p.files {
		if !t.onDisk(r.index) || r.state != partial || !r.created {
			continue
		}
		fi, err := t.stat(t.layout.names[r.index].part)
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		f := &t.files[r.index]
		f.state, f.created = partial, true
		t.rehash(r.index, stampOf(fi))
	}
}

// takeFound takes the user's file that is where entry i is to be. All of it has
// to be hashed.
func (t *Transfer) takeFound(i int) {
	names := &t.layout.names[i]
	name := names.user
	if name == "" {
		name = names.final
	}
	fi, err := t.stat(name)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
		names.user = ""
		return
	}
	t.takeUser(i, name)
	t.rehash(i, stampOf(fi))
	t.files[i].suspect = false
}

// unknownOnlyWhereData: pieces with bytes in a file that is not there need no
// hashing.
func (t *Transfer) unknownOnlyWhereData() {
	for i := range t.files {
		if t.onDisk(i) && t.files[i].state == absent {
			t.known.unknown.unsetSpan(t.pieces(i))
		}
	}
}

// planOwn takes the user's files as they were hashed for sharing.
func (t *Transfer) planOwn(sources []Source) {
	t.layout = &layout{own: true, names: make([]diskName, len(t.files))}
	for i := range t.files {
		f := &t.info.Files[i]
		if !t.onDisk(i) {
			continue
		}
		name := defaultName(f)
		if i < len(sources) && sources[i].Path != "" {
			name = path.Clean(sources[i].Path)
		}
		if !t.info.Multi {
			name = filepath.Base(t.own.Path)
		}
		t.layout.names[i].final = name
		st := &t.files[i]
		st.state = final
		if i < len(sources) && sources[i].Info != nil {
			st.stamp = stampOf(sources[i].Info)
			s := t.pieces(i)
			t.known.have.setSpan(s)
			t.known.recorded.setSpan(s)
			st.doubt = settled(st.stamp.ctime, sources[i].Read) > 0
		} else if found := t.watch.find(i); found.state == final {
			t.rehash(i, found.stamp)
			st.suspect = false
		}
	}
	t.compare()
}

// restore takes up a transfer as it was recorded.
func (t *Transfer) restore(rec *Record, spec Spec) error {
	l, err := decodeLayout(rec.Layout, t.info)
	if err != nil {
		return fmt.Errorf("reading the layout: %w", err)
	}
	if l.own != (t.own != nil) {
		return errors.New("it is of files elsewhere")
	}
	p, err := decodeProgress(rec.Progress, t.info)
	if err != nil {
		return fmt.Errorf("reading the progress: %w", err)
	}
	t.layout = l
	_, gone := t.statFolder()
	for _, r := range p.files {
		if !t.onDisk(r.index) {
			return fmt.Errorf("the progress has entry %d, which is never on disk", r.index)
		}
	}
	t.made = p.made && (gone == nil || !p.recorded.empty())
	t.emptied, t.found = p.emptied, p.found
	if !p.clipped.empty() {
		t.known.clipped = p.clipped
	}
	t.known.recorded, t.known.have = p.recorded, p.recorded.clone()
	if !p.unknown.empty() {
		t.known.unknown = p.unknown
	}
	for _, r := range p.files {
		f := &t.files[r.index]
		f.state, f.stamp, f.created, f.naming, f.suspect = r.state, r.stamp, r.created, r.naming, r.suspect
		f.doubt = r.doubt
		switch {
		case t.own != nil:
		case r.state == users:
			t.restoreUser(&r)
		case r.state == absent:
			t.restoreIntent(r.index)
		}
		if r.failed {
			t.taint(r.index)
		}
	}
	t.compare()
	t.unfinished()
	if spec.Adopt && t.own == nil && !t.layout.adopt {
		t.layout.adopt, t.relayout, t.known.stale = true, true, true
	}
	return nil
}

// restoreUser takes up a file of the user's.
func (t *Transfer) restoreUser(r *fileRecord) {
	i := r.index
	name := t.layout.names[i].user
	if name == "" { // in records of version 1
		name = t.layout.names[i].final
	}
	u := t.takeUser(i, name)
	u.spill, u.head, u.tail = r.spill, r.head, r.tail
	u.synced = true
	if u.spill {
		fi, err := t.stat(t.layout.names[i].part)
		u.made = err == nil && fi.Mode().IsRegular()
		if !u.made && (err == nil || absentFile(err)) {
			s := t.pieces(i)
			for _, p := range []int{s.From, s.To - 1} {
				if t.users.spilled(i, p) {
					t.known.have.unset(p)
					t.known.unrecord(Span{p, p + 1})
				}
			}
			u.spill, u.head, u.tail = false, false, false
			t.known.stale = true
		}
		if u.made {
			t.markDirty(i)
		}
	}
	u.settled = t.inPlace(i) && t.known.recorded.hasAll(t.pieces(i)) && !u.head && !u.tail
}

// restoreIntent takes up an entry whose file was about to be made: if it is there,
// it was.
func (t *Transfer) restoreIntent(i int) {
	found := t.watch.find(i)
	f := &t.files[i]
	switch {
	case found.err != nil:
		return // whoever makes it will see
	case found.state == partial || found.state == final && found.stamp.size == 0:
		f.state, f.stamp = found.state, found.stamp
		if f.state == partial {
			t.rehash(i, found.stamp)
			f.suspect = false
		}
	default:
		f.created = false
	}
	t.known.stale = true
}

// unfinished queues what a crash left undone.
func (t *Transfer) unfinished() {
	for i := range t.files {
		f := &t.files[i]
		if f.state == partial && t.known.recorded.hasAll(t.pieces(i)) {
			if t.unnamed == nil {
				t.unnamed = map[int]struct{}{}
			}
			t.unnamed[i] = struct{}{}
		}
		if f.state != absent && t.known.unknown.hasAny(t.pieces(i)) {
			t.adopt(i)
		}
		// It was hashed before, and was wrong.
		if (f.suspect || t.own != nil && f.state != absent) && t.troubles.of(i) == nil && !t.known.unknown.hasAny(t.pieces(i)) && !t.known.have.hasAll(t.pieces(i)) {
			t.addTrouble(i, &trouble{kind: ErrChanged, seen: f.stamp, wrong: true})
		}
	}
}

// compare looks at each file that is recorded. What is as it was is trusted.
func (t *Transfer) compare() {
	for i := range t.files {
		f := &t.files[i]
		if f.state == absent || !t.onDisk(i) {
			continue
		}
		found := t.watch.find(i)
		fits := found.stamp.size == t.info.Files[i].Length ||
			found.state == partial && found.stamp.size < t.info.Files[i].Length
		u := t.users.of(i)
		loose := u != nil && !u.settled
		switch {
		case found.err != nil:
			t.faults.failed(opRead, i, 0, fmt.Errorf("looking at %s: %w", t.name(i), found.err))
			t.addTrouble(i, &trouble{kind: ErrMissing})
		case found.state == absent && f.state == partial && !t.known.recorded.hasAny(t.pieces(i)):
			// Its name was not synced before the power went.
			f.state, f.created, f.naming, t.known.stale = absent, false, false, true
			t.known.unknown.unsetSpan(t.pieces(i))
		case found.state == absent && loose:
			t.userGone(i)
			s := t.pieces(i)
			t.known.have.unsetSpan(s)
			t.known.unrecord(s)
			t.known.unknown.unsetSpan(s)
		case found.state == absent:
			t.addTrouble(i, &trouble{kind: ErrMissing})
		case t.recognises(i, found):
			f.stamp = found.stamp
			if f.naming && found.state == final {
				f.naming, t.known.stale = false, true
			}
			if f.state == partial {
				// The record may be older than the sync of its name.
				t.noteTree(t.layout.names[i].final)
			}
			f.state = found.state
		case f.state == partial && found.state == users:
			t.takeUser(i, found.name)
			f.created, f.naming, t.known.stale = false, false, true
			t.rehash(i, found.stamp)
			f.suspect = false
		case f.state == partial && found.state == final:
			// It was renamed, and the process did not live to record it.
			f.state, f.naming, f.stamp, t.known.stale = final, false, found.stamp, true
			t.noteTree(t.layout.names[i].final)
		case loose:
			t.rehash(i, found.stamp)
		case !fits:
			t.addTrouble(i, &trouble{kind: ErrChanged, seen: found.stamp})
		case found.state == f.state && f.state >= final && compareStamps(f.stamp, found.stamp) != otherFile && t.info.Files[i].Length > 0:
			t.doubtFile(i, found.stamp)
		case t.info.Files[i].Length == 0:
			f.created = f.created && !writtenAnew(f.stamp, found.stamp)
			f.stamp, t.known.stale = found.stamp, true
		default:
			f.state = found.state
			t.rehash(i, found.stamp)
		}
	}
}

// recognises tells whether file i is, as it was found, sure to be what is recorded.
func (t *Transfer) recognises(i int, found fileFound) bool {
	f := &t.files[i]
	return t.place.compare(f.stamp, found.stamp) == sameFile && !f.doubt &&
		(f.stamp.ctime != 0 || found.stamp.ctime == 0 || t.mayAdopt(found.stamp))
}
