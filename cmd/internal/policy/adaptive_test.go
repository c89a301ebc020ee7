package policy

import (
	"math"
	"testing"
	"time"
)

// line is a link with a queue in front of it, in seconds.
type line struct {
	capacity float64 // bytes per second for us
	buffer   float64 // bytes
	queued   float64
}

// second sends for a second and returns what got through and the delay at its
// end. A sender without a limit fills the queue, as TCP does.
func (l *line) second(limit int64, demand float64) (rate int64, queue time.Duration) {
	want := demand
	if limit > 0 {
		want = min(want, float64(limit))
	}
	through := min(want+l.queued, l.capacity)
	l.queued = min(max(l.queued+want-l.capacity, 0), l.buffer)
	return int64(through), time.Duration(l.queued / l.capacity * float64(time.Second))
}

// run plays seconds and returns the mean rate and the mean and longest delay of
// all but the first skip.
func play(p *pacer, l *line, now *time.Time, seconds, skip int, demand float64) (rate float64, mean, worst time.Duration) {
	var limit int64
	var queue time.Duration
	var got int64
	n := 0
	for i := range seconds {
		got, queue = l.second(limit, demand)
		*now = now.Add(time.Second)
		limit = p.step(*now, []delay{{queue: queue, sent: got}}, got)
		if i >= skip {
			rate += float64(got)
			mean += queue
			worst = max(worst, queue)
			n++
		}
	}
	return rate / float64(n), mean / time.Duration(n), worst
}

func TestPacerKeepsTheQueueShort(t *testing.T) {
	for _, capacity := range []float64{100e3, 1e6, 12e6} {
		now := time.Unix(1_700_000_000, 0)
		p := &pacer{}
		l := &line{capacity: capacity, buffer: 2 * capacity} // two seconds of queue, as in many home routers
		rate, mean, worst := play(p, l, &now, 600, 60, math.MaxInt32)
		if rate < 0.85*capacity || mean > delayTarget || worst > 4*delayTarget {
			t.Errorf("%.0f B/s: %.0f%% used, %s in the queue, at worst %s", capacity, 100*rate/capacity, mean, worst)
		}
		// Somebody else takes three quarters of the line for a while.
		l.capacity = capacity / 4
		rate, mean, _ = play(p, l, &now, 300, 60, math.MaxInt32)
		if rate < 0.8*capacity/4 || mean > delayTarget {
			t.Errorf("a quarter of %.0f B/s: %.0f%% used, %s in the queue", capacity, 100*rate/(capacity/4), mean)
		}
		l.capacity = capacity
		rate, _, _ = play(p, l, &now, 300, 90, math.MaxInt32)
		if rate < 0.85*capacity {
			t.Errorf("%.0f B/s again: %.0f%% used", capacity, 100*rate/capacity)
		}
	}
}

func TestPacerLeavesAFreeLineAlone(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := &pacer{}
	l := &line{capacity: 10e6, buffer: 20e6}
	if rate, _, _ := play(p, l, &now, 300, 1, 1e6); p.limit != 0 || rate < 0.99e6 {
		t.Errorf("limited to %.0f, sent %.0f", p.limit, rate)
	}
	// A limit that is not needed any more is lifted.
	play(p, l, &now, 120, 1, math.MaxInt32)
	if p.limit == 0 {
		t.Fatal("a full line sets no limit")
	}
	play(p, l, &now, 300, 1, 1e6)
	if p.limit != 0 {
		t.Errorf("still limited to %.0f", p.limit)
	}
}

func TestQueueIsThatOfWhoSends(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		delays []delay
		want   time.Duration
		ok     bool
	}{
		"nobody":                 {nil, 0, false},
		"too little":             {[]delay{{queue: ms, sent: 100}}, 0, false},
		"one slow peer of three": {[]delay{{900 * ms, 50e3}, {10 * ms, 50e3}, {12 * ms, 50e3}}, 12 * ms, true},
		"who sends most counts":  {[]delay{{80 * ms, 900e3}, {1 * ms, 50e3}, {2 * ms, 50e3}}, 80 * ms, true},
		"idle ones do not count": {[]delay{{5 * ms, 50e3}, {900 * ms, 10}, {900 * ms, 0}}, 5 * ms, true},
	} {
		if got, ok := queueOf(c.delays); got != c.want || ok != c.ok {
			t.Errorf("%s: %s %t", name, got, ok)
		}
	}
}
