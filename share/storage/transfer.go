package storage

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/shoalnet/shoal/share"
)

// Transfer is the content of one torrent on disk. It is the interface of the package
// to the engine, and it coordinates the parts that the package comment lists: what
// is synced, recorded and renamed, and in which order. Its methods are safe for
// concurrent use. Their order in this file is: content in and out, what is known,
// what is requested, the end of a transfer, and calls of the Store. Verified reads
// and hashes are methods of verifier, paths are methods of memory.
//
// Completion, MarkComplete and MarkNotComplete touch memory only: the peer protocol
// may call them with locks held. A transfer that is Own refuses every write.
type Transfer struct {
	memory
	parts
	sealed *Sealed // nil of plain content
	job    job
	store  *Store
	log    *slog.Logger
}

// WriteAt writes a block from a peer.
func (t *Transfer) WriteAt(p []byte, off int64) (int, error) {
	if t.fetch == nil {
		return 0, ErrOwn
	}
	return t.fetch.writer.write(p, off)
}

// CopyIn makes entry i, which is not on disk yet, a copy of src, if the system can
// do that by itself: it shares the blocks if the file system can, and copies them
// if not. It reports whether it did; if not, the caller writes. No byte counts
// before HashPiece has read it.
func (t *Transfer) CopyIn(ctx context.Context, i int, src *os.File) (bool, error) {
	if t.fetch == nil {
		return false, nil
	}
	return t.fetch.writer.copyIn(ctx, i, src)
}

// Progress counts what is durable: hashed and right, synced, and recorded.
func (t *Transfer) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.progress(t.geometry)
}

// Durable reports whether piece i is durable.
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
	defer t.mu.Unlock()
	d := t.known.durable()
	whole := d
	if t.known.clipped != nil {
		whole = d.clone()
		whole.remove(t.known.clipped)
	}
	n := make([]int64, len(t.info.Files))
	for i := range n {
		of := d
		if t.lacksClipped(i) {
			of = whole
		}
		n[i] = t.bytesIn(of, i)
	}
	return n
}

// Completion reports whether piece p was judged, and whether it is right. A piece
// that was not judged is neither served nor requested.
func (t *Transfer) Completion(p int) (known, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.completion(p)
}

// Doubtful lists the pieces that become durable only when HashPiece has hashed them
// again. They are served meanwhile.
func (t *Transfer) Doubtful() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []int
	t.known.doubt.each(func(p int) bool {
		list = append(list, p)
		return true
	})
	return list
}

// Arrived reports whether every wanted piece is complete, durable or not.
func (t *Transfer) Arrived() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.arrived()
}

// Fault says why the transfer has stopped, or is nil. It is an error of kind
// share.Disk that wraps one of this package's errors, with a text for people. It
// ends by itself once the disk works, and Notify is called.
func (t *Transfer) Fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.faultNow()
}

// Amiss reports whether there is anything for Mend to do.
func (t *Transfer) Amiss() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.files {
		if t.amiss(i) {
			return true
		}
	}
	return false
}

// Await sets which pieces are wanted; by default all are. When the last one is
// complete it is synced at once, since no later piece could share its batch.
func (t *Transfer) Await(wanted []Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.await(wanted)
}

// Select sets which files are wanted. It never waits for the disk.
func (t *Transfer) Select(want func(i int) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var again []int
	t.known.clipped.each(func(p int) bool {
		for i := range t.filesOf(p) {
			if t.lacksClipped(i) && want(i) {
				again = append(again, p)
				break
			}
		}
		return true
	})
	for _, p := range again {
		t.known.fetchAgain(Span{p, p + 1})
	}
	if len(again) > 0 {
		t.agenda.post()
	}
}

// Adopt completes the user's files in place from now on, as Spec.Adopt does. An
// entry that already has a file of its own beside the user's keeps it.
func (t *Transfer) Adopt(ctx context.Context) error {
	t.records.batching.Lock()
	defer t.records.batching.Unlock()
	t.mu.Lock()
	if t.own != nil || t.layout.adopt || t.closed {
		t.mu.Unlock()
		return nil
	}
	t.layout.adopt, t.relayout, t.known.stale = true, true, true
	t.mu.Unlock()
	return t.records.recordIfStale(ctx)
}

// Look compares the size, times and inode of every file with the record. It reads
// no content. Progress and Fault show the result. An error means that the disk did
// not answer.
func (t *Transfer) Look(ctx context.Context) error { return t.watch.lookAtAll(ctx) }

