package engine

import (
	"testing"
	"time"
)

// Everybody has a turn in each round, at the pace of the round, and who cannot be
// looked at has one later.
func TestRounds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	r := rounds{began: now}
	for range glancesASecond + 50 {
		r.add(new(transfer))
	}
	// After a start as fast as may be.
	if n := len(r.next()); n != glancesASecond {
		t.Errorf("%d at first", n)
	}
	if r.due(now.Add(time.Hour)) {
		t.Error("a round begins before the last is over")
	}
	if n := len(r.next()); n != 50 {
		t.Errorf("%d are left", n)
	}
	if len(r.next()) != 0 || r.due(now.Add(roundTime-time.Second)) || !r.due(now.Add(roundTime)) {
		t.Error("the next round begins at the wrong time")
	}
	for _, count := range []int{0, 1, 599, 100_000} {
		turns := map[*transfer]int{}
		var all []*transfer
		for range count {
			all = append(all, new(transfer))
		}
		r.begin(now, all)
		seconds, put := 0, false
		for len(r.waiting) > 0 {
			seconds++
			next := r.next()
			for _, x := range next {
				turns[x]++
			}
			if !put { // the first cannot be looked at
				put = true
				r.later(next[:1])
			}
			if len(next) > glancesASecond {
				t.Fatalf("%d in a second", len(next))
			}
		}
		if len(turns) != count {
			t.Errorf("%d of %d had a turn", len(turns), count)
		}
		if least := min(int(roundTime/time.Second)/2, count); count < 10_000 && seconds < least {
			t.Errorf("a round of %d takes %d s", count, seconds)
		}
		twice := 0
		for _, n := range turns {
			if n == 2 {
				twice++
			}
		}
		if want := min(count, 1); twice != want {
			t.Errorf("of %d, %d had a second turn", count, twice)
		}
	}
}
