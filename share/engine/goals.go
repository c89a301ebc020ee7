package engine

import (
	"fmt"
	"time"

	"github.com/shoalnet/shoal/share"
)

// goalMet tells why t, which is complete, seeds no longer; empty while it does.
func (t *transfer) goalMet(now time.Time) string {
	_, uploaded := t.traffic()
	since := t.completed
	if since.IsZero() {
		since = t.added
	}
	return goalMet(t.options.Goal, uploaded, t.size, since, now)
}

// goalMet tells, for a transfer that is complete, why it seeds no longer; empty
// while it does.
func goalMet(g share.Goal, uploaded, size int64, completed, now time.Time) string {
	switch {
	case g.None:
		return "complete, and not to be seeded"
	case g.Ratio > 0 && size > 0 && float64(uploaded) >= g.Ratio*float64(size):
		return fmt.Sprintf("complete, and uploaded %.3g times its size as wished", g.Ratio)
	case g.For > 0 && !completed.IsZero() && now.Sub(completed) >= g.For:
		return fmt.Sprintf("complete, and seeded for %s as wished", g.For)
	}
	return ""
}

// forever is the goal that g points at, else to seed forever.
func forever(g *share.Goal) share.Goal {
	if g == nil {
		return share.Goal{}
	}
	return *g
}
