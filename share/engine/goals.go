package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
)

// goalMet tells why t, which is complete, stops seeding; empty if it goes on.
func (t *transfer) goalMet(now time.Time) share.Text {
	_, uploaded := t.traffic()
	return goalMet(t.options.Goal, uploaded, t.size, t.seedingSince(), now)
}

// seedingSince is when the time of a goal began.
func (t *transfer) seedingSince() time.Time {
	if t.completed.IsZero() {
		return t.added
	}
	return t.completed
}

// endsSoon tells that t stops seeding, by the clock alone, before everySoOften looks again.
func (t *transfer) endsSoon(now time.Time) bool {
	d := t.options.Goal.For
	return d > 0 && t.done && !t.options.Paused && !t.options.GoalDone && now.Sub(t.seedingSince()) > d-seldom
}

// goalMet tells why a complete transfer stops seeding; empty if it goes on.
func goalMet(g share.Goal, uploaded, size int64, completed, now time.Time) share.Text {
	switch {
	case g.None:
		return share.Say("complete, not seeded")
	case g.Ratio > 0 && size > 0 && float64(uploaded) >= g.Ratio*float64(size):
		return share.Say("complete, ratio %.3g reached", g.Ratio)
	case g.For > 0 && !completed.IsZero() && now.Sub(completed) >= g.For:
		return share.Say("complete, seeded for %s", g.For)
	}
	return share.Text{}
}

// forever is the goal that g points at, else to seed forever.
func forever(g *share.Goal) share.Goal {
	if g == nil {
		return share.Goal{}
	}
	return *g
}
