package storage

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// handle is an open file or folder that stays open for the next use. It is never
// closed while it is pinned. The zero handle is not usable.
type handle struct {
	file     file   // nil of a folder
	dir      folder // nil of a file
	writable bool
	// owner forgets the handle before it is closed, so that nobody finds it any
	// more, and syncs unsynced writes.
	owner owner
	index int

	pins atomic.Int32 // negative once it is to be closed
	used atomic.Bool  // since the cache last looked
}

type owner interface {
	// forget is called once, with no lock of the cache held.
	forget(h *handle)
	// dirtyHandle tells whether h has to be synced before it is closed.
	dirtyHandle(h *handle) bool
}

// closing is added to the pins of a handle that is to be closed.
const closing = -1 << 30

// pin keeps h open until unpin. It returns false if h is already about to be
// closed.
func (h *handle) pin() bool {
	for {
		n := h.pins.Load()
		if n < 0 {
			return false
		}
		if h.pins.CompareAndSwap(n, n+1) {
			if !h.used.Load() {
				h.used.Store(true)
			}
			return true
		}
	}
}

func (h *handle) unpin() {
	if h.pins.Add(-1) == closing {
		h.close()
	}
}

func (h *handle) close() {
	if h.file != nil {
		h.file.Close()
	} else {
		h.dir.Close()
	}
}

// handles limits how many handles are open. Pinned handles are never closed, so
// there may be more for a moment, by the number of calls under way.
type handles struct {
	mu    sync.Mutex
	ring  []*handle // swept by hand: the clock algorithm
	hand  int
	limit int // at most max; lower while the system is out of descriptors
	max   int
	since int // opened without running out since limit was lowered
}

// How long to wait for other handles to be closed when the system is out of
// descriptors.
const (
	handlePause    = 5 * time.Millisecond
	handleAttempts = 8 // the pause doubles: 1.3 s in all
	minHandles     = 8
)

func newHandles(limit int) *handles {
	limit = max(limit, minHandles)
	return &handles{limit: limit, max: limit}
}

// open makes room, calls f and keeps what it returned, pinned.
func (c *handles) open(o owner, f func() (*handle, error)) (*handle, error) {
	pause := handlePause
	for attempt := 0; ; attempt++ {
		c.shrink(o, 1)
		h, err := f()
		switch {
		case err == nil:
			h.pins.Store(1)
			c.keep(h)
			return h, nil
		case !errors.Is(kindOf(err), ErrHandles) || attempt == handleAttempts:
			return nil, err
		}
		c.starve(o)
		time.Sleep(pause)
		pause *= 2
	}
}

func (c *handles) keep(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ring = append(c.ring, h)
	if c.limit < c.max {
		if c.since++; c.since >= c.limit {
			c.limit, c.since = c.limit+1, 0
		}
	}
}

// starve lowers the limit to half of what is open and closes the rest.
func (c *handles) starve(o owner) {
	c.mu.Lock()
	c.limit, c.since = max(minHandles, min(c.limit, len(c.ring)/2)), 0
	c.mu.Unlock()
	c.shrink(o, 0)
}

// shrink closes handles until spare more fit.
func (c *handles) shrink(o owner, spare int) {
	for {
		h := c.victim(o, spare)
		if h == nil {
			return
		}
		h.owner.forget(h)
		h.unpin()
	}
}

// victim removes a handle from the ring that nobody uses. It prefers one that needs
// no sync, then one of o, then any. The handle is pinned; its unpin closes it.
func (c *handles) victim(o owner, spare int) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ring)+spare <= c.limit {
		return nil
	}
	dirty, others := -1, -1 // where in the ring
	// Twice around: the first round clears used.
	for range 2 * len(c.ring) {
		c.hand = (c.hand + 1) % len(c.ring)
		h := c.ring[c.hand]
		switch {
		case h.pins.Load() != 0 || h.used.Swap(false):
		case !h.owner.dirtyHandle(h):
			if h.take() {
				c.drop(c.hand)
				return h
			}
		case h.owner == o:
			dirty = c.hand
		default:
			others = c.hand
		}
	}
	for _, at := range []int{dirty, others} {
		if at >= 0 && c.ring[at].take() {
			h := c.ring[at]
			c.drop(at)
			return h
		}
	}
	return nil
}

// take marks h to be closed by the next unpin. It fails if h is in use.
func (h *handle) take() bool { return h.pins.CompareAndSwap(0, closing+1) }

func (c *handles) drop(at int) {
	last := len(c.ring) - 1
	c.ring[at] = c.ring[last]
	c.ring[last] = nil
	c.ring = c.ring[:last]
}

// retire removes h from the ring and closes it as soon as nobody uses it. The
// caller makes sure that nobody finds it any more.
func (c *handles) retire(h *handle) {
	c.mu.Lock()
	for i, k := range c.ring {
		if k == h {
			c.drop(i)
			c.mu.Unlock()
			if h.pins.Add(closing) == closing {
				h.close()
			}
			return
		}
	}
	c.mu.Unlock()
}
