package engine

import (
	"slices"
	"time"
)

// Complete transfers look for peers, since a peer that cannot connect to us may be reached
// by us.
const (
	// While strangers are known to get in, one at rest does so each time.
	seedScanEvery = 30 * time.Second
	// While they are not, nobody comes unless we have called, or somebody introduces us
	// whom we have called: all look, each soon at first, as many in a second, ...
	firstCalls = 3
	// ... and then again and again, one each time and none sooner than so.
	callEvery = 3 * time.Second
	callAgain = 15 * time.Second
)

// scan takes complete transfers one after another, for each to look for peers when it is
// its turn. It is owned by the loop.
type scan struct {
	last    time.Time   // when one had its turn
	began   time.Time   // this pass
	waiting []*transfer // the last is the next
}

// add has t look soon.
func (s *scan) add(t *transfer) { s.waiting = append(s.waiting, t) }

// next takes those whose turn it is now, of those that fit. all lists the transfers for
// another pass.
func (s *scan) next(now time.Time, reachable bool, all func() []*transfer, fits func(*transfer) bool) (turn []*transfer) {
	pause, again, most := callEvery, callAgain, firstCalls
	if reachable {
		pause, again, most = seedScanEvery, 0, 1
	}
	if len(s.waiting) == 0 && !within(now, s.began, again) {
		s.began, s.waiting = now, all()
		slices.SortFunc(s.waiting, func(a, b *transfer) int { return b.peers.called.Compare(a.peers.called) })
	}
	for len(turn) < most && len(s.waiting) > 0 {
		t := s.waiting[len(s.waiting)-1]
		first := t.peers.called.IsZero() && !reachable
		if !first && (len(turn) > 0 || within(now, s.last, pause)) {
			break
		}
		s.waiting = s.waiting[:len(s.waiting)-1]
		if fits(t) {
			t.peers.called, s.last = now, now
			turn = append(turn, t)
		}
	}
	return turn
}

// within tells whether less than d has passed since at; not when the clock was set back.
func within(now, at time.Time, d time.Duration) bool { return now.Sub(at) < d && !now.Before(at) }
