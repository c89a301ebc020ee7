package storage

import (
	"context"
	"github.com/shoalnet/shoal/share"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Transfer is the content of one torrent on disk. It coordinates the parts that
// the package comment lists: what is read, written, synced and recorded, and in
// which order. Its methods are safe for concurrent use.
//
// Completion, MarkComplete and MarkNotComplete touch memory only: the peer
// protocol may call them with locks held. What is Own refuses every write.
type Transfer struct {
	geometry
	place
	store  *Store
	claims []string // its paths, by placeKey
	notify func(Event)

	busy bool // a batch or probe is under way; guarded by store.mu

	batching sync.Mutex // held through a batch: one at a time, records in order

	// opening is held while files and the own folder are made, renamed and
	// opened, and with mu to change a name; see place.
	opening sync.Mutex
	folder  atomic.Pointer[handle]

	files     []fileState // as in info.Files
	fileLocks [8]sync.Mutex
	proving   sync.Mutex // held while a piece in doubt is hashed for a reader
	since     int64      // what a record without change times says was so then

	mu       sync.Mutex // guards what follows, and most of files: see doc.go
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

// fileState is one entry of the torrent.
type fileState struct {
	open   atomic.Pointer[handle]
	looked atomic.Int64 // Store.clock when the file was last compared with stamp

	// Guarded by Transfer.mu.
	stamp   stamp
	state   uint8
	created bool // made by this transfer; of what is absent, about to be, and that is recorded
	naming  bool // recorded as about to get its final name
	suspect bool // changed while complete: not replaced unless asked to
	doubt   bool // some piece of it is in doubt
}

// name is where file i is now, below the folder. t.mu or t.opening is held.
func (t *Transfer) name(i int) string { return t.nameIn(i, t.files[i].state) }

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
	return t.full(t.layout.names[i].final)
}

// Progress counts what is durable: hashed right, on disk, and recorded so.
func (t *Transfer) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.progress(t.geometry)
}

// Durable tells whether piece i is durable.
func (t *Transfer) Durable(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.isDurable(i)
}

// DurablePieces lists the durable pieces.
func (t *Transfer) DurablePieces() []Span {
	t.mu.Lock()
	d := t.known.durable()
	t.mu.Unlock()
	return d.spans()
}

// FileBytes counts the durable bytes of each entry of Info.Files.
func (t *Transfer) FileBytes() []int64 {
	t.mu.Lock()
	d := t.known.durable()
	t.mu.Unlock()
	n := make([]int64, len(t.info.Files))
	for i := range n {
		t.mu.Lock()
		clipped := t.known.clipped != nil && t.files[i].state == absent
		t.mu.Unlock()
		if clipped {
			continue
		}
		n[i] = t.bytesIn(d, i)
	}
	return n
}

// takeEvent gives the event to deliver, if there is one.
func (t *Transfer) takeEvent() (Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known.event.any || t.closed {
		return Event{}, false
	}
	news := t.known.takeEvent()
	e := Event{
		Durable: news.durable,
		Refresh: news.refresh.spans(),
		Verify:  news.verify.spans(),
		Found:   t.outcomes,
		Fault:   t.faultNow(),
	}
	t.outcomes = nil
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
	return t.unsynced.dirty(i)
}
