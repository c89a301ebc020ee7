package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/shoalnet/shoal/share"
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
	if rec != nil {
		if err := t.restore(rec); err != nil {
			s.log.Warn("a record is of no use; the data is hashed again", "transfer", t.info.ID, "error", err)
			fresh = true
		}
	}
	if err := s.place(t, spec, fresh); err != nil {
		s.release(t)
		return nil, err
	}
	if fresh {
		err = t.recordAll(ctx)
	} else if t.stale {
		err = t.unrecordNow()
	}
	if err != nil {
		s.release(t)
		return nil, err
	}
	t.mu.Lock()
	sync, probe := len(t.dirty)+len(t.unnamed)+len(t.dirtyDirs) > 0 || t.mustFinish(), len(t.troubles) > 0
	// The client asks for every piece when it is given the transfer.
	t.event.refresh, t.event.verify = nil, nil
	t.mu.Unlock()
	if sync {
		s.wantSync(t, 0)
	}
	if probe {
		s.wantProbe(t, firstPause)
		s.post(t)
	}
	return t, nil
}

// place decides where a fresh transfer goes, and claims its paths.
func (s *Store) place(t *Transfer, spec Spec, fresh bool) error {
	if fresh {
		// Two that are placed at once must not get the same name.
		s.placing.Lock()
		defer s.placing.Unlock()
		t.plan(spec)
	}
	return s.claim(t)
}

