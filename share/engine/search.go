package engine

import (
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

const (
	// A transfer that needs peers searches again after searchAgain, which grows to
	// searchLongest while searches find nothing new.
	searchAgain   = 10 * time.Second
	searchLongest = 2 * time.Minute
	searchEnough  = 10 * time.Minute // while it has enoughPeers
	enoughPeers   = 20
)

// search is when a transfer looks for peers next, and why it has none.
type search struct {
	next  time.Time
	pause time.Duration
	round *round    // the latest
	asked bool      // a source has been asked
	fresh bool      // a new address was found since the last round
	open  bool      // there is a source to ask
	had   bool      // a peer was connected
	last  time.Time // when a round last began
}

// reason says why there are no peers; empty when there are.
func (s *search) reason(b *book, peers int, now time.Time) share.Text {
	if peers > 0 {
		return share.Text{}
	}
	known := 0
	if b != nil {
		known = len(b.entries)
	}
	why, waits := share.Say("no peers found yet"), true
	switch {
	case known == 1:
		why = share.Say("1 peer known, not connected yet")
	case known > 0:
		why = share.Say("%d peers known, none connected yet", known)
	case !s.asked || !s.round.over():
		why, waits = share.Say("looking for peers"), false
	case !s.open:
		return share.Say("no way to find peers: the link has none, and no other source is on")
	}
	if wait := s.next.Sub(now); waits && s.round.over() && wait > 0 {
		why = share.Say("%v, next try in %s", why, face.Seconds(wait))
	}
	if n := b.leftOut(); n > 0 {
		why = share.Say("%v; %v skipped, IPv4 only (--ipv4 uses them)", why, share.Count(n, "peer", "peers"))
	}
	return why
}

// begin begins a round if it is time for one, and reports whether it did. peers is how
// many are connected.
func (s *search) begin(peers int, now time.Time) bool {
	if s.had && peers == 0 { // it has lost all of them and does not wait for long
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
