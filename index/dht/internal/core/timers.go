package core

import (
	"time"

	"github.com/shoalnet/shoal/share/schedule"
)

// timer is something that happens at a time. It is embedded in what it is for.
type timer struct {
	schedule.Place
	at   time.Duration
	fire func()
}

// Before orders timers by their time.
func (t *timer) Before(o *timer) bool { return t.at < o.at }

// timers are the timers that are running.
type timers struct{ schedule.Queue[*timer] }

func (h *timers) set(t *timer, at time.Duration) {
	t.at = at
	h.Set(t)
}