func (s *Store) newTransfer(spec Spec) (*Transfer, error) {
	if spec.Info == nil {
		return nil, errors.New("opening a transfer without an info dictionary")
	}
	t := &Transfer{
		store:    s,
		info:     spec.Info,
		own:      spec.Own,
		dir:      spec.Dir,
		notify:   spec.Notify,
		since:    sinceOf(spec.Since),
		files:    make([]fileState, len(spec.Info.Files)),
		have:     newBitmap(spec.Info.NumPieces),
		recorded: newBitmap(spec.Info.NumPieces),
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
	return t, nil
}

// recordAll saves the record of a transfer that is opened for the first time:
// before anything has a name on disk.
func (t *Transfer) recordAll(ctx context.Context) error {
	p := progress{made: t.made, recorded: t.recorded, unknown: t.unknown, files: t.fileRecords()}
	err := t.store.save(ctx, Record{ID: t.info.ID, Layout: t.layout.encode(t.info), Progress: p.encode(t.info)})
	if err != nil {
		return diskError("recording %q: %w", t.info.Name, err)
	}
	t.stale = false
	return nil
}

// plan decides where everything goes, and takes in what is already there.
func (t *Transfer) plan(spec Spec) {
	if t.own != nil {
		t.planOwn(spec.Own.Sources)
		return
	}
	t.layout = t.choose(spec.Taken)
	if t.layout.base != "" {
		fi, err := t.store.disk.lstat(t.dir, t.layout.base, "")
		t.made = err == nil && fi.IsDir()
		if !t.made {
			return
		}
	}
	for i := range t.files {
		f := &t.files[i]
		if !t.onDisk(i) || t.info.Files[i].Length == 0 {
			continue
		}
		if found := t.find(i); found.state != absent {
			f.state = found.state
			t.rehash(i, found.stamp)
			f.foreign, f.suspect = f.state == final, false
			f.before = f.foreign
		}
	}
	t.unknownOnlyWhereData()
}

// unknownOnlyWhereData: pieces with bytes in a file that is not there need no
// hashing.
func (t *Transfer) unknownOnlyWhereData() {
	for i := range t.files {
		if t.onDisk(i) && t.files[i].state == absent {
			t.unknown.unsetSpan(t.pieces(i))
		}
	}
}

// planOwn takes the user's files as they were hashed for sharing.
func (t *Transfer) planOwn(sources []Source) {
	t.layout = &layout{own: true, names: make([]diskName, len(t.files))}
	for i := range t.files {
		f := &t.info.Files[i]
		if f.Pad || f.Symlink {
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
			t.have.setSpan(s)
			t.recorded.setSpan(s)
			st.doubt = settled(st.stamp.ctime, sources[i].Read) > 0
		} else if found := t.find(i); found.state == final {
			t.rehash(i, found.stamp)
			st.suspect = false
		}
	}
	t.compare()
}

// restore takes up a transfer as it was recorded.
func (t *Transfer) restore(rec *Record) error {
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
	_, gone := t.store.disk.lstat(t.dir, t.layout.base, "")
	for _, r := range p.files {
		if !t.onDisk(r.index) {
			return fmt.Errorf("the progress has entry %d, which is never on disk", r.index)
		}
	}
	t.made = p.made && (gone == nil || !p.recorded.empty())
	t.emptied = p.emptied
	t.recorded, t.have = p.recorded, p.recorded.clone()
	if !p.unknown.empty() {
		t.unknown = p.unknown
	}
	for _, r := range p.files {
		f := &t.files[r.index]
		f.state, f.stamp, f.foreign, f.before, f.suspect = r.state, r.stamp, r.foreign, r.before, r.suspect
		f.doubt = r.doubt
		if r.failed {
			t.taint(r.index)
		}
	}
	t.compare()
	t.unfinished()
	return nil
}

// unfinished queues what a crash left undone.
func (t *Transfer) unfinished() {
	for i := range t.files {
		f := &t.files[i]
		if f.state == partial && t.recorded.hasAll(t.pieces(i)) {
			if t.unnamed == nil {
				t.unnamed = map[int]struct{}{}
			}
			t.unnamed[i] = struct{}{}
		}
		if f.state != absent && t.unknown.hasAny(t.pieces(i)) {
			t.adopt(i)
		}
		// It was hashed before, and was wrong.
		if (f.suspect || t.own != nil && f.state != absent) && t.troubles[i] == nil && !t.unknown.hasAny(t.pieces(i)) && !t.have.hasAll(t.pieces(i)) {
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
		found := t.find(i)
		fits := found.stamp.size == t.info.Files[i].Length ||
			found.state == partial && found.stamp.size < t.info.Files[i].Length
		switch {
		case found.err != nil:
			t.failed(opRead, i, 0, fmt.Errorf("looking at %s: %w", t.name(i), found.err))
			t.addTrouble(i, &trouble{kind: ErrMissing})
		case found.state == absent && f.state == partial && !t.recorded.hasAny(t.pieces(i)):
			// Its name was not synced before the power went.
			f.state = absent
			t.unknown.unsetSpan(t.pieces(i))
		case found.state == absent:
			t.addTrouble(i, &trouble{kind: ErrMissing})
		case t.recognises(i, found):
			f.stamp = found.stamp
			if f.state == partial {
				// The record may be older than the sync of its name.
				t.noteTree(t.layout.names[i].final)
			}
			f.state = found.state
		case !fits:
			t.addTrouble(i, &trouble{kind: ErrChanged, seen: found.stamp})
		case found.state == final && f.state == final && compareStamps(f.stamp, found.stamp) != otherFile:
			t.doubtFile(i, found.stamp)
		case t.info.Files[i].Length == 0:
			f.stamp = found.stamp
		default:
			f.state = found.state
			t.rehash(i, found.stamp)
		}
	}
}

// recognises tells whether file i is, as it was found, sure to be what is recorded.
func (t *Transfer) recognises(i int, found fileFound) bool {
	f := &t.files[i]
	return t.compareStamps(f.stamp, found.stamp) == sameFile && !f.doubt &&
		(f.stamp.ctime != 0 || found.stamp.ctime == 0 || t.mayAdopt(found.stamp))
}

// choose decides the names on disk.
func (t *Transfer) choose(takenBy func(string) bool) *layout {
	if takenBy == nil {
		takenBy = func(string) bool { return false }
	}
	l, info := &layout{}, t.nameable()
	top := func(name string, e entry) bool {
		p := filepath.Join(t.dir, name)
		return takenBy(p) || t.store.claimed(p) || t.occupied("", name, e)
	}
	if !info.Multi {
		l.names, _, _ = mapNames(info, false, top)
		return l
	}
	m := namer{taken: top, fold: cases.Fold()}
	l.base = m.choose(&node{}, info.Name, entry{folder: true})
	var taken occupied
	if fi, err := t.store.disk.lstat(t.dir, l.base, ""); err == nil && fi.IsDir() {
		taken = func(name string, e entry) bool { return t.occupied(l.base, name, e) }
	}
	var renamed bool
	l.names, l.folders, renamed = mapNames(info, false, taken)
	if renamed && t.keepsNamesApart() {
		l.names, l.folders, _ = mapNames(info, true, taken)
	}
	return l
}

// occupied tells whether what is on disk under a name keeps an entry from
// having it. A file of the right size does not: it may be an earlier copy, and
// is hashed before it counts. Inside what another transfer owns it does.
func (t *Transfer) occupied(base, name string, e entry) bool {
	fi, err := t.store.disk.lstat(t.dir, base, name)
	if err != nil {
		return false // nothing is made over what turns out to be there
	}
	switch {
	case t.store.within(filepath.Join(t.dir, base, name)):
		return true
	case e.folder:
		return !fi.IsDir()
	case !fi.Mode().IsRegular():
		return true
	case e.part:
		return fi.Size() > e.length
	}
	return fi.Size() != e.length
}

// keepsNamesApart tells whether the file system takes names in other letter
// case, and composed otherwise, for different ones. It is asked only for
// torrents that have such names.
func (t *Transfer) keepsNamesApart() bool {
	d, err := t.store.disk.folder(t.dir, "", false)
	if err != nil {
		return false
	}
	defer d.Close()
	name := ".shoal-\u00e9-" + rand.Text()
	h, err := d.open(name, mode{write: true, create: true})
	if err != nil {
		return false
	}
	h.Close()
	defer d.remove(name)
	for _, other := range []string{strings.ToLower(name), norm.NFD.String(name)} {
		if _, err := d.lstat(other); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
