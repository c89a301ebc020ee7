package node

import (
	"context"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// seeds is the set of the complete transfers. The DHT reads it while the engine may be
// waiting for the DHT, so it cannot ask the engine.
type seeds struct {
	mu  sync.RWMutex
	ids map[share.ID]struct{}
}

func newSeeds() *seeds { return &seeds{ids: map[share.ID]struct{}{}} }

func (s *seeds) has(id share.ID) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.ids[id]
	return ok
}

func (s *seeds) set(id share.ID, complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if complete {
		s.ids[id] = struct{}{}
	} else {
		delete(s.ids, id)
	}
}

// follow keeps s up to date until ctx ends.
func (s *seeds) follow(ctx context.Context, e *engine.Engine) error {
	const buffer = 4096
	for ctx.Err() == nil {
		sub := e.Subscribe(buffer)
		s.mu.Lock()
		clear(s.ids)
		s.mu.Unlock()
		for _, t := range e.List() {
			s.set(t.ID, !t.Completed.IsZero())
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
				s.set(ev.ID, false)
			case ev.Transfer != nil:
				s.set(ev.ID, !ev.Transfer.Completed.IsZero())
			}
		}
	}
}
