package storage

import (
	"context"
	"time"
)

// job schedules the work of one transfer with the Store: batches, probes, events.
// The parts of the transfer know it only by the agenda and claims interfaces.
type job struct {
	store  *Store
	dir    string // the folder of the transfer, which decides the lane
	notify func(Event)
	work   work

	// Guarded by Store.mu.
	busy   bool     // a batch or probe is under way
	gone   bool     // the transfer was released
	claims []string // its paths, by placeKey
}

// work is the transfer as its job sees it. The Store calls it without any lock of
// its own.
type work interface {
	// batchDue syncs and records what is not yet durable.
	batchDue(ctx context.Context)
	// probe finds out whether what stopped the transfer is over.
	probe(ctx context.Context)
	// takeEvent returns the event to deliver, if there is one.
	takeEvent() (Event, bool)
}

// agenda lets a part of a transfer ask for work later. Its methods return at once
// and may be called with memory.mu held.
type agenda interface {
	// wantSync asks for a batch within batchTime, or sooner once many bytes were
	// written.
	wantSync(written int64)
	// wantSyncNow asks for a batch at once.
	wantSyncNow()
	// wantProbe asks for a probe after a while.
	wantProbe(after time.Duration)
	// post asks for the delivery of an event.
	post()
}

func (j *job) wantSync(written int64) {
	s := j.store
	s.mu.Lock()
	_, known := s.dirty[j]
	if !known {
		s.dirty[j] = s.cfg.Now()
	}
	s.unsynced += written
	full := s.unsynced >= batchBytes
	s.mu.Unlock()
	if !known || full {
		poke(s.wake)
	}
}

func (j *job) wantSyncNow() {
	s := j.store
	s.mu.Lock()
	s.dirty[j] = time.Time{}
	s.mu.Unlock()
	poke(s.wake)
}

func (j *job) wantProbe(after time.Duration) {
	s := j.store
	at := s.cfg.Now().Add(after)
	s.mu.Lock()
	if old, ok := s.probes[j]; !ok || at.Before(old) {
		s.probes[j] = at
	}
	s.mu.Unlock()
	poke(s.wake)
}

func (j *job) post() {
	if j.notify == nil {
		return
	}
	s := j.store
	s.mu.Lock()
	s.notices[j] = struct{}{}
	s.mu.Unlock()
	poke(s.wake)
}

// claimed tells whether path belongs to an open transfer.
func (j *job) claimed(path string) bool { return j.store.claimed(path) }

// claimMore adds a path to those of the transfer.
func (j *job) claimMore(path string) {
	s := j.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.gone {
		return
	}
	key := placeKey(path)
	j.claims = append(j.claims, key)
	s.places[key]++
}
