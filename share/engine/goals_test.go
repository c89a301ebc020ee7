package engine

import (
	"math"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func TestGoals(t *testing.T) {
	done := time.Unix(1e9, 0)
	for _, c := range []struct {
		goal     share.Goal
		uploaded int64
		after    time.Duration
		met      bool
	}{
		{share.Goal{}, math.MaxInt64, 1e6 * time.Hour, false},
		{share.Goal{None: true}, 0, 0, true},
		{share.Goal{Ratio: 2}, 199, time.Hour, false},
		{share.Goal{Ratio: 2}, 200, 0, true},
		{share.Goal{For: time.Hour}, 0, 59 * time.Minute, false},
		{share.Goal{For: time.Hour}, 0, time.Hour, true},
		{share.Goal{For: time.Hour, Ratio: 1}, 100, time.Minute, true},
		{share.Goal{For: time.Hour, Ratio: 1}, 99, time.Hour, true},
		{share.Goal{For: time.Hour, Ratio: 1}, 99, time.Minute, false},
	} {
		if got := goalMet(c.goal, c.uploaded, 100, done, done.Add(c.after)).Pattern != ""; got != c.met {
			t.Errorf("%+v with %d of 100 bytes after %s: met %v", c.goal, c.uploaded, c.after, got)
		}
	}
	for _, g := range []share.Goal{{Ratio: -1}, {For: -1}, {Ratio: math.NaN()}} {
		if share.KindOf(g.Check()) != share.Usage {
			t.Errorf("%+v is taken", g)
		}
	}
}

// A goal of time is watched each second before it is reached, and not long before.
func TestGoalEndsSoon(t *testing.T) {
	done := time.Unix(1e9, 0)
	seed := func(g share.Goal) *transfer {
		return &transfer{done: true, row: row{completed: done, options: options{Goal: g}}}
	}
	for _, c := range []struct {
		goal  share.Goal
		after time.Duration
		soon  bool
	}{
		{share.Goal{}, 1e6 * time.Hour, false},
		{share.Goal{Ratio: 1}, time.Hour, false},
		{share.Goal{For: time.Second}, 0, true},
		{share.Goal{For: time.Hour}, time.Hour - 2*seldom, false},
		{share.Goal{For: time.Hour}, time.Hour - seldom + 1, true}, // before this, it is looked at again
		{share.Goal{For: time.Hour, Ratio: 1}, time.Hour - 1, true},
	} {
		if got := seed(c.goal).endsSoon(done.Add(c.after)); got != c.soon {
			t.Errorf("%+v after %s: %v", c.goal, c.after, got)
		}
	}
	paused := seed(share.Goal{For: time.Second})
	paused.options.Paused = true
	if paused.endsSoon(done) {
		t.Error("paused, it ends soon")
	}
}
