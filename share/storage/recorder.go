package storage

import (
	"context"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// recorder saves in the ledger what memory knows: which pieces are durable, the
// state of each file, and names that changed. It saves one record at a time.
type recorder struct {
	*memory
	saver  saver
	faults *faults

	batching sync.Mutex // held through a batch: one at a time
}

// saver saves a record. The record survives a power cut once save returns.
type saver interface {
	save(ctx context.Context, r Record) error
}

// recordAll saves the first record of a transfer, before any file of it is made.
func (r *recorder) recordAll(ctx context.Context) error {
	p := progress{made: r.made, recorded: r.known.recorded, unknown: r.known.unknown, files: r.fileRecords()}
	err := r.saver.save(ctx, Record{ID: r.info.ID, Layout: r.layout.encode(r.info), Progress: p.encode(r.info)})
	if err != nil {
		return diskError("recording %q: %w", r.info.Name, err)
	}
	r.known.stale = false
	return nil
}

// record saves what is durable now: the pieces that were so before, and those
// pending in b. batching is held.
func (r *recorder) record(ctx context.Context, b *batch) error {
	r.mu.Lock()
	if r.removed {
		r.mu.Unlock()
		return ErrClosed
	}
	r.dropTainted(b)
	p := progress{made: r.made, emptied: r.emptied, found: r.found, clipped: r.known.clipped, parts: r.known.parts, files: r.fileRecords()}
	p.recorded, p.unknown = r.known.startSave(b.pending)
	rec := Record{ID: r.info.ID, Progress: p.encode(r.info)}
	if r.relayout {
		rec.Layout, r.relayout = r.layout.encode(r.info), false
	}
	r.mu.Unlock()

	err := r.saver.save(ctx, rec)

	r.mu.Lock()
	r.known.endSave(b.pending, err == nil)
	if err != nil {
		r.relayout = r.relayout || rec.Layout != nil
		r.mu.Unlock()
		return r.faults.failed(opRecord, -1, 0, share.Wrapf("recording the progress of %q: %w", r.info.Name, err))
	}
	r.known.tainted.remove(b.healed)
	if !b.pending.empty() {
		r.halt.calm()
	}
	told := r.known.event.any
	r.mu.Unlock()
	if told {
		r.agenda.post()
	}
	return nil
}

// recordNames saves the names alone. batching is held.
func (r *recorder) recordNames(ctx context.Context) error {
	r.mu.Lock()
	names := r.layout.encode(r.info)
	r.mu.Unlock()
	return r.saver.save(ctx, Record{ID: r.info.ID, Layout: names})
}

// recordIfStale saves a record if the ledger differs from memory. It adds no piece.
// batching is held.
func (r *recorder) recordIfStale(ctx context.Context) error {
	r.mu.Lock()
	stale, failures := r.known.stale, r.unsynced.failures
	r.mu.Unlock()
	if !stale {
		return nil
	}
	return r.record(ctx, &batch{pending: newBitmap(r.numPieces()), failures: failures})
}

// unrecordNow removes from the ledger what is no longer true.
func (r *recorder) unrecordNow() error {
	r.batching.Lock()
	defer r.batching.Unlock()
	return r.recordIfStale(context.Background())
}

// fileRecords describes the files that are on disk or about to be. mu is held.
func (m *memory) fileRecords() []fileRecord {
	n := 0
	for i := range m.files {
		if m.files[i].state != absent || m.files[i].created {
			n++
		}
	}
	list := make([]fileRecord, 0, n)
	for i := range m.files {
		f := &m.files[i]
		if f.state == absent && !f.created {
			continue
		}
		r := fileRecord{
			index: i, state: f.state, created: f.created, naming: f.naming, doubt: f.doubt, suspect: f.suspect, stamp: f.stamp,
			// The page cache outlives this process, and so does the loss of what
			// was in it.
			failed: m.unsynced.failed(i) || m.known.tainted.hasAny(m.pieces(i)),
		}
		if u := m.users.of(i); u != nil {
			r.spill, r.head, r.tail = u.spill, u.head, u.tail
		}
		list = append(list, r)
	}
	return list
}
