package engine

import (
	"testing"
	"time"
)

// Every seed has its turn in each pass, one at a time.
func TestScan(t *testing.T) {
	var s scan
	now := time.Unix(1_700_000_000, 0)
	if !s.due(now) || s.due(now.Add(seedScanEvery-1)) || !s.due(now.Add(seedScanEvery)) || !s.due(now) {
		t.Error("it is due at the wrong times")
	}
	live := new(transfer)
	all := []*transfer{new(transfer), live, new(transfer), new(transfer)}
	turns := map[*transfer]int{}
	passes := 0
	for range 6 {
		x := s.next(func() []*transfer { passes++; return append([]*transfer(nil), all...) }, func(x *transfer) bool { return x != live })
		turns[x]++
	}
	if len(turns) != 3 || passes != 2 {
		t.Errorf("%d had turns in %d passes", len(turns), passes)
	}
	for _, n := range turns {
		if n != 2 {
			t.Errorf("one had %d turns", n)
		}
	}
	if s.next(func() []*transfer { return all }, func(*transfer) bool { return false }) != nil {
		t.Error("it gives what does not fit")
	}
}
