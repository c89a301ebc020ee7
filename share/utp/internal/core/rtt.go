package core

import "time"

const (
	initialRTO = time.Second
	minRTO     = 500 * time.Millisecond
	maxRTO     = 60 * time.Second
	// clockGranularity is what RFC 6298 calls G.
	clockGranularity = 10 * time.Millisecond
)

// estimator knows the round trip and for how long to wait for an acknowledgement,
// by RFC 6298.
type estimator struct {
	srtt, rttvar time.Duration
	backoff      uint // timeouts since the last new acknowledgement
}

// sample takes the round trip of a packet that was sent only once.
func (e *estimator) sample(rtt time.Duration) {
	if e.srtt == 0 {
		e.srtt, e.rttvar = max(rtt, 1), rtt/2
		return
	}
	e.rttvar += ((e.srtt - rtt).Abs() - e.rttvar) / 4
	e.srtt = max(1, e.srtt+(rtt-e.srtt)/8)
}

// timeout is after how long an unanswered packet is sent again.
func (e *estimator) timeout() time.Duration { return min(maxRTO, e.first()<<min(e.backoff, 7)) }

// first is the timeout of a packet that was sent once.
func (e *estimator) first() time.Duration {
	if e.srtt == 0 {
		return initialRTO
	}
	return max(minRTO, e.srtt+max(clockGranularity, 4*e.rttvar))
}

// trip is the smoothed round trip, or a guess before there was one.
func (e *estimator) trip() time.Duration {
	if e.srtt == 0 {
		return initialRTO
	}
	return e.srtt
}
