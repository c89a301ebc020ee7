package engine

import (
	"fmt"
	"time"

	"github.com/shoalnet/shoal/share"
)

// goalMet tells why t, which is complete, stops seeding; empty if it goes on.
func (t *transfer) goalMet(now time.Time) string {
	_, uploaded := t.traffic()
	since := t.completed
	if since.IsZero() {
		since = t.added
	}
	return goalMet(t.options.Goal, uploaded, t.size, since, now)
}

// goalMet tells why a complete transfer stops seeding; empty if it goes on.
func goalMet(g share.Goal, uploaded, size int64, completed, now time.Time) string {
	switch {
	case g.None:
		return "complete, not seeded"
	case g.Ratio > 0 && size > 0 && float64(uploaded) >= g.Ratio*float64(size):
		return fmt.Sprintf("complete, ratio %.3g reached", g.Ratio)
	case g.For > 0 && !completed.IsZero() && now.Sub(completed) >= g.For:
		return fmt.Sprintf("complete, seeded for %s", g.For)
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
