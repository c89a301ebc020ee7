package core

import (
	"math/rand/v2"
	"time"
)

// clock is the node's time, its timers and its source of chance. Every part of the
// node shares one.
type clock struct {
	now    time.Duration
	rand   *rand.Rand
	timers timers
}

func newClock(seed [32]byte) *clock {
	return &clock{
		now:  1, // zero is never
		rand: rand.New(rand.NewChaCha8(seed)),
	}
}

// enter sets the time, which never goes back.
func (c *clock) enter(now time.Duration) { c.now = max(c.now, now) }

// set starts t, or starts it again.
func (c *clock) set(t *timer, after time.Duration) { c.setAt(t, c.now+after) }

func (c *clock) setAt(t *timer, at time.Duration) {
	t.at = at
	c.timers.Set(t)
}

func (c *clock) stop(t *timer) { c.timers.Remove(t) }

// deadline is when the next timer fires; false if none is running.
func (c *clock) deadline() (time.Duration, bool) {
	if c.timers.Len() == 0 {
		return 0, false
	}
	return c.timers.First().at, true
}

// fire calls the timers that are due, and those they make due.
func (c *clock) fire() {
	for c.timers.Len() > 0 && c.timers.First().at <= c.now {
		t := c.timers.First()
		c.stop(t)
		t.fire()
	}
}

// jitter spreads d by a quarter either way, so that nodes that started together
// do not act together.
func (c *clock) jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(c.rand.Int64N(int64(d)/2+1))
}
