package storage

import (
	"context"
	"fmt"
)

// record saves what is now durable: the pieces that were so before, and those
// pending in b. batching is held.
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
		return t.faults.failed(opRecord, -1, 0, fmt.Errorf("recording the progress of %q: %w", t.info.Name, err))
	}
	t.known.tainted.remove(b.healed)
	if !b.pending.empty() {
		t.halt.calm()
	}
	told := t.known.event.any
	t.mu.Unlock()
	if told {
		t.agenda.post()
	}
	return nil
}

// recordIfStale saves what was lost since the last save. batching is held.
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
