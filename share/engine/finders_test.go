package engine

import (
	"testing"

	"github.com/shoalnet/shoal/share"
)

// A finder runs so many searches at once and no more, in the order they were asked
// for; one that is slow does not hold up the other; and what nobody wants any more
// is not searched for.
func TestQueuesOfFinders(t *testing.T) {
	q := newFinders([]Finder{&finder{}, &finder{}})
	const count = maxSearches + 4
	var all []*transfer
	var rounds []*round
	place := map[*transfer]int{}
	for i := range count {
		x, r := new(transfer), new(round)
		all, rounds, place[x] = append(all, x), append(rounds, r), i
		q.ask(x, r)
	}
	unwanted := all[maxSearches+1]
	wanted := func(at turn) bool { return at.t != unwanted }
	begun := map[*finding][]turn{}
	begin := func() {
		for {
			f, at, ok := q.next(wanted)
			if !ok {
				return
			}
			begun[f] = append(begun[f], at)
		}
	}
	if q.full() {
		t.Error("full before anything begins")
	}
	begin()
	if !q.full() {
		t.Error("not full")
	}
	slow, fast := q[0], q[1]
	if len(begun[slow]) != maxSearches || len(begun[fast]) != maxSearches {
		t.Errorf("%d and %d at once, want %d", len(begun[slow]), len(begun[fast]), maxSearches)
	}
	for done := 0; done < len(begun[fast]); done++ {
		fast.over(begun[fast][done])
		begin()
	}
	if len(begun[slow]) != maxSearches || len(begun[fast]) != count-1 {
		t.Errorf("%d and %d in all, want %d and %d", len(begun[slow]), len(begun[fast]), maxSearches, count-1)
	}
	for i, at := range begun[fast] {
		if i > 0 && place[at.t] < place[begun[fast][i-1].t] {
			t.Errorf("%d comes after %d", place[at.t], place[begun[fast][i-1].t])
		}
	}
	for done := 0; done < len(begun[slow]); done++ {
		slow.over(begun[slow][done])
		begin()
	}
	for i, r := range rounds {
		if !r.over() {
			t.Errorf("the round of %d is not over", i)
		}
	}
	if !q.has(share.FromLAN) || q.has(share.FromDHT) {
		t.Error("it does not know its sources")
	}
}
