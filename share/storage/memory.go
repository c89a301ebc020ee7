package storage

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// memory is all that is remembered of a transfer, and the changes that concern
// more than one part of it: a piece that turns out to be wrong concerns the piece,
// its file, what is in trouble and what is recorded. One mutex guards it. It is
// held for moments; nothing here reads or writes the disk.
type memory struct {
	geometry
	place
	agenda agenda
	since  int64 // what a record without change times says was so then

	mu       sync.Mutex  // guards what follows, as fileState says
	files    []fileState // as in info.Files
	closed   bool
	removed  bool // from the ledger
	made     bool // the own folder was made or found
	found    bool // the own folder was there before the transfer
	known    pieces
	unsynced unsynced
	users    userFiles
	outcomes []share.Found    // of the user's files, to be told
	unnamed  map[int]struct{} // complete files that still have their part name
	emptied  bool             // files of 0 bytes and empty folders were made, if there are any
	troubles troubles
	halt     standstill
}

// newMemory makes the memory of a transfer of which nothing is known. own is what
// the user shares, else nil; many is how many files should be synced at once.
func newMemory(info *metainfo.Info, d disk, own *Own, dir string, since int64, many int) memory {
	return memory{
		geometry: geometry{info},
		place:    place{disk: d, id: info.ID, own: own, dir: dir},
		since:    since,
		files:    make([]fileState, len(info.Files)),
		known:    newPieces(info.NumPieces),
		unsynced: newUnsynced(len(info.Files), many),
		users:    userFiles{geometry: geometry{info}},
	}
}

// fileState is one entry of the torrent.
type fileState struct {

	// Guarded by memory.mu.
	stamp   stamp
	state   uint8
	created bool // made by this transfer; of what is absent, about to be, and that is recorded
	naming  bool // recorded as about to get its final name
	suspect bool // changed while complete: not replaced unless asked to
	doubt   bool // some piece of it is in doubt
}

// name is where file i is now, below the folder. mu or opening is held.
func (m *memory) name(i int) string { return m.nameIn(i, m.files[i].state) }

// paths are those that belong to the transfer, as they are claimed.
func (m *memory) paths() []string {
	paths := []string{placeKey(m.Path())}
	if m.own == nil && m.layout.base == "" && m.layout.names[0].part != "" {
		paths = append(paths, placeKey(filepath.Join(m.dir, m.layout.names[0].part)))
	}
	return paths
}

// Path is the file or folder of the content on disk; of a single file its
// final name, also while it is incomplete.
func (m *memory) Path() string {
	if m.own != nil {
		return m.own.Path
	}
	if m.layout.base != "" {
		return filepath.Join(m.dir, m.layout.base)
	}
	return m.FilePath(0)
}

// FilePath is where file i is, or will be once complete; empty of what is
// never on disk.
func (m *memory) FilePath(i int) string {
	m.opening.Lock()
	defer m.opening.Unlock()
	if !m.onDisk(i) {
		return ""
	}
	return m.full(m.layout.names[i].final)
}

// stateOf is the state of file i.
func (m *memory) stateOf(i int) uint8 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[i].state
}

// userOf is what there is about the user's file of entry i; nil without one.
func (m *memory) userOf(i int) *userFile {
	if !m.users.any() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.of(i)
}

// readable tells whether the pieces of s are known to be right, but for a doubt.
func (m *memory) readable(s Span) (ok, doubt bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known.readable(s)
}

// isHere tells whether pieces are complete already: what comes of them once more
// is of no use, and a complete file is not written.
func (m *memory) isHere(s Span) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.closed && m.known.needless(s)
}

// inDoubt tells whether piece p is in doubt.
func (m *memory) inDoubt(p int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known.doubt.has(p)
}

// waiting tells whether piece p is held until a file is what it was, or can be
// hashed. mu is held.
func (m *memory) waiting(p int) bool {
	wait := false
	if m.known.held.has(p) {
		m.filesOf(p, func(i int) { wait = wait || m.troubles.waits(i) })
	}
	return wait
}

