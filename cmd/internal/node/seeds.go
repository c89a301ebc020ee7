package node

import (
	"context"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// seeds is the set of the IDs of complete transfers, all names of each. The DHT reads it while the engine may be
// waiting for the DHT, so it cannot ask the engine.
type seeds struct {
	mu    sync.RWMutex
	ids   map[share.ID]struct{}
	other map[share.ID][]share.ID // the names of a transfer besides its ID, where there are any
}

func newSeeds() *seeds {
	return &seeds{ids: map[share.ID]struct{}{}, other: map[share.ID][]share.ID{}}
}

func (s *seeds) has(id share.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.ids[id]
	return ok
}

// set notes whether a transfer is complete.
func (s *seeds) set(t *share.Transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(t.ID)
	if t.Completed.IsZero() {
		return
	}
	names := t.Names()
	for _, id := range names {
		s.ids[id] = struct{}{}
	}
	if len(names) > 1 {
		s.other[t.ID] = names[1:]
	}
}

func (s *seeds) drop(id share.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(id)
}

func (s *seeds) dropLocked(id share.ID) {
	delete(s.ids, id)
	for _, other := range s.other[id] {
		delete(s.ids, other)
	}
	delete(s.other, id)
}

// follow keeps s up to date until ctx ends.
func (s *seeds) follow(ctx context.Context, e *engine.Engine) error {
	const buffer = 4096
	for ctx.Err() == nil {
		sub := e.Subscribe(buffer)
		s.mu.Lock()
		clear(s.ids)
		clear(s.other)
		s.mu.Unlock()
		for _, t := range e.List() {
			s.set(&t)
		}
		again := s.take(ctx, sub)
		sub.Close()
		if !again {
			return nil
		}
	}
	return nil
}

// take follows events until ctx ends or sub is closed. It returns true if it fell behind.
func (s *seeds) take(ctx context.Context, sub *engine.Subscription) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.C:
			switch {
			case !ok:
				return sub.Lagged()
			case ev.Type == share.EventRemoved:
				s.drop(ev.ID)
			case ev.Transfer != nil:
				s.set(ev.Transfer)
			}
		}
	}
}
