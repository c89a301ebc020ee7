package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/seal"
)

// A batch starts after batchTime or batchBytes, whichever comes first.
const (
	batchTime  = time.Second
	batchBytes = 128 << 20
)

// lanesPerDir limits how many transfers of one folder are synced or probed at once:
// a disk that hangs blocks only the transfers on it.
const lanesPerDir = 4

// Store keeps the transfers of a node. Its methods are safe for concurrent use.
type Store struct {
	cfg     Config
	log     *slog.Logger
	disk    disk
	handles *handles
	sealed  *seal.Cache // records that peers are sent
	start   time.Time
	elapsed func() time.Duration // clock
	syncs   int                  // how many files of a transfer are synced at once
	wake    chan struct{}        // buffered: wakes Run

	placing sync.Mutex // held while names are chosen and claimed

	saving sync.Mutex // held while the ledger saves
	// Guarded by queueing.
	queueing sync.Mutex
	queue    []*saveRequest

	mu        sync.Mutex // guards what follows
	closed    bool
	transfers map[share.ID]*Transfer
	places    map[string]int           // how many transfers have a path on disk
	dirty     map[*job]time.Time       // since when they have something to sync
	unsynced  int64                    // bytes written since the last batch
	probes    map[*job]time.Time       // when to probe
	notices   map[*job]struct{}        // have an Event to deliver
	lanes     map[string]chan struct{} // by job.dir

	work sync.WaitGroup // batches and probes under way
}

// New makes a Store. It starts nothing: batches, probes and events need Run.
func New(cfg Config) (*Store, error) { return newStore(cfg, system{}) }

// sealedCache is how many records of sealed shares are kept: one sealing serves the
// four blocks of a record.
const sealedCache = 64

