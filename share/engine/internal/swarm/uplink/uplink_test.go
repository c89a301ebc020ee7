package uplink

import (
	"net/netip"
	"testing"
	"time"
)

// swarms join a line and report what they want, in turn.
func swarms(l *Link, now time.Duration, wanting ...int) (all []*Place) {
	for _, n := range wanting {
		p := l.Join()
		p.Report(now, Demand{Wanting: n})
		all = append(all, p)
	}
	return all
}

// round has all report the same demand again, after the time of a plan.
func round(now *time.Duration, all []*Place) (slots []int, sum int) {
	*now += planEvery
	for range 2 { // the first to report makes the plan
		slots, sum = nil, 0
		for _, p := range all {
			n := p.Report(*now, p.want)
			slots, sum = append(slots, n), sum+n
		}
	}
	return slots, sum
}

func TestSlotsAreThoseOfTheNode(t *testing.T) {
	now := time.Second
	l := New(6)
	all := swarms(l, now, 10, 10, 1, 0)
	if n := all[0].slots; n != 6 {
		t.Errorf("the first to come has %d slots", n)
	}
	slots, sum := round(&now, all)
	if sum != 6 || slots[2] != 1 || slots[3] != 0 || slots[0] < 2 || slots[1] < 2 {
		t.Errorf("%v", slots)
	}
	all[0].Leave()
	if n := all[1].Report(now, all[1].want); n != 5 {
		t.Errorf("of what another left the next has %d slots", n)
	}
	if all[0].Report(now, Demand{Wanting: 1}) != 0 {
		t.Error("who left has slots")
	}
}

func TestFewSlotsGoRound(t *testing.T) {
	now := time.Second
	l := New(2)
	all := swarms(l, now, 3, 3, 3, 3, 3)
	had := make([]int, len(all))
	for range 30 {
		slots, sum := round(&now, all)
		if sum != 2 {
			t.Fatalf("%v", slots)
		}
		for i, n := range slots {
			had[i] += n
		}
	}
	for _, n := range had {
		if n < 9 || n > 15 {
			t.Fatalf("turns of %v", had)
		}
	}
}

// A slow line serves a few swarms all the same, unless somebody wants it otherwise.
func TestAFewSwarmsHaveASlotEach(t *testing.T) {
	now := time.Second
	l := New(0)
	all := swarms(l, now, 2, 2, 2, 2, 2, 2, 2)
	for _, p := range all {
		p.Report(now, Demand{Rate: 1000, Wanting: 2})
	}
	for range 5 {
		slots, sum := round(&now, all)
		if sum != len(all) {
			t.Errorf("%v", slots)
		}
	}
	last := swarms(l, now, 2)[0]
	if last.slots != 1 {
		t.Errorf("a new one has %d", last.slots)
	}
	all = append(all, last)
	for range 2 * fewSwarms {
		all = append(all, swarms(l, now, 1)...)
	}
	if slots, sum := round(&now, all); sum != fewSwarms {
		t.Errorf("%v of %d", slots, len(all))
	}
}

func TestCapacityFollowsTheRate(t *testing.T) {
	for _, c := range []struct {
		rate        float64
		least, most int
	}{{10e3, 4, 4}, {1.25e6, 8, 12}, {12.5e6, 25, 35}, {1e12, mostSlots, mostSlots}} {
		now := time.Second
		l := New(0)
		p := l.Join()
		if n := p.Report(now, Demand{Wanting: 1000}); n != firstSlots {
			t.Errorf("%d slots before anything was sent", n)
		}
		now += planEvery
		if n := p.Report(now, Demand{Rate: c.rate, Wanting: 1000, Open: 8, Busy: 8}); n < c.least || n > c.most {
			t.Errorf("%.0f bytes a second: %d slots", c.rate, n)
		}
	}
}

// Slots of peers that ask for nothing do no good: others get one, too.
func TestUnusedSlotsAreMadeUpFor(t *testing.T) {
	now := time.Second
	l := New(0)
	p := l.Join()
	slots := p.Report(now, Demand{Rate: 1e5, Wanting: 100})
	for range 5 {
		now += planEvery
		slots = p.Report(now, Demand{Rate: 1e5, Wanting: 100, Open: slots, Idle: slots})
	}
	if slots <= leastSlots {
		t.Errorf("%d slots", slots)
	}
	for range 10 {
		now += planEvery
		slots = p.Report(now, Demand{Rate: 1e5, Wanting: 100, Open: slots, Busy: slots})
	}
	if slots != leastSlots {
		t.Errorf("%d slots, all of them used", slots)
	}
}

// That nothing waits is no sign of room while the line carries what it can: with a
// slow line the system's buffers hold what few peers ask for.
func TestASlowLineGetsNoMoreSlots(t *testing.T) {
	now := time.Second
	l := New(0)
	p := l.Join()
	slots := 0
	for range 30 {
		slots = p.Report(now, Demand{Rate: 37e3, Wanting: 100, Open: slots})
		now += planEvery
	}
	if slots != leastSlots {
		t.Errorf("%d slots", slots)
	}
	for range 5 {
		slots = p.Report(now, Demand{Rate: 20e3, Wanting: 100, Open: slots})
		now += planEvery
	}
	if slots == leastSlots {
		t.Error("no more slots although half of the line is idle")
	}
}

func TestALineIsKnownInAllSwarms(t *testing.T) {
	l := New(4)
	a, b := l.Join(), l.Join()
	line := netip.MustParsePrefix("2001:db8::/64")
	a.Took(line, 1)
	a.Took(line, 1)
	b.Took(line, 1)
	if x, y := a.Elsewhere(line), b.Elsewhere(line); x != 1 || y != 2 {
		t.Errorf("%d and %d", x, y)
	}
	a.Took(line, -1)
	if n := b.Elsewhere(line); n != 1 {
		t.Errorf("%d", n)
	}
	a.Leave()
	b.Took(line, -1)
	if n := b.Elsewhere(line); n != 0 || len(l.lines) != 0 {
		t.Errorf("%d, %v", n, l.lines)
	}
}
