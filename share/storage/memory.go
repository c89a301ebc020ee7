package storage

import (
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// memory holds everything that is remembered of a transfer, and makes the changes
// that concern more than one part of it: a wrong piece concerns the piece, its
// file, what is in trouble and what is recorded. One mutex guards it. It is held
// for moments; nothing here reads or writes the disk.
type memory struct {
	geometry
	place
	agenda  agenda
	layers  *metainfo.Layers
	sealing *sealing // nil of plain content
	since   int64    // until then, what a record without change times says is trusted

	mu       sync.Mutex  // guards what follows
	files    []fileState // as in info.Files
	closed   bool
	removed  bool // from the ledger
	made     bool // the own folder was made or found
	found    bool // the own folder was there before the transfer
	known    pieces
	unsynced unsynced
	users    userFiles
	outcomes []share.Found    // of the user's files, for the next event
	unnamed  map[int]struct{} // complete files that still have their part name
	emptied  bool             // files of 0 bytes and empty folders were made, if there are any
	troubles troubles
	halt     standstill
}

// newMemory makes the memory of a transfer of which nothing is known. own is what
// the user shares, or nil. many is how many files should be synced at once.
func newMemory(info *metainfo.Info, layers *metainfo.Layers, d disk, own *Own, dir string, since int64, many int) memory {
	return memory{
		geometry: geometry{info},
		place:    place{disk: d, id: info.ID, own: own, dir: dir},
		layers:   layers,
		since:    since,
		files:    make([]fileState, len(info.Files)),
		known:    newPieces(info.NumPieces),
		unsynced: newUnsynced(len(info.Files), many),
		users:    userFiles{geometry: geometry{info}},
	}
}

// fileState is what is known of one entry of the torrent. memory.mu guards it.
type fileState struct {
	stamp   stamp
	state   uint8
	created bool // made by this transfer; if absent: recorded as about to be made
	naming  bool // recorded as about to be renamed to its final name
	suspect bool // changed while complete: not replaced unless asked to
	doubt   bool // some piece of it is in doubt
}

// name returns the path of file i below the folder, by its state. mu or opening is
// held.
func (m *memory) name(i int) string { return m.nameIn(i, m.files[i].state) }

// paths returns the paths that the transfer claims.
func (m *memory) paths() []string {
	paths := []string{placeKey(m.Path())}
	if m.own == nil && m.layout.base == "" && m.layout.names[0].part != "" {
		paths = append(paths, placeKey(filepath.Join(m.dir, m.layout.names[0].part)))
	}
	return paths
}

// Path is the file or folder of the content on disk. Of a single file it is the
// final name, even while the file is incomplete.
func (m *memory) Path() string {
	if m.own != nil {
		return m.own.Path
	}
	if m.layout.base != "" {
		return filepath.Join(m.dir, m.layout.base)
	}
	return m.FilePath(0)
}

// FilePath is where file i is, or will be once it is complete. It is empty if the
// entry is never on disk.
func (m *memory) FilePath(i int) string {
	m.opening.Lock()
	defer m.opening.Unlock()
	if !m.onDisk(i) {
		return ""
	}
	return m.full(m.layout.names[i].final)
}

// Sum checks one piece whose bytes are written to it in order.
type Sum interface {
	io.Writer
	Verdict() metainfo.Verdict
}

// NewSum returns what checks piece p.
func (m *memory) NewSum(p int) Sum {
	if m.sealing != nil {
		return m.sealing.newSum(p)
	}
	return m.info.NewSum(p, m.layers)
}

// stateOf returns the state of file i.
func (m *memory) stateOf(i int) uint8 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[i].state
}

// userOf returns the user's file of entry i, or nil.
func (m *memory) userOf(i int) *userFile {
	if !m.users.any() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users.of(i)
}

// readable tells whether the pieces of s are known to be right, and whether one of
// them is in doubt.
func (m *memory) readable(s Span) (ok, doubt bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known.readable(s)
}

// lacksClipped tells whether file i has not the bytes of pieces of it that are durable, but
// clipped. mu is held.
func (m *memory) lacksClipped(i int) bool {
	return m.files[i].state < final && m.known.clipped.hasAny(m.pieces(i))
}

// wasClipped tells whether a byte of n at an offset of file i was clipped.
func (m *memory) wasClipped(i int, at int64, n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[i].state < final && m.known.clipped.hasAny(m.span(m.info.Files[i].Offset+at, int64(n)))
}

