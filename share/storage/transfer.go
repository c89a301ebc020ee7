package storage

import (
	"context"
	"github.com/shoalnet/shoal/share"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Transfer is the content of one torrent on disk. Its methods are safe for
// concurrent use.
//
// Completion, MarkComplete and MarkNotComplete touch memory only: the peer
// protocol may call them with locks held. What is Own refuses every write.
type Transfer struct {
	geometry
	store  *Store
	own    *Own
	claims []string // its paths, by placeKey
	dir    string   // the folder that is opened first
	notify func(Event)

	busy bool // a batch or probe is under way; guarded by store.mu

	batching sync.Mutex // held through a batch: one at a time, records in order

	// opening is held while files and the own folder are made, renamed and
	// opened. It guards layout.names, too; names of files that are open or
	// being looked at may be read without.
	opening sync.Mutex
	layout  *layout
	folder  atomic.Pointer[handle]

	files     []fileState // as in info.Files
	fileLocks [8]sync.Mutex
	proving   sync.Mutex // held while a piece in doubt is hashed for a reader
	since     int64      // what a record without change times says was so then

	asked    sync.Once // traits is called at most once
	trait    traits
	hasUsers atomic.Int32 // len(users)

	mu        sync.Mutex // guards what follows, and the same part of files
	closed    bool
	removed   bool // from the ledger
	made      bool // the own folder was made or found
	found     bool // the own folder was there before the transfer
	relayout  bool // the layout is to be saved with the next record
	users     map[int]*userFile
	clipped   bitmap // recorded, but for bytes of files that are not wanted; see Select
	have      bitmap
	awaited   bitmap                            // see Await
	missing   int                               // no awaited piece before this one was missing when arrived last looked
	recorded  bitmap                            // these are in the ledger, and synced; have or held or unknown as they may be
	stale     bool                              // the ledger has more than recorded
	unknown   bitmap                            // have to be hashed
	doubt     bitmap                            // have to be hashed before they are served; see doubt.go
	changes   uint32                            // how often a file was taken as it was found
	began     map[int]uint32                    // changes when the hash of a piece began
	held      bitmap                            // have a file in troubles
	tainted   bitmap                            // a sync failed: to be written once more before they count
	syncLocks *[2 * syncsPerTransfer]sync.Mutex // made when first needed; see syncOpen
	sick      bool                              // some file has failed
	failures  int                               // how many syncs failed
	saving    bitmap                            // about to be in the ledger
	dirty     []int                             // files with unsynced writes
	dirtyDirs map[string]struct{}
	unread    map[int]struct{} // pieces that could not be hashed because of the disk
	unnamed   map[int]struct{} // complete files that still have their part name
	emptied   bool             // files of 0 bytes and empty folders were made, if there are any
	fault     *fault
	probing   *fault        // looks like over, but is not sure to be
	pause     time.Duration // before the next probe; 0 after a good batch
	troubles  map[int]*trouble
	firstBad  int           // the least index in troubles
	lookPause time.Duration // before the next look at them
	event     pendingEvent
	counted   bool // progress is right
	progress  Progress
}

// fileState is one entry of the torrent.
type fileState struct {
	open   atomic.Pointer[handle]
	looked atomic.Int64 // Store.clock when the file was last compared with stamp

	// Guarded by Transfer.mu.
	stamp   stamp
	writes  uint32 // counts what makes a sync necessary
	synced  uint32 // writes before the last good sync
	state   uint8
	created bool // made by this transfer; of what is absent, about to be, and that is recorded
	naming  bool // recorded as about to get its final name
	suspect bool // changed while complete: not replaced unless asked to
	queued  bool // in dirty
	failed  bool // a sync failed, and its pieces have not been written again
	doubt   bool // some piece of it is in Transfer.doubt
}

// pendingEvent is an Event in the making.
type pendingEvent struct {
	any, durable    bool
	refresh, verify bitmap
	found           []share.Found
}

// name is where file i is now, below the folder. t.mu or t.opening is held.
func (t *Transfer) name(i int) string {
	switch t.files[i].state {
	case partial:
		return t.layout.names[i].part
	case users:
		return t.layout.names[i].user
	}
	return t.layout.names[i].final
}

// paths are those that belong to t, as they are claimed.
func (t *Transfer) paths() []string {
	paths := []string{placeKey(t.Path())}
	if t.own == nil && t.layout.base == "" && t.layout.names[0].part != "" {
		paths = append(paths, placeKey(filepath.Join(t.dir, t.layout.names[0].part)))
	}
	return paths
}

// Path is the file or folder of the content on disk; of a single file its
// final name, also while it is incomplete.
func (t *Transfer) Path() string {
	if t.own != nil {
		return t.own.Path
	}
	if t.layout.base != "" {
		return filepath.Join(t.dir, t.layout.base)
	}
	return t.FilePath(0)
}

// FilePath is where file i is, or will be once complete; empty of what is
// never on disk.
func (t *Transfer) FilePath(i int) string {
	t.opening.Lock()
	defer t.opening.Unlock()
	if !t.onDisk(i) {
		return ""
	}
	return filepath.Join(t.dir, t.layout.base, filepath.FromSlash(t.layout.names[i].final))
}

// Progress counts what is durable: hashed right, on disk, and recorded so.
func (t *Transfer) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counted {
		return t.progress
	}
	d := t.durable()
	p := Progress{Pieces: d.count(), Unknown: t.unknown.count(), Doubtful: t.doubt.count()}
	p.Bytes = int64(p.Pieces) * t.info.PieceLength
	if last := t.numPieces() - 1; d.has(last) {
		p.Bytes += t.info.PieceSize(last) - t.info.PieceLength
	}
	for i := range t.info.Files {
		if t.info.Files[i].Pad {
			p.Bytes -= t.bytesIn(d, i)
		}
	}
	t.progress, t.counted = p, true
	return p
}