// amiss tells whether entry i is missing, or is not what it was, hashed or not.
// mu is held.
func (m *memory) amiss(i int) bool { return m.troubles.of(i) != nil || m.files[i].suspect }

// faultNow is Fault with mu held.
func (m *memory) faultNow() error {
	if err := m.halt.err(); err != nil || m.troubles.count() == 0 {
		return err
	}
	more := ""
	if n := m.troubles.count() - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	i, kind := m.troubles.worst()
	return diskError("%w: %s%s", kind, m.name(i), more)
}

// markDirty is wrote with mu held.
func (m *memory) markDirty(i int) {
	if m.unsynced.wrote(i) {
		// Sooner than handles have to be closed, which takes a sync of each.
		m.agenda.wantSyncNow()
	}
}

// wrote notes that file i has to be synced.
func (m *memory) wrote(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.markDirty(i)
}

// dirtyFile tells whether file i has to be synced.
func (m *memory) dirtyFile(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unsynced.dirty(i)
}

// noteTree notes every folder that name is in. mu is held.
func (m *memory) noteTree(name string) { m.unsynced.noteTree(name, m.layout.base != "") }

// adopt sees to it that file i, and its name, are synced before any piece of it
// is recorded: nobody knows whether they ever were. mu is held.
func (m *memory) adopt(i int) {
	if m.own == nil {
		m.markDirty(i)
		m.noteTree(m.name(i))
	}
}

// taint notes that file i could not be synced: no piece of it that is not
// recorded is sure to be on disk, whatever a read says, or will be by another
// sync. Nor are their neighbours, which share blocks of the disk with them. See
// docs/decisions/0003-failed-sync.md. mu is held.
func (m *memory) taint(i int) {
	m.unsynced.fail(i)
	m.markDirty(i)
	m.known.taint(m.pieces(i))
}

// addTrouble is trouble with mu held.
func (m *memory) addTrouble(i int, tr *trouble) {
	m.troubles.add(i, tr)
	s := m.pieces(i)
	m.known.hold(s)
	m.known.refresh(s)
	m.known.durableChanged()
}

// dropTrouble ends the trouble of file i. mu is held; the caller calls
// holdAgain afterwards.
func (m *memory) dropTrouble(i int) {
	m.troubles.drop(i)
	m.known.refresh(m.pieces(i))
	m.known.durableChanged()
}

// holdAgain finds out what is held. mu is held.
func (m *memory) holdAgain() {
	m.known.held, m.known.counted = nil, false
	for i := range m.troubles.files {
		m.known.hold(m.pieces(i))
	}
}

// rehash takes file i as it is now, and its pieces for unknown. mu is held.
func (m *memory) rehash(i int, now stamp) {
	f := &m.files[i]
	if f.state >= final && f.stamp != (stamp{}) && writtenAnew(f.stamp, now) {
		f.created = false // somebody else has written it
	}
	f.stamp, f.doubt = now, false
	m.known.changes++
	f.suspect = f.state == final
	if u := m.users.of(i); u != nil {
		f.suspect = u.settled
		u.settled, u.synced = false, false
	}
	if m.troubles.of(i) != nil {
		m.dropTrouble(i)
	}
	m.known.reverify(m.pieces(i))
	m.adopt(i)
}

// doubtFile takes file i as it is now, and what is known of its pieces for doubtful.
// mu is held.
func (m *memory) doubtFile(i int, now stamp) {
	f := &m.files[i]
	f.stamp, f.doubt, f.suspect = now, true, true
	m.known.changes++
	s := m.pieces(i)
	if m.troubles.of(i) != nil {
		m.dropTrouble(i)
		m.holdAgain()
	}
	m.known.doubtSpan(s, m.own != nil || f.suspect)
	if !m.known.doubt.hasAny(s) {
		f.doubt = false
		f.suspect = m.known.unknown.hasAny(s)
	}
	if u := m.users.of(i); u != nil && !u.settled {
		f.suspect = false
	}
}

