package storage

import (
	"context"
	"log/slog"
	"sync"
)

// Transfer is the content of one torrent on disk. It coordinates the parts that
// the package comment lists: what is read, written, synced and recorded, and in
// which order. Its methods are safe for concurrent use.
//
// Completion, MarkComplete and MarkNotComplete touch memory only: the peer
// protocol may call them with locks held. What is Own refuses every write.
type Transfer struct {
	memory
	verifier
	store *Store
	log   *slog.Logger
	job   job

	naming naming
	opened openFiles
	faults faults
	syncs  syncer
	watch  watcher
	reader reader

	batching sync.Mutex // held through a batch: one at a time, records in order
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
	t.opened.closeAll()
	// What could not be synced even now must be known the next time.
	err = cmpErr(err, t.unrecordNow())
	t.store.release(t)
	return err
}