// durable are the pieces that are hashed right, synced and recorded. t.mu is
// held.
func (t *Transfer) durable() bitmap {
	d := t.recorded.clone()
	for i := range d {
		d[i] &= t.have[i]
	}
	d.remove(t.unknown)
	d.remove(t.held)
	d.remove(t.tainted)
	d.remove(t.doubt)
	return d
}

// Durable tells whether piece i is durable.
func (t *Transfer) Durable(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recorded.has(i) && t.have.has(i) && !t.unknown.has(i) && !t.held.has(i) && !t.tainted.has(i) && !t.doubt.has(i)
}

// DurablePieces lists the durable pieces.
func (t *Transfer) DurablePieces() []Span {
	t.mu.Lock()
	d := t.durable()
	t.mu.Unlock()
	return d.spans()
}

// FileBytes counts the durable bytes of each entry of Info.Files.
func (t *Transfer) FileBytes() []int64 {
	t.mu.Lock()
	d := t.durable()
	t.mu.Unlock()
	n := make([]int64, len(t.info.Files))
	for i := range n {
		t.mu.Lock()
		clipped := t.clipped != nil && t.files[i].state == absent
		t.mu.Unlock()
		if clipped {
			continue
		}
		n[i] = t.bytesIn(d, i)
	}
	return n
}

// changed notes what an event has to tell. t.mu is held; the caller posts.
func (t *Transfer) changed() {
	t.counted = false
	t.event.any = true
}

// refresh notes pieces whose Completion changed without the peer protocol's doing.
func (t *Transfer) refresh(s Span) {
	t.changed()
	t.event.refresh = t.event.refresh.grown(t.numPieces())
	t.event.refresh.setSpan(s)
}

// reverify makes pieces unknown. They have to be hashed.
func (t *Transfer) reverify(s Span) {
	t.refresh(s)
	t.have.unsetSpan(s)
	t.unrecord(s)
	t.doubt.unsetSpan(s)
	t.unknown = t.unknown.grown(t.numPieces())
	t.unknown.setSpan(s)
	t.event.verify = t.event.verify.grown(t.numPieces())
	t.event.verify.setSpan(s)
}

// unrecord takes pieces out of what the ledger has; it is told at the next save.
func (t *Transfer) unrecord(s Span) {
	t.clipped.unsetSpan(s)
	if t.recorded.hasAny(s) || t.saving.hasAny(s) {
		t.recorded.unsetSpan(s)
		t.stale = true
		t.counted = false
		t.event.durable = true
	}
}

// takeEvent gives the event to deliver, if there is one.
func (t *Transfer) takeEvent() (Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.event.any || t.closed {
		return Event{}, false
	}
	// What was hashed in the meantime need not be again.
	for i := range t.event.verify {
		t.event.verify[i] &= t.unknown.word(i)
	}
	e := Event{
		Durable: t.event.durable,
		Refresh: t.event.refresh.spans(),
		Verify:  t.event.verify.spans(),
		Found:   t.event.found,
		Fault:   t.faultNow(),
	}
	t.event = pendingEvent{}
	return e, true
}

// Flush syncs and records every piece that was marked complete before the call.
// Its error is that of the sync or the ledger, of kind share.Disk.
func (t *Transfer) Flush(ctx context.Context) error {
	return t.sync(ctx)
}

// Close flushes, closes the files and lets go of t. Call it after
// torrent.Torrent.Drop and without holding any lock that Notify needs; what the
// client still does with t afterwards fails with ErrClosed. A second Close does
// nothing.
func (t *Transfer) Close(ctx context.Context) error {
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return nil
	}
	err := t.sync(ctx)
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.closeFiles()
	// What could not be synced even now must be known the next time.
	err = cmpErr(err, t.unrecordNow())
	t.store.release(t)
	return err
}

// closeFiles closes whatever is open and not in use.
func (t *Transfer) closeFiles() {
	t.opening.Lock()
	defer t.opening.Unlock()
	for i := range t.files {
		t.closeFile(i)
		t.closeSpill(i)
	}
	if h := t.folder.Swap(nil); h != nil {
		t.store.handles.retire(h)
	}
}

// closeFile closes file i once nobody uses it; unsynced writes are synced, as
// the system may forget that they failed once the file is closed.
func (t *Transfer) closeFile(i int) {
	t.closeHandle(t.files[i].open.Swap(nil))
}

func (t *Transfer) closeHandle(h *handle) {
	if h == nil {
		return
	}
	if t.dirtyHandle(h) && h.pin() {
		t.syncOpen(h)
		h.unpin()
	}
	t.store.handles.retire(h)
}

// forget implements owner.
func (t *Transfer) forget(h *handle) {
	if h.dir != nil {
		t.folder.CompareAndSwap(h, nil)
		return
	}
	if u := t.userOf(h.index); u != nil {
		u.open.CompareAndSwap(h, nil)
	}
	t.files[h.index].open.CompareAndSwap(h, nil)
	if t.dirtyHandle(h) {
		t.syncOpen(h)
	}
}

// dirtyHandle implements owner.
func (t *Transfer) dirtyHandle(h *handle) bool {
	return h.file != nil && h.writable && t.dirtyFile(h.index)
}

func (t *Transfer) dirtyFile(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files[i].writes != t.files[i].synced
}
