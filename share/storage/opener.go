package storage

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// opener fills memory when a transfer is opened: from its record, and from what is
// on the disk. Nothing else uses the transfer meanwhile.
type opener struct {
	*memory
	store  *Store
	watch  *watcher
	faults *faults
}

// plan chooses the names of a new transfer and takes in the files that are already
// there.
func (o *opener) plan(spec Spec, left *Record) {
	if o.own != nil {
		o.planOwn(spec.Own)
		return
	}
	mine := o.goOn(left, spec)
	if mine == nil {
		c := chooser{
			info: o.info, disk: o.disk, dir: o.dir, adopt: spec.Adopt,
			claimed: o.store.claimed, within: o.store.within,
			taken: func(path string) bool { return o.store.claimed(path) || spec.Taken != nil && spec.Taken(path) },
		}
		o.layout = c.layout()
	}
	o.layout.adopt = spec.Adopt
	if o.layout.base != "" {
		fi, err := o.statFolder()
		o.made = err == nil && fi.IsDir()
		o.found = o.made && (mine == nil || mine.found)
		if !o.made {
			return
		}
	}
	if mine != nil {
		o.takeLeft(mine)
	}
	for i := range o.files {
		if o.onDisk(i) && o.info.Files[i].Length > 0 && o.files[i].state == absent {
			o.takeFound(i)
		}
	}
	o.unknownOnlyWhereData()
}

// planOwn takes the user's files as they were hashed for sharing.
func (o *opener) planOwn(own *Own) {
	sources := own.Sources
	o.layout = &layout{own: true, names: make([]diskName, len(o.files))}
	for i := range o.files {
		f := &o.info.Files[i]
		if !o.onDisk(i) {
			continue
		}
		name := defaultName(f)
		if i < len(sources) && sources[i].Path != "" {
			name = path.Clean(sources[i].Path)
		}
		if !o.info.Multi {
			name = filepath.Base(o.own.Path)
		}
		o.layout.names[i].final = name
		st := &o.files[i]
		st.state = final
		if i < len(sources) && sources[i].Info != nil {
			st.stamp = stampOf(sources[i].Info)
			s := o.pieces(i)
			o.known.have.setSpan(s)
			o.known.recorded.setSpan(s)
			st.doubt = settled(st.stamp.ctime, sources[i].Read) > 0
		} else if found := o.watch.find(i); found.state == final {
			o.rehash(i, found.stamp)
			st.suspect = false
		} else if found.state == absent && f.Length == 0 && own.Foreign {
			st.state = absent
		}
	}
	o.compare()
}

// takeBare sees to the pieces without a byte of a file: of a share that was just hashed
// they are right, and anywhere else nothing has to be fetched to find that out.
func (o *opener) takeBare(spec Spec) {
	for _, s := range o.bare() {
		if o.own != nil && len(spec.Own.Sources) > 0 {
			o.known.have.setSpan(s)
			o.known.recorded.setSpan(s)
		} else {
			o.known.reverify(s)
		}
	}
}

// isLeft tells whether a record is of a removed transfer that has left unfinished
// files.
func isLeft(rec *Record, info *metainfo.Info) bool {
	l, err := decodeLayout(rec.Layout, info)
	return err == nil && l.left != ""
}

// goOn takes the names of a removed transfer that has left files in the same
// folder, unless another transfer has them by now. It returns nil if there is none.
func (o *opener) goOn(left *Record, spec Spec) *progress {
	if left == nil {
		return nil
	}
	l, err := decodeLayout(left.Layout, o.info)
	if err != nil || l.left != o.dir || l.own {
		return nil
	}
	p, err := decodeProgress(left.Progress, o.info)
	if err != nil {
		return nil
	}
	l.left = ""
	for i := range l.names {
		l.names[i].user = ""
	}
	o.layout = l
	path := o.Path()
	if o.store.claimed(path) || spec.Taken != nil && spec.Taken(path) {
		o.layout = nil
		return nil
	}
	return p
}

// takeLeft takes the unfinished files of a removed transfer.
func (o *opener) takeLeft(p *progress) {
	for _, r := range p.files {
		if !o.onDisk(r.index) || r.state != partial || !r.created {
			continue
		}
		fi, err := o.stat(o.layout.names[r.index].part)
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		f := &o.files[r.index]
		f.state, f.created = partial, true
		o.rehash(r.index, stampOf(fi))
	}
}

