package storage

import (
	"context"
	"fmt"
)

// stampFiles notes the stamps of files that were just synced. A complete file
// keeps the one under which it was found or renamed: its pieces were hashed after
// that. An incomplete one has that of the last write of ours.
func (t *Transfer) stampFiles(files []int) {
	for _, i := range files {
		t.mu.Lock()
		f := &t.files[i]
		name := t.name(i)
		state, known := f.state, f.stamp != (stamp{})
		t.mu.Unlock()
		if state == absent || state >= final && known {
			continue
		}
		lock := t.fileLock(i)
		lock.Lock()
		fi, err := t.stat(name)
		if err == nil && fi.Mode().IsRegular() { // else whoever reads it next will see
			now := stampOf(fi)
			t.mu.Lock()
			ours := !known || f.state != state || compareStamps(f.stamp, now) == sameFile
			if ours && f.state == state {
				f.stamp = now
			}
			t.mu.Unlock()
			if !ours {
				t.partChanged(i, now)
			}
		}
		lock.Unlock()
	}
}

// record saves what is now durable: the pieces that were so before, and those
// pending in b. t.batching is held.
func (t *Transfer) record(ctx context.Context, b *batch) error {
	t.mu.Lock()
	if t.removed {
		t.mu.Unlock()
		return ErrClosed
	}
	t.dropTainted(b)
	p := progress{made: t.made, emptied: t.emptied, found: t.found, clipped: t.known.clipped, files: t.fileRecords()}
	p.recorded, p.unknown = t.known.startSave(b.pending)
	r := Record{ID: t.info.ID, Progress: p.encode(t.info)}
	if t.relayout {
		r.Layout, t.relayout = t.layout.encode(t.info), false
	}
	t.mu.Unlock()

	err := t.store.save(ctx, r)

	t.mu.Lock()
	t.known.endSave(b.pending, err == nil)
	if err != nil {
		t.relayout = t.relayout || r.Layout != nil
		t.mu.Unlock()
		return t.failed(opRecord, -1, 0, fmt.Errorf("recording the progress of %q: %w", t.info.Name, err))
	}
	t.known.tainted.remove(b.healed)
	if !b.pending.empty() {
		t.halt.calm()
	}
	told := t.known.event.any
	t.mu.Unlock()
	if told {
		t.store.post(t)
	}
	return nil
}

// recordIfStale saves what was lost since the last save. t.batching is held.
func (t *Transfer) recordIfStale(ctx context.Context) error {
	t.mu.Lock()
	stale, failures := t.known.stale, t.unsynced.failures
	t.mu.Unlock()
	if !stale {
		return nil
	}
	return t.record(ctx, &batch{pending: newBitmap(t.numPieces()), failures: failures})
}

// unrecordNow makes the ledger forget what it should no longer have.
func (t *Transfer) unrecordNow() error {
	t.batching.Lock()
	defer t.batching.Unlock()
	return t.recordIfStale(context.Background())
}

// fileRecords describes the files that are on disk. t.mu is held.
func (t *Transfer) fileRecords() []fileRecord {
	n := 0
	for i := range t.files {
		if t.files[i].state != absent || t.files[i].created {
			n++
		}
	}
	list := make([]fileRecord, 0, n)
	for i := range t.files {
		f := &t.files[i]
		if f.state == absent && !f.created {
			continue
		}
		r := fileRecord{
			index: i, state: f.state, created: f.created, naming: f.naming, doubt: f.doubt, suspect: f.suspect, stamp: f.stamp,
			// The memory of the system, and what it has lost, outlives this process.
			failed: t.unsynced.failed(i) || t.known.tainted.hasAny(t.pieces(i)),
		}
		if u := t.users.of(i); u != nil {
			r.spill, r.head, r.tail = u.spill, u.head, u.tail
		}
		list = append(list, r)
	}
	return list
}
