package engine

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// The oldest of those that want to fetch may, and the next when one is through.
func TestSlots(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	all := map[*transfer]struct{}{}
	var byAge []*transfer
	for i := range 5 {
		x := &transfer{row: row{kind: kindFetch, files: 1, added: now.Add(time.Duration(i) * time.Second)}}
		byAge = append(byAge, x)
		all[x] = struct{}{}
	}
	s := slots{most: 2}
	check := func(when string, changed int, want ...bool) {
		t.Helper()
		for _, x := range byAge {
			s.note(x)
		}
		if n := len(s.assign(all)); n != changed {
			t.Errorf("%s: %d change, want %d", when, n, changed)
		}
		for i, x := range byAge {
			if x.slot != want[i] {
				t.Errorf("%s: %d has a slot: %v", when, i, x.slot)
			}
		}
		if s.stale {
			t.Errorf("%s: assigned and still stale", when)
		}
	}
	check("at first", 2, true, true, false, false, false)
	check("again", 0, true, true, false, false, false)
	byAge[0].done = true
	if s.note(byAge[0]); !s.stale {
		t.Error("one is through, and nothing is to be assigned")
	}
	check("one is through", 1, false, true, true, false, false)
	byAge[2].options.Paused = true
	check("one is paused", 1, false, true, false, true, false)
	byAge[2].options.Paused = false
	check("it goes on", 2, false, true, true, false, false)
	byAge[4].options.Turn = share.First
	check("the newest goes first", 2, false, true, false, false, true)
	byAge[1].options.Turn = share.Last
	check("the oldest goes last", 2, false, false, true, false, true)
	byAge[4].options.Turn, byAge[1].options.Turn = share.InTurn, share.InTurn
	check("in turn", 2, false, true, true, false, false)
	s.most = 0
	check("no limit", 2, false, true, true, true, true)
}

// So many shares are hashed at once, and then the one that has waited longest.
func TestHashing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var h hashing
	for range maxHashing {
		if !h.begin() {
			t.Fatal("it does not begin")
		}
	}
	if h.begin() {
		t.Error("too many begin")
	}
	h.end()
	if !h.begin() {
		t.Error("one is over, and none begins")
	}
	share := func(after time.Duration, change func(*transfer)) *transfer {
		x := &transfer{row: row{kind: kindUnhashed, added: now.Add(after)}}
		change(x)
		return x
	}
	oldest := share(1, func(*transfer) {})
	all := map[*transfer]struct{}{oldest: {}}
	for _, change := range []func(*transfer){
		func(x *transfer) { x.options.Paused = true },
		func(x *transfer) { x.making.parked = true },
		func(x *transfer) { x.failure = ErrStopped },
		func(x *transfer) { x.removing = &removal{} },
		func(x *transfer) { x.job = &job{} },
		func(x *transfer) { x.kind = kindOwn },
		func(x *transfer) { x.added = now.Add(2) },
	} {
		all[share(0, change)] = struct{}{}
	}
	if h.next(all) != oldest {
		t.Error("it is another's turn")
	}
}
