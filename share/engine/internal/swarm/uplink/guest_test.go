package uplink

import (
	"testing"
	"time"
)

// Browsers take slots from the swarms, which keep half of them; all are given back.
func TestGuestsTakeSlots(t *testing.T) {
	now := time.Second
	l := New(6)
	all := swarms(l, now, 10, 10)
	var guests []*Guest
	for _, want := range []int{5, 4, 3, 3, 3} {
		guests = append(guests, l.Guest())
		if _, sum := round(&now, all); sum != want {
			t.Errorf("beside %d guests there are %d slots, want %d", len(guests), sum, want)
		}
	}
	for _, g := range guests {
		g.Leave()
	}
	if _, sum := round(&now, all); sum != 6 {
		t.Errorf("when all guests have left there are %d slots", sum)
	}
	one := New(1)
	one.Guest()
	if _, sum := round(&now, swarms(one, now, 1)); sum != 1 {
		t.Errorf("the only slot is gone: %d", sum)
	}
}

// What browsers are sent shows how much the line carries, as what peers are sent does.
func TestGuestsShowTheLine(t *testing.T) {
	now := time.Second
	l := New(0)
	all := swarms(l, now, 1000)
	g := l.Guest()
	round(&now, all)
	g.Sent(1 << 30)
	round(&now, all)
	if l.Given() != 1<<30 || l.best < 1<<30/planEvery.Seconds()-1 {
		t.Errorf("%d bytes, %.0f a second", l.Given(), l.best)
	}
	if _, sum := round(&now, all); sum < 2*firstSlots {
		t.Errorf("%d slots", sum)
	}
}