// isHere tells whether the pieces of s are complete. Blocks that come again are
// dropped: a complete file is never written.
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

// waiting tells whether piece p is held until one of its files is as it was, or can
// be hashed. mu is held.
func (m *memory) waiting(p int) bool {
	if m.known.held.has(p) {
		for i := range m.filesOf(p) {
			if m.troubles.waits(i) {
				return true
			}
		}
	}
	return false
}

// amiss tells whether entry i is missing or was changed, whether it was hashed
// since or not. mu is held.
func (m *memory) amiss(i int) bool { return m.troubles.of(i) != nil || m.files[i].suspect }

// faultNow implements Transfer.Fault. mu is held.
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

// markDirty is wrote for callers that hold mu.
func (m *memory) markDirty(i int) {
	if m.unsynced.wrote(i) {
		// Before handles have to be closed, each of which would take a sync.
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

// noteTree notes that every folder above name has to be synced. mu is held.
func (m *memory) noteTree(name string) { m.unsynced.noteTree(name, m.layout.base != "") }

// adopt makes sure that file i and its name are synced before a piece of it is
// recorded. It is for files of which it is not known whether they ever were. mu is
// held.
func (m *memory) adopt(i int) {
	if m.own == nil {
		m.markDirty(i)
		m.noteTree(m.name(i))
	}
}

// taint notes that a sync of file i failed. Pieces of it that are not recorded may
// not be on disk, whatever a read or a second sync says. Nor may their neighbours,
// which share blocks of the disk with them. See docs/decisions/0003-failed-sync.md.
// mu is held.
func (m *memory) taint(i int) {
	m.unsynced.fail(i)
	m.markDirty(i)
	m.known.taint(m.pieces(i))
}

// addTrouble notes that file i is in trouble, and holds its pieces. mu is held.
func (m *memory) addTrouble(i int, tr *trouble) {
	m.troubles.add(i, tr)
	s := m.pieces(i)
	m.known.hold(s)
	m.known.refresh(s)
	m.known.durableChanged()
}

// dropTrouble ends the trouble of file i. mu is held. The caller then calls
// holdAgain.
func (m *memory) dropTrouble(i int) {
	m.troubles.drop(i)
	m.known.refresh(m.pieces(i))
	m.known.durableChanged()
}

// holdAgain holds the pieces of the files in trouble, and no others. mu is held.
func (m *memory) holdAgain() {
	m.known.held, m.known.counted = nil, false
	for i := range m.troubles.files {
		m.known.hold(m.pieces(i))
	}
}

// rehash accepts file i as it is now; its pieces become unknown. mu is held.
func (m *memory) rehash(i int, now stamp) {
	f := &m.files[i]
	if f.state >= final && f.stamp != (stamp{}) && writtenAnew(f.stamp, now) {
		f.created = false // another program has written it
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

// fitClips is called when entry i became a file of the user's, or its part file. What is there
// of a clipped piece are the parts of whole files that were there when it was clipped. A part
// that came since was never hashed, and one that went is missing: such a piece is like others
// again. mu is held.
func (m *memory) fitClips(i int) {
	s, whole := m.pieces(i), m.files[i].state >= final
	if !m.known.clipped.hasAny(s) {
		return
	}
	for p := s.From; p < s.To; p++ {
		if parts := m.known.parts[p]; parts != nil && hasPart(parts, i) != whole {
			one := Span{p, p + 1}
			m.known.unclip(one, func(int) bool { return true })
			m.known.reverify(one)
		}
	}
}

// doubtFile accepts file i as it is now; the pieces of it that are known become
// doubtful. mu is held.
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

// endDoubt ends the doubt about each file of piece p that has no other piece in
// doubt. mu is held.
func (m *memory) endDoubt(p int) {
	for i := range m.filesOf(p) {
		if f := &m.files[i]; f.doubt && !m.known.doubt.hasAny(m.pieces(i)) {
			f.doubt, m.known.stale = false, true
		}
	}
}

// blame is called when piece p is wrong. It puts the complete files of p in trouble
// that may have been changed. A file that the user edited is not replaced before
// Recheck is called. mu is held.
func (m *memory) blame(p int) {
	for i := range m.filesOf(p) {
		f := &m.files[i]
		if m.own == nil && !f.suspect || m.troubles.of(i) != nil {
			continue
		}
		kind := ErrChanged
		if f.state == absent {
			kind = ErrMissing
		}
		m.addTrouble(i, &trouble{kind: kind, seen: f.stamp, wrong: true})
		m.agenda.wantProbe(firstPause)
	}
}

// giveUp makes piece p missing, so that it is fetched again.
func (m *memory) giveUp(p int) error {
	m.mu.Lock()
	m.known.have.unset(p)
	m.known.refresh(Span{p, p + 1})
	m.mu.Unlock()
	m.agenda.post()
	return nil
}

// takeUser makes entry i a file of the user's that has the given name. mu is held,
// and opening, except while the transfer is opened.
func (m *memory) takeUser(i int, name string) *userFile {
	u := m.users.take(i)
	if m.layout.names[i].user != name {
		m.layout.names[i].user = name
		m.relayout, m.known.stale = true, true
	}
	m.files[i].state = users
	m.fitClips(i)
	return u
}

// userGone notes that the user's file of entry i is gone. Its spill becomes an
// ordinary part file. mu is held.
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

// loseUser notes that the user's file of entry i changed before it was decided
// about: another program is writing to it. mu is held.
func (m *memory) loseUser(i int) {
	s := m.pieces(i)
	m.users.of(i).lost = true
	m.known.lose(s)
}

// inPlace tells whether the user's file of entry i can be used where it is,
// provided that all of it is right. mu is held.
func (m *memory) inPlace(i int) bool {
	n := &m.layout.names[i]
	return n.user == n.final && m.files[i].stamp.size == m.info.Files[i].Length && !m.users.of(i).lost
}

// leaveUnnamed notes that entry i may be complete and still have its part name. mu
// is held.
func (m *memory) leaveUnnamed(i int) {
	if m.unnamed == nil {
		m.unnamed = map[int]struct{}{}
	}
	m.unnamed[i] = struct{}{}
}

// hasEmpty tells whether the torrent has files of 0 bytes or empty folders.
func (m *memory) hasEmpty() bool {
	for i := range m.info.Files {
		if m.info.Files[i].Length == 0 && m.onDisk(i) {
			return true
		}
	}
	return len(m.layout.folders) > 0
}

// mustFinish tells whether files of 0 bytes and empty folders are to be made now:
// all else is durable. mu is held.
func (m *memory) mustFinish() bool {
	return m.own == nil && !m.emptied && m.known.durable().count() == m.numPieces()
}

// mayAdopt tells whether a record without change times describes the file that is
// there now, because the file has not changed since. Files are renamed within
// seconds of the last write.
func (m *memory) mayAdopt(now stamp) bool {
	const rename = time.Minute
	return now.ctime <= max(m.since, now.mtime+int64(rename))
}

// startBatch returns what is to be synced, or nil if there is nothing.
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

// endSyncs removes from pending the pieces whose files could not be synced.
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

// dropTainted removes from pending the pieces that a failed sync left in doubt. mu
// is held.
func (m *memory) dropTainted(b *batch) {
	if m.unsynced.failures != b.failures {
		b.healed = nil
	}
	tainted := m.known.tainted.clone()
	tainted.remove(b.healed)
	b.pending.remove(tainted)
}

// batch is what one sync makes durable.
type batch struct {
	pending  bitmap // complete pieces that are not recorded
	healed   bitmap // those of them that had to be written again after a failed sync
	dirty    []int
	failures int // unsynced.failures before anything was healed
}

// whyNot returns the reason why the pieces of s cannot be read.
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

// restless is the error of a read during which the file kept changing.
func (m *memory) restless(s Span) error {
	return share.Wrapf("reading pieces %d to %d of %q: %w", s.From, s.To-1, m.info.Name, errAgain)
}

// recheckFile accepts file i as it was found; its pieces become unknown. mu is
// held.
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
	switch {
	case m.own != nil:
	case found.state == final && (changed || like != sameFile):
		// It may be the user's by now. If only the change time differs, the content
		// decides.
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
		for p := s.From; p < s.To; p++ {
			if parts := m.known.parts[p]; parts == nil || hasPart(parts, i) { // or else it is in other files
				m.known.lose(Span{p, p + 1})
			}
		}
		return
	}
	m.known.reverify(s)
	m.adopt(i)
}

// takeEvent implements work.
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
