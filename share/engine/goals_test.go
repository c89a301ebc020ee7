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
		if got := goalMet(c.goal, c.uploaded, 100, done, done.Add(c.after)) != ""; got != c.met {
			t.Errorf("%+v with %d of 100 bytes after %s: met %v", c.goal, c.uploaded, c.after, got)
		}
	}
	for _, g := range []share.Goal{{Ratio: -1}, {For: -1}, {Ratio: math.NaN()}} {
		if share.KindOf(g.Check()) != share.Usage {
			t.Errorf("%+v is taken", g)
		}
	}
}