// endDoubt ends the doubt about the files of piece p that have no other piece in
// doubt. mu is held.
func (m *memory) endDoubt(p int) {
	m.filesOf(p, func(i int) {
		if f := &m.files[i]; f.doubt && !m.known.doubt.hasAny(m.pieces(i)) {
			f.doubt, m.known.stale = false, true
		}
	})
}

// blame holds the complete files that a wrong piece says were changed. What the
// user has edited is not overwritten unless Recheck is called. mu is held.
func (m *memory) blame(p int) {
	m.filesOf(p, func(i int) {
		f := &m.files[i]
		if m.own == nil && !f.suspect || m.troubles.of(i) != nil {
			return
		}
		kind := ErrChanged
		if f.state == absent {
			kind = ErrMissing
		}
		m.addTrouble(i, &trouble{kind: kind, seen: f.stamp, wrong: true})
		m.agenda.wantProbe(firstPause)
	})
}

// giveUp says that piece p has to be fetched again.
func (m *memory) giveUp(p int) error {
	m.mu.Lock()
	m.known.have.unset(p)
	m.known.refresh(Span{p, p + 1})
	m.mu.Unlock()
	m.agenda.post()
	return nil
}

// takeUser makes entry i the user's file with the name given. mu is held, and
// opening unless the transfer is being opened.
func (m *memory) takeUser(i int, name string) *userFile {
	u := m.users.take(i)
	if m.layout.names[i].user != name {
		m.layout.names[i].user = name
		m.relayout, m.known.stale = true, true
	}
	m.files[i].state = users
	return u
}

// userGone notes that the user's file of entry i is not there any more. Its spill
// is a part file like any other. mu is held.
func (m *memory) userGone(i int) {
	f := &m.files[i]
	f.state, f.created, f.suspect = absent, m.users.of(i).spill, false
	if m.users.of(i).made {
		f.state, f.stamp = partial, stamp{}
		m.markDirty(i)
	}
	m.layout.names[i].user = ""
	m.relayout, m.known.stale = true, true
	m.users.drop(i)
}

// loseUser notes that the user's file of entry i changed before it was taken: it
// is somebody's who writes to it. mu is held.
func (m *memory) loseUser(i int) {
	s := m.pieces(i)
	m.users.of(i).lost = true
	m.known.lose(s)
}

// inPlace tells whether the user's file of entry i can be used where it is, if
// all of it is right. mu is held.
func (m *memory) inPlace(i int) bool {
	n := &m.layout.names[i]
	return n.user == n.final && m.files[i].stamp.size == m.info.Files[i].Length && !m.users.of(i).lost
}

// leaveUnnamed notes that entry i may be complete under its part name. mu is
// held.
func (m *memory) leaveUnnamed(i int) {
	if m.unnamed == nil {
		m.unnamed = map[int]struct{}{}
	}
	m.unnamed[i] = struct{}{}
}

// hasEmpty tells whether there is anything to make once all else is complete.
func (m *memory) hasEmpty() bool {
	for i := range m.info.Files {
		if m.info.Files[i].Length == 0 && m.onDisk(i) {
			return true
		}
	}
	return len(m.layout.folders) > 0
}

// mustFinish tells whether what has no bytes is to be made now. mu is held.
func (m *memory) mustFinish() bool {
	return m.own == nil && !m.emptied && m.known.durable().count() == m.numPieces()
}

// mayAdopt tells whether a record without change times is of the file that is
// there now: nothing happened to it since. Files are renamed within seconds of
// their last write.
func (m *memory) mayAdopt(now stamp) bool {
	const rename = time.Minute
	return now.ctime <= max(m.since, now.mtime+int64(rename))
}

