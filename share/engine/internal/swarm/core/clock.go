package core

import (
	"math/rand/v2"
	"time"
)

// clock is the time and the source of chance. All parts of a Core share one.
type clock struct {
	now  time.Duration
	rand *rand.Rand
}

func newClock(seed [32]byte) *clock {
	return &clock{
		now:  1, // zero is never
		rand: rand.New(rand.NewChaCha8(seed)),
	}
}

// enter sets the time, which never goes back.
func (c *clock) enter(now time.Duration) { c.now = max(c.now, now) }
