package engine

import (
	"context"
	"sync"
)

// serial runs functions one after another in the order they came, and never
// makes who gives them wait. The loop uses it to call the client library, whose
// lock may be held for as long as a piece takes to hash.
type serial struct {
	mu    sync.Mutex
	queue []func()
	wake  chan struct{}
}

func (s *serial) do(f func()) {
	s.mu.Lock()
	s.queue = append(s.queue, f)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends; what is queued then is dropped.
func (s *serial) run(ctx context.Context) {
	for {
		s.mu.Lock()
		todo := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, f := range todo {
			f()
		}
		if len(todo) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}
