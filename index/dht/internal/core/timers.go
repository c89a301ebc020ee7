package core

import (
	"time"

	"github.com/shoalnet/shoal/share/schedule"
)

// timer calls fire at a time. It is embedded in what it is for.
type timer struct {
	schedule.Place
	at   time.Duration
	fire func()
}

// Before orders timers by their time.
func (t *timer) Before(o *timer) bool { return t.at < o.at }

type timers = schedule.Queue[*timer]
