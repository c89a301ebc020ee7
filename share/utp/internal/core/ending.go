package core

import "time"

// ending is how far the end of a connection has come at this side.
type ending struct {
	queued  bool          // nothing more will be written
	sent    bool          // the FIN is on its way, or was acknowledged
	closed  bool          // nobody reads any more
	at      time.Duration // since when
	settled time.Duration // since when nothing is left to do but to answer; 0 before
}

// settle is called when the last packet on its way may have been acknowledged.
func (e *ending) settle(now time.Duration, acknowledged bool) {
	if e.closed && e.sent && acknowledged && e.settled == 0 {
		e.settled = now
	}
}

// again is called when the peer sent again what had arrived: it lacks our answer.
func (e *ending) again(now time.Duration) {
	if e.settled > 0 {
		e.settled = now
	}
}

// until is for how long a closed connection is kept, where the peer may have ended
// its side, too; false if it is not closed.
func (e *ending) until(linger time.Duration, peerEnded bool) (time.Duration, bool) {
	switch {
	case !e.closed:
		return 0, false
	case e.settled == 0:
		return e.at + linger, true
	case peerEnded:
		return e.settled + timeWait, true
	}
	return e.settled + finWait, true
}
