package seal

import (
	"errors"
	"io"
	"sync"
)

// Cache keeps the most recently used records of any number of Sealers and Openers, so
// that one sealing serves all blocks of a record. It is meant for a few dozen
// records. It uses RecordSize bytes for each, and the same again for each running
// read beyond them.
type Cache struct {
	limit int

	mu    sync.Mutex
	slots []*slot
	clock uint64
}

// source makes the records that a Cache keeps.
type source interface {
	// fill makes record n in rec. After an error rec is not used.
	fill(n int64, rec *record) error
}

// slot is the place of one record.
type slot struct {
	// Guarded by Cache.mu:
	of    source // nil if no new user may find it
	n     int64
	users int
	last  uint64 // Cache.clock at the last use

	mu     sync.Mutex // guards what follows; not taken with Cache.mu held
	filled bool
	rec    record
}

// NewCache makes a Cache of that many records, at least one.
func NewCache(limit int) *Cache { return &Cache{limit: max(limit, 1)} }

// read copies to p what record n of a source has from skip on.
func (c *Cache) read(of source, n int64, skip int, p []byte) (int, error) {
	s := c.take(of, n)
	defer c.release(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.filled {
		if err := of.fill(n, &s.rec); err != nil {
			return 0, err
		}
		s.filled = true
	}
	return copy(p, s.rec[skip:]), nil
}

// take finds the slot of a record, or gives it that which was idle for longest.
func (c *Cache) take(of source, n int64) *slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	var idle *slot
	for _, s := range c.slots {
		if s.of == of && s.n == n {
			s.users++
			s.last = c.clock
			return s
		}
		if s.users == 0 && (idle == nil || s.last < idle.last) {
			idle = s
		}
	}
	if idle == nil || len(c.slots) < c.limit {
		idle = new(slot)
		c.slots = append(c.slots, idle)
	}
	// Nobody else has it, so that filled is free to be set.
	idle.of, idle.n, idle.users, idle.last, idle.filled = of, n, 1, c.clock, false
	return idle
}

func (c *Cache) release(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.users--; s.users > 0 || len(c.slots) <= c.limit {
		return
	}
	for i := range c.slots {
		if c.slots[i] == s {
			last := len(c.slots) - 1
			c.slots[i], c.slots[last] = c.slots[last], nil
			c.slots = c.slots[:last]
			return
		}
	}
}

// forget makes the next read of record n fill it anew.
func (c *Cache) forget(of source, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.slots {
		if s.of == of && s.n == n {
			s.of = nil
		}
	}
}

// readAt reads size bytes of a source as one sequence: what its records have from skip
// on, from record first. It has the contract of io.ReaderAt.
func (c *Cache) readAt(of source, p []byte, off, size, first int64, skip int) (done int, err error) {
	if off < 0 {
		return 0, errNegative
	}
	unit := int64(RecordSize - skip)
	want := p[:min(int64(len(p)), max(0, size-off))]
	for done < len(want) {
		at := off + int64(done)
		part := want[done:min(int64(len(want)), int64(done)+unit-at%unit)]
		n, err := c.read(of, first+at/unit, skip+int(at%unit), part)
		if err != nil {
			return done, err
		}
		done += n
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

var errNegative = errors.New("reading a sealed share at a negative offset")
