package core

import "time"

const (
	// A packet that comes so late after others was not lost but overtaken, if the peer
	// cannot have sent it again meanwhile.
	overtaken = 25 * time.Millisecond
	// So many have to be, and so many times as many as were lost, before what is missing
	// is not told for so long.
	fewOvertaken  = 8
	overtakenPart = 4
	// Of so many, half are forgotten.
	mostOvertaken = 64
)

// disorder knows whether packets that are missing were overtaken or lost. Others hold a
// packet to be lost when a few later ones are acknowledged, and halve their window: where
// a path changes the order, they are told of later packets only when it is time.
type disorder struct {
	since      time.Duration // the first missing packet was missing
	fresh      bool          // none was missing before it
	late, lost int
}

// came takes what became of a packet, and whether some are missing before and after it.
func (d *disorder) came(now, trip time.Duration, v verdict, gap bool) {
	switch {
	case v == outOfTurn && d.since == 0:
		d.since, d.fresh = now, true
	case v == closedGap:
		if d.fresh {
			d.count(now-d.since < min(overtaken, trip))
		}
		if d.since, d.fresh = 0, false; gap {
			d.since = now // at the latest
		}
	}
}

func (d *disorder) count(late bool) {
	if late {
		d.late++
	} else {
		d.lost++
	}
	if d.late+d.lost >= mostOvertaken {
		d.late, d.lost = d.late/2, d.lost/2
	}
}

// wait is until when the packet that is missing may yet come; false if there is no reason
// to think so.
func (d *disorder) wait(now time.Duration) (until time.Duration, may bool) {
	until = d.since + overtaken
	return until, d.since > 0 && now < until && d.late >= fewOvertaken && d.late >= overtakenPart*d.lost
}
