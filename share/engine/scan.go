package engine

import "time"

// seedScanEvery is how often a seed at rest looks for peers.
const seedScanEvery = 30 * time.Second

// scan takes seeds at rest one after another: each looks for peers when it is its
// turn, since a peer that cannot connect to us may be reached by us. It is owned by
// the loop.
type scan struct {
	last    time.Time
	waiting []*transfer
}

// due tells whether it is time for the next, also after the clock was set back.
func (s *scan) due(now time.Time) bool {
	if now.Sub(s.last) < seedScanEvery && !now.Before(s.last) {
		return false
	}
	s.last = now
	return true
}

// next takes the next that fits; nil if none does. all lists the transfers for
// another pass.
func (s *scan) next(all func() []*transfer, fits func(*transfer) bool) *transfer {
	if len(s.waiting) == 0 {
		s.waiting = all()
	}
	for len(s.waiting) > 0 {
		t := s.waiting[len(s.waiting)-1]
		s.waiting = s.waiting[:len(s.waiting)-1]
		if fits(t) {
			return t
		}
	}
	return nil
}
