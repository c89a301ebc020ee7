package core

import "time"

const (
	// The lowest delay of each of so many minutes is kept: the base is what the
	// path has without a queue, and routes change.
	baseMinutes = 10
	// The current delay is the lowest of so many samples: single ones are noise. A
	// host that was busy makes all packets of a while late: what is to last for a
	// round trip is the lowest of about one.
	currentSamples = 4
	// Clocks do not drift by more than this between two samples; more is a new route.
	maxDrift = 10 * time.Millisecond
)

// minutes is the lowest of the samples of the last minutes. Samples are of a clock
// that wraps after 2^32 microseconds; the lowest is the one from which the others
// are less than half of that away.
type minutes struct {
	lows  [baseMinutes]uint32
	known int           // of lows
	at    int           // the minute that runs
	since time.Duration // its begin
}

func lower(a, b uint32) bool { return int32(a-b) < 0 }

// add takes a sample, in microseconds.
func (m *minutes) add(now time.Duration, sample uint32) {
	switch {
	case m.known == 0:
		m.lows[0], m.known, m.at, m.since = sample, 1, 0, now
	case now-m.since >= time.Minute:
		m.at = (m.at + 1) % baseMinutes
		m.known = min(m.known+1, baseMinutes)
		m.lows[m.at], m.since = sample, now
	case lower(sample, m.lows[m.at]):
		m.lows[m.at] = sample
	}
}

// base is the lowest sample of the last minutes; false without one.
func (m *minutes) base() (uint32, bool) {
	if m.known == 0 {
		return 0, false
	}
	low := m.lows[m.at]
	for i := range m.known {
		if lower(m.lows[i], low) {
			low = m.lows[i]
		}
	}
	return low, true
}

// shift adds to all that is known: our clock ran away from theirs.
func (m *minutes) shift(by uint32) {
	for i := range m.known {
		m.lows[i] += by
	}
}

// delays tells from the timestamps of both ends for how long our packets wait in
// queues. The clocks of the ends differ by any amount, and drift.
type delays struct {
	ours   minutes // of packets from here, measured there
	theirs minutes // of packets to here
	trips  minutes // round trips
	recent [currentSamples]uint32
	count  int // samples taken
	trip   time.Duration

	halves [2]uint32 // the lowest of this half of a round trip, and of the one before
	half   time.Duration
}

// their takes the delay of a packet to here. When its lowest falls, their clock
// runs faster than ours (or the path became shorter): what falls in one direction
// rises in the other without any queue, so our base goes up.
func (d *delays) their(now time.Duration, sample uint32) {
	prev, known := d.theirs.base()
	d.theirs.add(now, sample)
	base, _ := d.theirs.base()
	if fell := prev - base; known && lower(base, prev) && fell <= uint32(maxDrift.Microseconds()) {
		d.ours.shift(fell)
	}
}

// our takes the delay of a packet from here.
func (d *delays) our(now time.Duration, sample uint32) {
	d.ours.add(now, sample)
	d.recent[d.count%currentSamples] = sample
	if now-d.half >= d.trip/2 || d.count == 0 {
		d.halves, d.half = [2]uint32{sample, d.halves[0]}, now
		if d.count == 0 {
			d.halves[1] = sample
		}
	} else if lower(sample, d.halves[0]) {
		d.halves[0] = sample
	}
	d.count++
}

// round takes a round trip: no queue on the way there is longer than what the
// round trip is above its lowest, whatever clocks say.
func (d *delays) round(now, rtt time.Duration) {
	d.trips.add(now, uint32(rtt.Microseconds()))
	d.trip = rtt
}

// lowestTrip is the round trip of the path without queues; 0 before the first.
func (d *delays) lowestTrip() time.Duration {
	low, _ := d.trips.base()
	return time.Duration(low) * time.Microsecond
}

// queueing is for how long our packets wait now; false before the first sample.
func (d *delays) queueing() (time.Duration, bool) {
	low := d.recent[0]
	for i := range min(d.count, currentSamples) {
		if lower(d.recent[i], low) {
			low = d.recent[i]
		}
	}
	return d.above(low)
}

// standing is for how long our packets waited at the least in the last round trip.
func (d *delays) standing() (time.Duration, bool) {
	now, known := d.queueing()
	low := d.halves[0]
	if lower(d.halves[1], low) {
		low = d.halves[1]
	}
	q, _ := d.above(low)
	return min(q, now), known
}

// above is how much a sample is above the base.
func (d *delays) above(sample uint32) (time.Duration, bool) {
	base, known := d.ours.base()
	if !known {
		return 0, false
	}
	q := time.Duration(0)
	if lower(base, sample) {
		q = time.Duration(sample-base) * time.Microsecond
	}
	if d.trip > 0 {
		q = min(q, d.trip-d.lowestTrip())
	}
	return max(q, 0), true
}