// takeFound takes the user's file at the place of entry i, if there is one. All of
// it has to be hashed.
func (o *opener) takeFound(i int) {
	names := &o.layout.names[i]
	name := names.user
	if name == "" {
		name = names.final
	}
	fi, err := o.stat(name)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
		names.user = ""
		return
	}
	o.takeUser(i, name)
	o.rehash(i, stampOf(fi))
	o.files[i].suspect = false
}

// unknownOnlyWhereData makes pieces with bytes in a file that does not exist
// missing: there is nothing to hash.
func (o *opener) unknownOnlyWhereData() {
	for i := range o.files {
		if o.onDisk(i) && o.files[i].state == absent {
			o.known.unknown.unsetSpan(o.pieces(i))
		}
	}
}

// restore takes up a transfer from its record.
func (o *opener) restore(rec *Record, spec Spec) error {
	l, err := decodeLayout(rec.Layout, o.info)
	if err != nil {
		return fmt.Errorf("reading the layout: %w", err)
	}
	if l.own != (o.own != nil) {
		return errors.New("the record is of a fetch and the transfer a share, or the reverse")
	}
	p, err := decodeProgress(rec.Progress, o.info)
	if err != nil {
		return fmt.Errorf("reading the progress: %w", err)
	}
	o.layout = l
	_, gone := o.statFolder()
	for _, r := range p.files {
		if !o.onDisk(r.index) {
			return fmt.Errorf("the progress has entry %d, which is never on disk", r.index)
		}
	}
	o.made = p.made && (gone == nil || !p.recorded.empty())
	o.emptied, o.found = p.emptied, p.found
	if !p.clipped.empty() {
		o.known.clipped, o.known.parts = p.clipped, p.parts
	}
	o.known.recorded, o.known.have = p.recorded, p.recorded.clone()
	if !p.unknown.empty() {
		o.known.unknown = p.unknown
	}
	for _, r := range p.files {
		f := &o.files[r.index]
		f.state, f.stamp, f.created, f.naming, f.suspect = r.state, r.stamp, r.created, r.naming, r.suspect
		f.doubt = r.doubt
		switch {
		case o.own != nil:
		case r.state == users:
			o.restoreUser(&r)
		case r.state == absent:
			o.restoreIntent(r.index)
		}
		if r.failed {
			o.taint(r.index)
		}
	}
	o.compare()
	o.dropClips()
	o.unfinished()
	if spec.Adopt && o.own == nil && !o.layout.adopt {
		o.layout.adopt, o.relayout, o.known.stale = true, true, true
	}
	return nil
}

// dropClips makes missing what is recorded as clipped, and neither as right nor as to be
// hashed.
func (o *opener) dropClips() {
	n := o.known.unclip(Span{0, o.numPieces()}, func(p int) bool { return !o.known.have.has(p) && !o.known.unknown.has(p) })
	o.known.stale = o.known.stale || n > 0
}

// restoreUser takes up a user's file.
func (o *opener) restoreUser(r *fileRecord) {
	i := r.index
	name := o.layout.names[i].user
	if name == "" { // in records of version 1
		name = o.layout.names[i].final
	}
	u := o.takeUser(i, name)
	u.spill, u.head, u.tail = r.spill, r.head, r.tail
	u.synced = true
	if u.spill {
		fi, err := o.stat(o.layout.names[i].part)
		u.made = err == nil && fi.Mode().IsRegular()
		if !u.made && (err == nil || absentFile(err)) {
			s := o.pieces(i)
			for _, p := range []int{s.From, s.To - 1} {
				if o.users.spilled(i, p) {
					o.known.have.unset(p)
					o.known.unrecord(Span{p, p + 1})
				}
			}
			u.spill, u.head, u.tail = false, false, false
			o.known.stale = true
		}
		if u.made {
			o.markDirty(i)
		}
	}
	u.settled = o.inPlace(i) && o.known.recorded.hasAll(o.pieces(i)) && !u.head && !u.tail
}

