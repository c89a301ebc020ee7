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
)

// When what was marked complete is synced: the sooner of the two.
const (
	batchTime  = time.Second
	batchBytes = 128 << 20
)

// lanesPerDir bounds how many transfers of one folder are synced or probed at
// once: a disk that hangs holds up only what is on it.
const lanesPerDir = 4

// Store keeps the transfers of a node. Its methods are safe for concurrent use.
type Store struct {
	cfg     Config
	log     *slog.Logger
	disk    disk
	handles *handles
	start   time.Time
	syncs   int           // how many files of a transfer are synced at once
	wake    chan struct{} // buffered: something below changed

	placing sync.Mutex // held while names are chosen and claimed

	saving sync.Mutex // held while the ledger saves
	// Guarded by queueing.
	queueing sync.Mutex
	queue    []*saveRequest

	mu        sync.Mutex // guards what follows
	closed    bool
	transfers map[share.ID]*Transfer
	places    map[string]int           // the paths that transfers have on disk: how many have them
	dirty     map[*Transfer]time.Time  // when their oldest unsynced piece or write was
	unsynced  int64                    // bytes written since the last batch
	probes    map[*Transfer]time.Time  // when to look whether a fault is over
	notices   map[*Transfer]struct{}   // have an Event to deliver
	lanes     map[string]chan struct{} // by Transfer.dir

	work sync.WaitGroup // batches and probes under way
}

// New makes a Store. It starts nothing: batches, probes and events need Run.
func New(cfg Config) (*Store, error) { return newStore(cfg, system{}) }

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
	return &Store{
		cfg:       cfg,
		log:       cfg.Logger,
		disk:      d,
		handles:   newHandles(cfg.MaxHandles),
		start:     cfg.Now(),
		syncs:     syncsPerTransfer,
		wake:      make(chan struct{}, 1),
		transfers: map[share.ID]*Transfer{},
		places:    map[string]int{},
		dirty:     map[*Transfer]time.Time{},
		probes:    map[*Transfer]time.Time{},
		notices:   map[*Transfer]struct{}{},
		lanes:     map[string]chan struct{}{},
	}, nil
}

// clock is the time since the Store was made; unlike the time of day it does
// not jump.
func (s *Store) clock() time.Duration { return s.cfg.Now().Sub(s.start) }

// Run syncs in batches, watches for faults to end and delivers events until ctx
// ends; then it syncs and records what is left, and closes every file. Transfers
// can be opened before Run, but not used after it.
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

// poke leaves a token in c, a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// dispatch starts what is due and returns how long nothing else will be.
func (s *Store) dispatch(ctx context.Context) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.cfg.Now(), time.Hour
	full := s.unsynced >= batchBytes
	for t, since := range s.dirty {
		if left := batchTime - now.Sub(since); left > 0 && left <= batchTime && !full {
			wait = min(wait, left)
			continue
		}
		if t.busy { // wakes us when done, and is due then
			s.dirty[t] = time.Time{}
			continue
		}
		delete(s.dirty, t)
		s.goWork(t, func() { t.batchDue(ctx) })
	}
	if full {
		s.unsynced = 0
	}
	for t, at := range s.probes {
		if left := at.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if t.busy {
			continue
		}
		delete(s.probes, t)
		s.goWork(t, func() { t.probe(ctx) })
	}
	return max(wait, time.Millisecond)
}

// goWork runs f for t in the lane of its folder. s.mu is held.
func (s *Store) goWork(t *Transfer, f func()) {
	lane := s.lanes[t.dir]
	if lane == nil {
		lane = make(chan struct{}, lanesPerDir)
		s.lanes[t.dir] = lane
	}
	t.busy = true
	s.work.Go(func() {
		lane <- struct{}{}
		f()
		<-lane
		s.mu.Lock()
		t.busy = false
		s.mu.Unlock()
		poke(s.wake)
	})
}

// wantSync asks for a batch of t within batchTime.
func (s *Store) wantSync(t *Transfer, written int64) {
	s.mu.Lock()
	_, known := s.dirty[t]
	if !known {
		s.dirty[t] = s.cfg.Now()
	}
	s.unsynced += written
	full := s.unsynced >= batchBytes
	s.mu.Unlock()
	if !known || full {
		poke(s.wake)
	}
}

// wantSyncNow asks for a batch of t at once.
func (s *Store) wantSyncNow(t *Transfer) {
	s.mu.Lock()
	s.dirty[t] = time.Time{}
	s.mu.Unlock()
	poke(s.wake)
}

// wantProbe asks for t.probe after a while.
func (s *Store) wantProbe(t *Transfer, after time.Duration) {
	at := s.cfg.Now().Add(after)
	s.mu.Lock()
	if old, ok := s.probes[t]; !ok || at.Before(old) {
		s.probes[t] = at
	}
	s.mu.Unlock()
	poke(s.wake)
}

// post asks for the delivery of t's event.
func (s *Store) post(t *Transfer) {
	if t.notify == nil {
		return
	}
	s.mu.Lock()
	s.notices[t] = struct{}{}
	s.mu.Unlock()
	poke(s.wake)
}

// deliver hands out events, one at a time.
func (s *Store) deliver(wake, stop chan struct{}) {
	for {
		s.mu.Lock()
		var next *Transfer
		for t := range s.notices {
			next = t
			delete(s.notices, t)
			break
		}
		s.mu.Unlock()
		if next != nil {
			if e, ok := next.takeEvent(); ok {
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

// save records r, together with whatever others want to save at this time.
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
	if req.done { // with an earlier one
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

// claim notes the paths of t, so that no other transfer gets them.
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
	t.claims = t.paths()
	for _, p := range t.claims {
		s.places[p]++
	}
	return nil
}

func (s *Store) release(t *Transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dirty, t)
	delete(s.probes, t)
	delete(s.notices, t)
	if s.transfers[t.info.ID] != t {
		return
	}
	delete(s.transfers, t.info.ID)
	for _, p := range t.claims {
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

// within tells whether a folder that path is in belongs to a transfer.
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

func diskError(format string, args ...any) error {
	return share.Errorf(share.Disk, format, args...)
}

// claimMore notes another path of t.
func (s *Store) claimMore(t *Transfer, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.transfers[t.info.ID] != t {
		return
	}
	key := placeKey(path)
	t.claims = append(t.claims, key)
	s.places[key]++
}