// Recheck makes every piece whose files exist unknown, and clears the faults of
// files that were changed or are missing. Event.Verify lists the pieces to hash;
// nothing is trusted before that. Wrong or missing data is then fetched again,
// beside files that another program wrote.
func (t *Transfer) Recheck(ctx context.Context) error {
	return t.recheck(ctx, func(int) bool { return true })
}

// Mend is Recheck for only those files that are missing or were changed.
func (t *Transfer) Mend(ctx context.Context) error { return t.recheck(ctx, t.amiss) }

// recheck is Recheck for some files. It calls which with mu held.
func (t *Transfer) recheck(ctx context.Context, which func(i int) bool) error {
	t.records.batching.Lock()
	defer t.records.batching.Unlock()
	found := make(map[int]fileFound)
	t.mu.Lock()
	for i := range t.files {
		if t.onDisk(i) && which(i) {
			found[i] = fileFound{}
		}
	}
	t.mu.Unlock()
	t.opening.Lock()
	for i := range found {
		found[i] = t.watch.find(i)
	}
	_, lost := t.statFolder()
	t.opening.Unlock()
	t.mu.Lock()
	t.made = t.made && lost == nil
	for i := range t.files {
		if f, ok := found[i]; ok {
			t.recheckFile(i, f)
		}
	}
	t.holdAgain()
	t.known.counted = false
	stopped, amiss := t.halt.fault != nil, t.troubles.count() > 0
	t.mu.Unlock()
	t.opened.closeAll()
	switch {
	case stopped:
		t.agenda.wantProbe(0)
	case amiss:
		t.agenda.wantProbe(firstPause)
	}
	t.agenda.post()
	return t.records.recordIfStale(ctx)
}

// Layered requests, by Event.Verify, the hashing of pieces that are unknown but can
// now be judged, because more layers have arrived. See Spec.Layers.
func (t *Transfer) Layered() {
	t.mu.Lock()
	some := false
	t.known.unknown.each(func(p int) bool {
		if _, _, known := t.info.PieceRoot(p, t.layers); known {
			t.known.reverify(Span{p, p + 1})
			some = true
		}
		return true
	})
	t.mu.Unlock()
	if some {
		t.agenda.post()
	}
}

// Flush syncs and records every piece that was marked complete before the call. Its
// error is from the sync or the ledger, of kind share.Disk.
func (t *Transfer) Flush(ctx context.Context) error { return t.sync(ctx) }

// Finish ends a transfer of selected files: it flushes, makes the wanted files of 0
// bytes, by index in Info.Files, and the empty folders, and deletes the part files
// of files that are not wanted. Existing files with such a name are kept. A
// transfer with all pieces durable needs no Finish.
func (t *Transfer) Finish(ctx context.Context, want func(i int) bool) error {
	if err := t.sync(ctx); err != nil || t.fetch == nil {
		return err
	}
	t.records.batching.Lock()
	defer t.records.batching.Unlock()
	if err := t.fetch.publisher.makeEmpty(want); err != nil {
		return err
	}
	if err := t.fetch.clipper.clip(want); err != nil {
		return err
	}
	t.fetch.publisher.dressFolders()
	return nil
}

// Close flushes and closes the files. Call it when the peer protocol no longer uses
// t, and without a lock that Notify needs. Later calls of other methods fail with
// ErrClosed. A second Close does nothing.
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
	t.closeSealed()
	// The next process must know what could not be synced even now.
	err = cmpErr(err, t.records.unrecordNow())
	t.store.release(t)
	return err
}

// Remove closes t and deletes its record. With data it also deletes the files that
// this transfer made, if they are unchanged, and the folders that are then empty.
// Everything else stays, and so does everything in Own. It returns the files that
// stay, and why. Without data these are the unfinished files; a later transfer of
// the same content in the same folder uses them. After an error, of kind
// share.Disk, the record still exists and Remove can be called again.
func (t *Transfer) Remove(ctx context.Context, data bool) ([]share.Kept, error) {
	t.mu.Lock()
	t.closed, t.removed = true, true
	t.mu.Unlock()
	t.records.batching.Lock()
	defer t.records.batching.Unlock()
	t.opened.closeAll()
	t.closeSealed()
	t.opening.Lock()
	r := newRemover(&t.memory)
	kept, err := r.remove(data)
	t.opening.Unlock()
	if err != nil {
		return nil, diskError("deleting %s: %w", t.Path(), err)
	}
	t.store.release(t)
	if !data && len(kept) > 0 {
		if err := t.store.save(ctx, r.record()); err != nil {
			return nil, diskError("recording what is left of %q: %w", t.info.Name, err)
		}
		return kept, nil
	}
	if err := t.store.cfg.Ledger.Delete(ctx, t.info.ID); err != nil {
		return nil, diskError("forgetting %q: %w", t.info.Name, err)
	}
	return kept, nil
}

