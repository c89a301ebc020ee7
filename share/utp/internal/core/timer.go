package core

import "time"

// The backoff at which a peer without room is asked whether there is some.
const askedFull = 2

// A peer may keep its acknowledgement back for so long.
const peerAckDelay = 50 * time.Millisecond

// timer knows when packets on their way are to be sent again without a word from
// the peer.
type timer struct {
	estimator
	timeoutAt time.Duration // when all is held to be lost
	movedAt   time.Duration // when something was sent or newly acknowledged
	tailed    bool          // the tail was probed since the last acknowledgement
}

// start is called when a packet is sent and none was on its way.
func (t *timer) start(now time.Duration) { t.timeoutAt = now + t.timeout() }

// moved is called when something was newly acknowledged.
func (t *timer) moved(now time.Duration) {
	t.backoff, t.tailed, t.movedAt = 0, false, now
	t.start(now)
}

// fired is called when nothing was acknowledged until timeoutAt. A peer that has no room,
// but answers, is asked at the same pace for as long as it takes: the word that there is
// room again can be lost.
func (t *timer) fired(now time.Duration, answered bool) {
	if t.backoff++; answered {
		t.backoff = min(t.backoff, askedFull)
	}
	t.start(now)
}

// tailAt is when the answer to the last packets is so late that they are held to be
// lost: nothing was sent after them that could prove it sooner. False if that is
// known already, or cannot be known.
func (t *timer) tailAt() (time.Duration, bool) {
	return t.movedAt + 2*t.srtt + peerAckDelay, !t.tailed && t.srtt > 0 && t.backoff == 0
}
