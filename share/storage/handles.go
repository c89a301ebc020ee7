package storage

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// handle is an open file or folder that is kept for the next use. A pinned
// handle stays open. The zero handle is not usable.
type handle struct {
	file     file   // nil of a folder
	dir      folder // nil of a file
	writable bool
	// owner lets go of the handle before it is closed: it must not be found
	// any more. For files with unsynced writes it syncs them.
	owner owner
	index int

	pins atomic.Int32 // negative once it is to be closed
	used atomic.Bool  // since the cache last looked
}

type owner interface {
	// forget is called once, with no lock of the cache held.
	forget(h *handle)
	// dirtyHandle tells whether closing h now would take a sync.
	dirtyHandle(h *handle) bool
}

// closing is added to the pins of a handle that is to be closed.
const closing = -1 << 30

// pin keeps h open until unpin; false when it is too late for that.
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

// handles bounds how many handles are open. Pinned ones are never closed, so
// that for moments there may be as many more as there are calls under way.
type handles struct {
	mu    sync.Mutex
	ring  []*handle // swept by hand: the clock algorithm
	hand  int
	limit int // at most max; lower while the system is out of descriptors
	max   int
	since int // opened without running out since limit was lowered
}

// How long to wait for others to close files when the system is out of them.
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

// victim takes a handle out of the ring that nobody uses: one that can be
// closed at once if there is one, then one of o, then any. It comes with the
// pin that its unpin closes.
func (c *handles) victim(o owner, spare int) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ring)+spare <= c.limit {
		return nil
	}
	dirty, others := -1, -1 // where in the ring
	// Twice around: the first time clears used.
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

// take readies h to be closed by unpin, unless it is in use.
func (h *handle) take() bool { return h.pins.CompareAndSwap(0, closing+1) }

func (c *handles) drop(at int) {
	last := len(c.ring) - 1
	c.ring[at] = c.ring[last]
	c.ring[last] = nil
	c.ring = c.ring[:last]
}

// retire takes h out and closes it as soon as nobody uses it. The caller has
// made sure that nobody finds it any more.
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