// startBatch takes what is to be synced, nil when there is nothing.
func (m *memory) startBatch(healed bitmap, failures int) *batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	b := &batch{pending: m.known.pending(), healed: healed, failures: failures}
	if b.pending.empty() && m.unsynced.empty() && len(m.unnamed) == 0 && !m.known.stale && !m.mustFinish() {
		return nil
	}
	b.dirty = m.unsynced.take()
	return b
}

// endSyncs takes from pending what could not be synced.
func (m *memory) endSyncs(b *batch, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.unsynced.putBack(b.dirty) {
		if err != nil {
			b.pending.unsetSpan(m.pieces(i))
		}
	}
	m.dropTainted(b)
}

// dropTainted takes from pending what a failed sync has left in doubt. mu is
// held.
func (m *memory) dropTainted(b *batch) {
	if m.unsynced.failures != b.failures {
		b.healed = nil
	}
	tainted := m.known.tainted.clone()
	tainted.remove(b.healed)
	b.pending.remove(tainted)
}

// batch is what one sync is about.
type batch struct {
	pending  bitmap // complete pieces that are not recorded
	healed   bitmap // those of them that a failed sync had left in doubt
	dirty    []int
	failures int // unsynced.failures before anything was healed
}

// whyNot says why pieces cannot be read.
func (m *memory) whyNot(s Span) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known.held.hasAny(s) {
		if err := m.faultNow(); err != nil {
			return err
		}
	}
	return errAbsent
}

// restless is the error of a read that gave no certain result.
func (m *memory) restless(s Span) error {
	return fmt.Errorf("reading pieces %d to %d of %q: %w", s.From, s.To-1, m.info.Name, errAgain)
}

// recheckFile takes file i as it was found. mu is held.
func (m *memory) recheckFile(i int, found fileFound) {
	f := &m.files[i]
	s := m.pieces(i)
	if m.troubles.of(i) != nil {
		m.dropTrouble(i)
	}
	changed := f.suspect
	f.suspect, f.doubt = false, false
	m.known.changes++
	if found.err != nil {
		m.addTrouble(i, &trouble{kind: ErrMissing})
		return
	}
	if m.own != nil && (found.state != final || found.stamp.size != m.info.Files[i].Length) {
		kind := ErrChanged
		if found.state != final {
			kind = ErrMissing
		}
		m.addTrouble(i, &trouble{kind: kind, seen: found.stamp})
		return
	}
	like, anew := compareStamps(f.stamp, found.stamp), f.stamp != (stamp{}) && writtenAnew(f.stamp, found.stamp)
	his := f.state == users
	f.state, f.stamp = found.state, found.stamp
	if m.own == nil && m.info.Files[i].Length == 0 {
		f.created = f.created && found.state == final && !anew
		return
	}
	m.known.clipped.unsetSpan(s)
	switch {
	case m.own != nil:
	case found.state == final && (changed || like != sameFile):
		// It may be the user's by now. If only the change time is another, what is
		// right of it tells.
		f.created = f.created && !anew
		m.takeUser(i, m.layout.names[i].final).synced = false
	case found.state == users:
		f.created = f.created && his && !anew
		u := m.takeUser(i, found.name)
		u.settled, u.synced, u.lost = false, false, false
	case m.users.of(i) != nil:
		m.userGone(i)
	}
	if f.state == absent {
		f.created = f.created && his
		m.known.lose(s)
		return
	}
	m.known.reverify(s)
	m.adopt(i)
}

// takeEvent gives the event to deliver, if there is one.
func (m *memory) takeEvent() (Event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.known.event.any || m.closed {
		return Event{}, false
	}
	news := m.known.takeEvent()
	e := Event{
		Durable: news.durable,
		Refresh: news.refresh.spans(),
		Verify:  news.verify.spans(),
		Found:   m.outcomes,
		Fault:   m.faultNow(),
	}
	m.outcomes = nil
	return e, true
}
