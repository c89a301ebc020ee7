package engine

import (
	"fmt"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	// A transfer that is short of peers searches again after this, which grows
	// to the longest while searches bring nothing new.
	searchAgain   = 10 * time.Second
	searchLongest = 2 * time.Minute
	searchEnough  = 10 * time.Minute // while it has enoughPeers
	enoughPeers   = 20
)

// search is when a transfer looks for peers, and why it has none.
type search struct {
	next  time.Time
	pause time.Duration
	round *round    // the latest
	asked bool      // somebody has been asked at least once
	fresh bool      // something new was found since the last round
	open  bool      // there is anybody to ask
	had   bool      // somebody was connected
	last  time.Time // when a round last began
}

// reason says why there are no peers; empty when there are.
func (s *search) reason(b *book, peers int, now time.Time) string {
	if peers > 0 {
		return ""
	}
	known := 0
	if b != nil {
		known = len(b.entries)
	}
	next := ""
	if wait := s.next.Sub(now); s.round.over() && wait > 0 {
		next = ", next try in " + face.Seconds(wait)
	}
	switch {
	case known == 1:
		return "1 peer known, not connected yet" + next
	case known > 0:
		return fmt.Sprintf("%d peers known, none connected yet%s", known, next)
	case !s.asked || !s.round.over():
		return "looking for peers"
	case !s.open:
		return "nobody to ask: the link names no peer, and no way to find peers is on"
	}
	return "no peers found yet" + next
}

// begin begins a round where it is time for one, and reports whether it did. peers
// are those connected.
func (s *search) begin(peers int, now time.Time) bool {
	if s.had && peers == 0 { // who was left alone does not wait for long
		s.pause = 0
		if soon := s.last.Add(searchAgain); soon.Before(s.next) {
			s.next = soon
		}
	}
	s.had = peers > 0
	if now.Before(s.next) || !s.round.over() {
		return false
	}
	switch {
	case peers >= enoughPeers:
		s.pause = searchEnough
	case s.fresh || s.pause == 0 || s.pause > searchLongest:
		s.pause = searchAgain
	default:
		s.pause = min(s.pause*3/2, searchLongest)
	}
	s.next, s.last, s.fresh, s.round = now.Add(s.pause), now, false, &round{}
	return true
}