// restoreIntent takes up an entry that was recorded as about to be made: if the
// file exists, the transfer made it.
func (o *opener) restoreIntent(i int) {
	found := o.watch.find(i)
	f := &o.files[i]
	switch {
	case found.err != nil:
		return // making the file reports the error
	case found.state == partial || found.state == final && found.stamp.size == 0:
		f.state, f.stamp = found.state, found.stamp
		if f.state == partial {
			o.rehash(i, found.stamp)
			f.suspect = false
		}
	default:
		f.created = false
	}
	o.known.stale = true
}

// compare looks at each recorded file. A file that is as it was recorded is
// trusted.
func (o *opener) compare() {
	for i := range o.files {
		f := &o.files[i]
		if f.state == absent || !o.onDisk(i) {
			continue
		}
		found := o.watch.find(i)
		fits := found.stamp.size == o.info.Files[i].Length ||
			found.state == partial && found.stamp.size < o.info.Files[i].Length
		u := o.users.of(i)
		loose := u != nil && !u.settled
		switch {
		case found.err != nil:
			o.faults.failed(opRead, i, 0, share.Wrapf("looking at %s: %w", o.name(i), found.err))
			o.addTrouble(i, &trouble{kind: ErrMissing})
		case found.state == absent && f.state == partial && !o.known.recorded.hasAny(o.pieces(i)):
			// A power cut came before its name was synced.
			f.state, f.created, f.naming, o.known.stale = absent, false, false, true
			o.known.unknown.unsetSpan(o.pieces(i))
		case found.state == absent && loose:
			o.userGone(i)
			s := o.pieces(i)
			o.known.have.unsetSpan(s)
			o.known.unrecord(s)
			o.known.unknown.unsetSpan(s)
		case found.state == absent:
			o.addTrouble(i, &trouble{kind: ErrMissing})
		case o.recognises(i, found):
			f.stamp = found.stamp
			if f.naming && found.state == final {
				f.naming, o.known.stale = false, true
			}
			if f.state == partial {
				// The name may not have been synced before the record was.
				o.noteTree(o.layout.names[i].final)
			}
			f.state = found.state
		case f.state == partial && found.state == users:
			o.takeUser(i, found.name)
			f.created, f.naming, o.known.stale = false, false, true
			o.rehash(i, found.stamp)
			f.suspect = false
		case f.state == partial && found.state == final:
			// It was renamed, and the process was killed before it recorded that.
			f.state, f.naming, f.stamp, o.known.stale = final, false, found.stamp, true
			o.noteTree(o.layout.names[i].final)
		case loose:
			o.rehash(i, found.stamp)
		case !fits:
			o.addTrouble(i, &trouble{kind: ErrChanged, seen: found.stamp})
		case found.state == f.state && f.state >= final && compareStamps(f.stamp, found.stamp) != otherFile && o.info.Files[i].Length > 0:
			o.doubtFile(i, found.stamp)
		case o.info.Files[i].Length == 0:
			f.created = f.created && !writtenAnew(f.stamp, found.stamp)
			f.stamp, o.known.stale = found.stamp, true
		default:
			f.state = found.state
			o.rehash(i, found.stamp)
		}
	}
}

// recognises tells whether file i, as it was found, is certainly what was recorded.
func (o *opener) recognises(i int, found fileFound) bool {
	f := &o.files[i]
	return o.place.compare(f.stamp, found.stamp) == sameFile && !f.doubt &&
		(f.stamp.ctime != 0 || found.stamp.ctime == 0 || o.mayAdopt(found.stamp))
}

// unfinished queues the work that a crash interrupted.
func (o *opener) unfinished() {
	for i := range o.files {
		f := &o.files[i]
		if f.state == partial && o.known.recorded.hasAll(o.pieces(i)) {
			if o.unnamed == nil {
				o.unnamed = map[int]struct{}{}
			}
			o.unnamed[i] = struct{}{}
		}
		if f.state != absent && o.known.unknown.hasAny(o.pieces(i)) {
			o.adopt(i)
		}
		// It was hashed before, and was wrong.
		if (f.suspect || o.own != nil && f.state != absent) && o.troubles.of(i) == nil && !o.known.unknown.hasAny(o.pieces(i)) && !o.known.have.hasAll(o.pieces(i)) {
			o.addTrouble(i, &trouble{kind: ErrChanged, seen: f.stamp, wrong: true})
		}
	}
}