// flushTags makes durable the tags of pieces that were marked complete.
func (t *Transfer) flushTags() error {
	if t.sealing == nil {
		return nil
	}
	if err := t.sealing.tags.flush(); err != nil && !errors.Is(err, ErrClosed) {
		return t.faults.failed(opRecord, -1, 0, errTags(err))
	}
	return nil
}

// closeSealed closes what only a sealed share has.
func (t *Transfer) closeSealed() {
	if t.sealing != nil {
		t.sealing.tags.close()
		t.sealed.spool.close()
	}
}

// batchDue implements work.
func (t *Transfer) batchDue(ctx context.Context) {
	t.mu.Lock()
	stopped := t.closed || t.halt.fault != nil
	t.mu.Unlock()
	var err error
	if stopped { // the probe that ends the fault does the sync
		err = t.records.unrecordNow()
	} else {
		err = t.sync(ctx)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		t.log.Warn("cannot sync", "transfer", t.info.ID, "error", err)
	}
}

// sync makes everything durable that was marked complete before the call, and
// records it. The promise of the package rests on this order: no piece is recorded
// before each write to its files is followed by a good sync.
func (t *Transfer) sync(ctx context.Context) error {
	t.records.batching.Lock()
	defer t.records.batching.Unlock()

	t.mu.Lock()
	failures := t.unsynced.failures
	t.mu.Unlock()
	var healed bitmap
	if f := t.fetch; f != nil {
		var err error
		if healed, err = f.healer.heal(ctx, failures); err != nil {
			return err
		}
		if err := f.settler.settleUsers(ctx); err != nil {
			return err
		}
	}
	b := t.startBatch(healed, failures)
	if b == nil {
		return t.flushTags()
	}
	syncErr := t.syncs.syncFiles(b.dirty)
	t.endSyncs(b, syncErr)
	if syncErr != nil {
		// If the process is killed, the next one must know of this.
		if err := t.records.recordIfStale(ctx); err != nil {
			return cmpErr(syncErr, err)
		}
	}
	if err := t.syncs.syncDirs(); err != nil {
		return cmpErr(syncErr, err)
	}
	t.watch.stampFiles(b.dirty)
	if err := t.flushTags(); err != nil { // without them a piece could not be served
		return cmpErr(syncErr, err)
	}
	var ready []int
	if t.fetch != nil {
		ready = t.fetch.publisher.readyToName(b.pending)
	}
	if err := t.records.record(ctx, b); err != nil {
		return cmpErr(syncErr, err)
	}
	if t.fetch == nil {
		return syncErr
	}
	err := cmpErr(t.fetch.publisher.publish(ctx, ready), t.fetch.settler.dropSpills())
	return cmpErr(cmpErr(syncErr, err), t.fetch.publisher.finishIfComplete(ctx))
}

// cmpErr keeps the first error.
func cmpErr(first, err error) error {
	if first != nil {
		return first
	}
	return err
}

// probe implements work.
func (t *Transfer) probe(ctx context.Context) {
	t.watch.probeTroubles()
	t.mu.Lock()
	f := t.halt.fault
	if f == nil || t.closed {
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	p := prober{memory: &t.memory, opened: &t.opened}
	err := p.attempt(f)
	if err == nil {
		t.mu.Lock()
		t.halt.tryOut(f)
		t.mu.Unlock()
		if err := t.sync(ctx); err != nil {
			t.log.Debug("cannot sync after a fault", "transfer", t.info.ID, "error", err)
		}
		t.mu.Lock()
		over := t.halt.end() && !t.closed
		if over {
			t.known.changed()
			t.known.reverifyUnknown()
		}
		t.mu.Unlock()
		if over {
			t.log.Info("transfer goes on", "transfer", t.info.ID)
			t.agenda.wantSync(0)
			t.agenda.post()
		}
		return // a new fault asks for its own probe
	}
	t.mu.Lock()
	pause := t.halt.again()
	t.mu.Unlock()
	t.log.Debug("transfer still cannot go on", "transfer", t.info.ID, "error", err)
	t.agenda.wantProbe(pause)
}