func newStore(cfg Config, d disk) (*Store, error) {
	if cfg.Ledger == nil {
		return nil, errors.New("a store needs a ledger")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxHandles <= 0 {
		// The rest is for connections and the database.
		cfg.MaxHandles = min(systemHandles()/4, 1024)
	}
	s := &Store{
		cfg:       cfg,
		log:       cfg.Logger,
		disk:      d,
		handles:   newHandles(cfg.MaxHandles),
		sealed:    seal.NewCache(sealedCache),
		start:     cfg.Now(),
		syncs:     syncsPerTransfer,
		wake:      make(chan struct{}, 1),
		transfers: map[share.ID]*Transfer{},
		places:    map[string]int{},
		dirty:     map[*job]time.Time{},
		probes:    map[*job]time.Time{},
		notices:   map[*job]struct{}{},
		lanes:     map[string]chan struct{}{},
	}
	s.elapsed = s.clock
	return s, nil
}

// clock returns the time since the Store was made. Unlike the time of day it does
// not jump.
func (s *Store) clock() time.Duration { return s.cfg.Now().Sub(s.start) }

// Run syncs in batches, probes after faults and delivers events until ctx ends.
// Then it syncs and records what is left, and closes every file. Transfers can be
// opened before Run, but not used after it.
func (s *Store) Run(ctx context.Context) error {
	var notifier sync.WaitGroup
	notices := make(chan struct{}, 1)
	stop := make(chan struct{})
	notifier.Go(func() { s.deliver(notices, stop) })

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(s.dispatch(ctx))
		s.mu.Lock()
		tell := len(s.notices) > 0
		s.mu.Unlock()
		if tell {
			poke(notices)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
	err := s.finish()
	close(stop)
	notifier.Wait()
	return err
}

// poke sends to c, which has a buffer of one, without waiting.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// dispatch starts what is due and returns the time until something else is.
func (s *Store) dispatch(ctx context.Context) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.cfg.Now(), time.Hour
	full := s.unsynced >= batchBytes
	for j, since := range s.dirty {
		if left := batchTime - now.Sub(since); left > 0 && left <= batchTime && !full {
			wait = min(wait, left)
			continue
		}
		if j.busy { // it wakes us when it is done
			s.dirty[j] = time.Time{}
			continue
		}
		delete(s.dirty, j)
		s.goWork(j, func() { j.work.batchDue(ctx) })
	}
	if full {
		s.unsynced = 0
	}
	for j, at := range s.probes {
		if left := at.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if j.busy {
			continue
		}
		delete(s.probes, j)
		s.goWork(j, func() { j.work.probe(ctx) })
	}
	return max(wait, time.Millisecond)
}

// goWork runs f for j in the lane of its folder. s.mu is held.
func (s *Store) goWork(j *job, f func()) {
	lane := s.lanes[j.dir]
	if lane == nil {
		lane = make(chan struct{}, lanesPerDir)
		s.lanes[j.dir] = lane
	}
	j.busy = true
	s.work.Go(func() {
		lane <- struct{}{}
		f()
		<-lane
		s.mu.Lock()
		j.busy = false
		s.mu.Unlock()
		poke(s.wake)
	})
}

// deliver delivers events, one at a time.
func (s *Store) deliver(wake, stop chan struct{}) {
	for {
		s.mu.Lock()
		var next *job
		for j := range s.notices {
			next = j
			delete(s.notices, j)
			break
		}
		s.mu.Unlock()
		if next != nil {
			if e, ok := next.work.takeEvent(); ok {
				next.notify(e)
			}
			continue
		}
		select {
		case <-wake:
		case <-stop:
			return
		}
	}
}

// finish ends Run.
func (s *Store) finish() error {
	s.work.Wait()
	s.mu.Lock()
	var open []*Transfer
	for _, t := range s.transfers {
		open = append(open, t)
	}
	s.mu.Unlock()
	var errs []error
	for _, t := range open {
		if err := t.Close(context.Background()); err != nil {
			errs = append(errs, err)
		}
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return errors.Join(errs...)
}

// saveRequest is a record on its way to the ledger.
type saveRequest struct {
	record Record
	done   bool
	err    error
}

// save saves r, together with what others want to save at this time.
func (s *Store) save(ctx context.Context, r Record) error {
	s.mu.Lock()
	t := s.transfers[r.ID]
	s.mu.Unlock()
	if r.Progress != nil && t != nil {
		var err error
		if r.Owners, err = ownersOf(r.Progress, t.info); err != nil {
			return err
		}
	}
	req := &saveRequest{record: r}
	s.queueing.Lock()
	s.queue = append(s.queue, req)
	s.queueing.Unlock()

	s.saving.Lock()
	defer s.saving.Unlock()
	if req.done { // together with an earlier request
		return req.err
	}
	s.queueing.Lock()
	batch := s.queue
	s.queue = nil
	s.queueing.Unlock()
	records := make([]Record, len(batch))
	for i, q := range batch {
		records[i] = q.record
	}
	// One caller's context must not fail the records of the others.
	err := s.cfg.Ledger.Save(context.WithoutCancel(ctx), records)
	for _, q := range batch {
		q.done, q.err = true, err
	}
	return err
}

// claim registers t and its paths, so that no other transfer gets them.
func (s *Store) claim(t *Transfer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.transfers[t.info.ID] != nil {
		return fmt.Errorf("%q is open already", t.info.Name)
	}
	s.transfers[t.info.ID] = t
	t.job.claims = t.paths()
	for _, p := range t.job.claims {
		s.places[p]++
	}
	return nil
}

// release forgets t and its paths.
func (s *Store) release(t *Transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dirty, &t.job)
	delete(s.probes, &t.job)
	delete(s.notices, &t.job)
	if s.transfers[t.info.ID] != t {
		return
	}
	delete(s.transfers, t.info.ID)
	t.job.gone = true
	for _, p := range t.job.claims {
		if s.places[p]--; s.places[p] == 0 {
			delete(s.places, p)
		}
	}
}

// claimed tells whether path belongs to a transfer.
func (s *Store) claimed(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places[placeKey(path)] > 0
}

// within tells whether a folder above path belongs to a transfer.
func (s *Store) within(path string) bool {
	for d := filepath.Dir(path); d != path; path, d = d, filepath.Dir(d) {
		if s.claimed(d) {
			return true
		}
	}
	return false
}

// placeKey is equal for paths that may be the same file.
func placeKey(path string) string { return strings.ToLower(path) }

// diskError is an error of kind share.Disk.
func diskError(format string, args ...any) error {
	return share.Errorf(share.Disk, format, args...)
}
