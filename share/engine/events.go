package engine

import (
	"sync"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Subscription is one reader of events.
type Subscription struct {
	// C is closed by Close, when the engine stops, and when the reader is too slow.
	C <-chan share.Event

	c      chan share.Event
	hub    *hub
	lagged bool // guarded by hub.mu
}

// Events returns C, for interfaces.
func (s *Subscription) Events() <-chan share.Event { return s.C }

// Lagged reports, once C is closed, whether events were lost because the reader was
// too slow.
func (s *Subscription) Lagged() bool {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.lagged
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() { s.hub.drop(s, false) }

// hub passes events to subscriptions. It is safe for concurrent use.
type hub struct {
	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	closed bool
}

func newHub() *hub { return &hub{subs: make(map[*Subscription]struct{})} }

func (h *hub) subscribe(buffer int) *Subscription {
	c := make(chan share.Event, max(buffer, 1))
	s := &Subscription{C: c, c: c, hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(c)
		return s
	}
	h.subs[s] = struct{}{}
	return s
}

// watched tells whether there is a subscription. Without one no snapshot need be made.
func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs) > 0
}

func (h *hub) publish(now time.Time, ev share.Event) {
	ev.Time = now
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.c <- ev:
		default:
			s.lagged = true
			delete(h.subs, s)
			close(s.c)
		}
	}
}

func (h *hub) drop(s *Subscription, lagged bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[s]; !ok {
		return
	}
	s.lagged = lagged
	delete(h.subs, s)
	close(s.c)
}

// close ends every subscription.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		delete(h.subs, s)
		close(s.c)
	}
}
