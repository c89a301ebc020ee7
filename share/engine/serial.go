package engine

import (
	"context"
	"sync"
)

// serial runs functions one after another in the order they came, and do never
// waits. The loop calls swarms through it, since such a call may wait for as long
// as a piece takes to hash.
type serial struct {
	mu    sync.Mutex
	queue []func()
	wake  chan struct{}
}

func newSerial() *serial { return &serial{wake: make(chan struct{}, 1)} }

func (s *serial) do(f func()) {
	s.mu.Lock()
	s.queue = append(s.queue, f)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends, and then drops what is queued.
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
