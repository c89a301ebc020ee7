package wan

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLinePassesAtItsRate(t *testing.T) {
	q := queue{line: Line{Rate: 1000, Queue: 250}}
	for i, tt := range []struct {
		at, left time.Duration
		n        int
		ok       bool
	}{
		{at: 0, n: 100, left: 100 * time.Millisecond, ok: true},
		{at: 0, n: 100, left: 200 * time.Millisecond, ok: true},
		{at: 0, n: 100, ok: false}, // 200 bytes wait already
		{at: 0, n: 50, left: 250 * time.Millisecond, ok: true},
		{at: 150 * time.Millisecond, n: 100, left: 350 * time.Millisecond, ok: true},
		{at: time.Second, n: 250, left: 1250 * time.Millisecond, ok: true},
		{at: 2 * time.Second, n: 251, ok: false}, // larger than the queue
	} {
		left, ok := q.pass(tt.at, tt.n)
		if left != tt.left || ok != tt.ok {
			t.Errorf("packet %d: left at %v, %v", i, left, ok)
		}
	}
	if want := (Count{Bytes: 600, Packets: 5, Dropped: 2, Longest: 200 * time.Millisecond}); q.Count != want {
		t.Errorf("got %+v, want %+v", q.Count, want)
	}
	free := queue{}
	if left, ok := free.pass(time.Second, 1<<20); left != time.Second || !ok {
		t.Errorf("a line without a rate: %v, %v", left, ok)
	}
}

func TestMbit(t *testing.T) {
	if l := Mbit(100, 100*time.Millisecond); l.Rate != 12.5e6 || l.Queue != 1_250_000 {
		t.Errorf("got %+v", l)
	}
}

// Packets come out in the order in which they are due, those due at the same time
// in the order in which they went in.
func TestPendingIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h pending
		var all []*packet
		for i, due := range rapid.SliceOfN(rapid.IntRange(0, 20), 1, 200).Draw(t, "due") {
			p := &packet{due: time.Duration(due), seq: uint64(i)}
			h.push(p)
			all = append(all, p)
		}
		slices.SortStableFunc(all, func(a, b *packet) int { return int(a.due - b.due) })
		for i, want := range all {
			if got := h.pop(); got != want {
				t.Fatalf("packet %d is due at %d, want %d", i, got.due, want.due)
			}
		}
	})
}
