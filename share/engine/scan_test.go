package engine

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// scanned counts the turns of n transfers in so many seconds, and when the last of them
// had its first.
func scanned(s *scan, n int, seconds int, reachable bool, fits func(*transfer) bool) (turns map[*transfer]int, most int, covered time.Duration) {
	now := time.Unix(1_700_000_000, 0)
	var all []*transfer
	for range n {
		all = append(all, new(transfer))
	}
	turns = map[*transfer]int{}
	for i := range seconds {
		turn := s.next(now, reachable, func() []*transfer { return append([]*transfer(nil), all...) }, fits)
		for _, t := range turn {
			if turns[t]++; turns[t] == 1 {
				covered = time.Duration(i) * time.Second
			}
		}
		most = max(most, len(turn))
		now = now.Add(time.Second)
	}
	return turns, most, covered
}

func anything(*transfer) bool { return true }

// Where nobody gets in, a hundred shares have called within a minute, and then go on at a
// rate that does not depend on their number.
func TestAHundredSharesCallWithinAMinute(t *testing.T) {
	var s scan
	turns, most, covered := scanned(&s, 100, 340, false, anything)
	if len(turns) != 100 || covered >= time.Minute || most > firstCalls {
		t.Errorf("%d have called, the last one after %s, %d in a second", len(turns), covered, most)
	}
	all := 0
	for _, n := range turns {
		all += n
	}
	if all > 100+int(340*time.Second/callEvery) {
		t.Errorf("%d calls in all", all)
	}
	if turns, _, _ = scanned(new(scan), 2, 60, false, anything); len(turns) != 2 {
		t.Errorf("%d of two", len(turns))
	}
	for _, n := range turns {
		if most := int(time.Minute / callAgain); n < most-1 || n > most {
			t.Errorf("one of two has called %d times in a minute", n)
		}
	}
}

// Who is added calls soon, also in the middle of a long pass.
func TestANewShareCallsAtOnce(t *testing.T) {
	var s scan
	scanned(&s, 100, 40, false, anything)
	now := time.Unix(1_700_000_100, 0)
	x := new(transfer)
	s.add(x)
	if turn := s.next(now, false, nil, anything); len(turn) != 1 || turn[0] != x {
		t.Errorf("%d had their turn", len(turn))
	}
}

// Where strangers get in, one at rest has its turn each time.
func TestScanOfWhoIsReachable(t *testing.T) {
	var s scan
	turns, most, _ := scanned(&s, 3, int(6*seedScanEvery/time.Second), true, anything)
	if len(turns) != 3 || most != 1 {
		t.Errorf("%d had turns, %d at once", len(turns), most)
	}
	for _, n := range turns {
		if n != 2 {
			t.Errorf("one had %d turns", n)
		}
	}
	if turns, _, _ := scanned(new(scan), 3, 100, true, func(*transfer) bool { return false }); len(turns) != 0 {
		t.Error("it gives what does not fit")
	}
	now := time.Unix(1_700_000_000, 0)
	one := func() []*transfer { return []*transfer{new(transfer)} }
	s = scan{}
	s.next(now, true, one, anything)
	if len(s.next(now.Add(-time.Hour), true, one, anything)) != 1 {
		t.Error("it stops when the clock is set back")
	}
}

// A complete transfer that nobody can call calls whom it knows: once, and again later.
func TestASeedCallsOut(t *testing.T) {
	f := &finder{}
	d, asked, drain := newDiscovery(t, f)
	woken := 0
	d.changed = func(_ *transfer, wanted bool) {
		if wanted {
			woken++
		}
	}
	x := &transfer{row: row{id: share.ID{1}, kind: kindOwn, files: 1}, done: true}
	x.options.Peers = []string{"[2001:db8::3]:3"}
	d.transfers.add(x)
	d.scanNext()
	if drain(); woken == 0 || f.asked != 1 || *asked != 1 {
		t.Errorf("woken %d times, finders asked %d times, trackers %d times", woken, f.asked, *asked)
	}
	x.peers.book.offer(d.now(), nil) // as its swarm is told
	woken = 0
	now := d.now().Add(callAgain)
	for d.now = func() time.Time { return now }; woken == 0; now = now.Add(callAgain) {
		d.scanNext()
		drain()
	}
	x.options.Private = true
	now, was := now.Add(callAgain), f.asked
	d.scanNext()
	if drain(); f.asked != was {
		t.Error("finders are asked about a private one")
	}
	d.reachable = func() bool { return true }
	x.options.Private = false
	x.peers.book.again(now)
	now, woken = now.Add(seedScanEvery), 0
	d.scanNext()
	if drain(); woken != 0 || f.asked != was+1 {
		t.Errorf("who can be called calls out: woken %d times, finders asked %d times", woken, f.asked-was)
	}
}
