package core

import (
	"math"
	"time"
)

const (
	// DefaultTarget is the queueing delay that a flow aims at, at the most.
	DefaultTarget = 40 * time.Millisecond

	minWindow     = 2 // packets
	initialWindow = 4 // packets
	// Slow start ends when this much of the target is reached: what is on its way
	// then still adds to the queue.
	slowStartEnd = 0.75
	// The first slowdown begins so many round trips after slow start. A slowdown takes
	// at most a twentieth of the time: the next begins after so many times its length.
	slowdownTrips = 2
	slowdownRest  = 20
	// A slowdown has a flow send this part of what the path holds without a queue, for a
	// round trip and until its queue is gone. LEDBAT++ has it hold still, and then it
	// takes many round trips to be back.
	slowdownPart = 0.5
	// With a queue below this part of the target the line is free: a flow grows as
	// TCP does, and there is nothing to drain.
	freeLine = 0.25
	// The window after a loss, and how fast it grows on a free line at the least, in
	// packets a round trip, as libtorrent's does, and later, in packets per cubic
	// second (RFC 9438).
	lossFactor = 0.75
	freeGrowth = 2
	cubicScale = 0.4
	// Where nothing was lost for so long, the window of a free line grows by this part
	// in a round trip: slow start may have ended for a delay that was no queue.
	calm       = 10 * time.Second
	calmGrowth = 1. / 8
)

// ledbat decides how many bytes may be on their way, by RFC 6817 with the
// corrections of LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus).
type ledbat struct {
	delays
	target time.Duration
	mss    float64
	window float64 // bytes
	// Below the threshold the window grows as in slow start.
	threshold float64
	lossAt    time.Duration // until when another loss is the same event
	losses    int           // of that event
	undo      struct {      // what was before it; window is 0 for nothing
		window, threshold float64
		slowAt, lossAt    time.Duration
	}

	// The growth on a free line: since when, 0 for not now; the window that is
	// approached first, and when it is reached.
	freeSince time.Duration
	known     float64
	knownAt   time.Duration

	// The slowdown: due at slowAt, once slow start has ended; then held down until
	// holdUntil; then back to the threshold.
	slowing   bool
	slowAt    time.Duration // 0 while none is due
	slowSince time.Duration
	holdUntil time.Duration
}

func newLedbat(target time.Duration, mss int) *ledbat {
	return &ledbat{target: target, mss: float64(mss), window: float64(initialWindow * mss), threshold: math.Inf(1)}
}

// setMSS is told of the size of full packets.
func (l *ledbat) setMSS(mss int) {
	l.mss = float64(mss)
	l.window = max(l.window, minWindow*l.mss)
}

// gain makes a flow on a short path grow as slowly as those on long ones do.
func (l *ledbat) gain() float64 {
	base := l.lowestTrip()
	if base <= 0 {
		return 1
	}
	return 1 / min(16, math.Ceil(2*float64(l.target)/float64(base)))
}

// acked is called when bytes became acknowledged. Full says whether the window was
// used up: one that is not used tells nothing and does not grow.
func (l *ledbat) acked(now time.Duration, bytes int, full bool, trip time.Duration) {
	if l.slowAt > 0 && now >= l.slowAt && !l.slowing && !l.free() {
		l.slowing, l.slowSince = true, now
		l.threshold = l.window
		queue, _ := l.queueing()
		inPath := l.window * float64(l.lowestTrip()) / float64(max(trip, l.lowestTrip(), 1))
		l.window = max(minWindow*l.mss, inPath*slowdownPart)
		l.holdUntil = now + trip + time.Duration(float64(queue)/slowdownPart)
	}
	switch {
	case l.slowing && now < l.holdUntil:
		return
	case l.slowing && l.window >= l.threshold: // losses left nothing to return to
		l.endSlowStart(now, trip)
	}
	n := float64(bytes)
	if l.window < l.threshold {
		queue, known := l.queueing()
		// The first slow start only: after a slowdown a flow returns to what it had,
		// or the smaller of two would never do so.
		if first := math.IsInf(l.threshold, 1); first && known && float64(queue) > slowStartEnd*float64(l.target) {
			l.endSlowStart(now, trip)
			return
		}
		if full {
			l.window += n * l.gain()
		}
		if l.window >= l.threshold {
			l.window = l.threshold
			l.endSlowStart(now, trip)
		}
		return
	}
	// One round trip acknowledges one window: a packet's worth of change a trip is
	// shared among its acknowledgements.
	share := n / l.window
	queue, known := l.standing()
	over := float64(queue)/float64(l.target) - 1
	switch {
	case known && over > 0:
		change := max(l.gain()*l.mss-l.window*over, -l.window/2)
		l.window = max(minWindow*l.mss, l.window+share*change)
		l.threshold = min(l.threshold, l.window)
		l.settle()
	case !full:
		l.settle()
	case l.free():
		l.window += share * l.climb(now, trip)
	default:
		l.settle()
		l.window += share * l.gain() * l.mss
	}
}

// free reports whether there is hardly a queue.
func (l *ledbat) free() bool {
	queue, known := l.standing()
	return known && float64(queue) < freeLine*float64(l.target)
}

// settle ends the growth on a free line: the window is the one to come back to.
func (l *ledbat) settle() { l.freeSince, l.known = 0, l.window }

// climb is by how much the window may grow in a round trip on a free line: a little,
// or what CUBIC has it grow by, which soon returns to the window of the last loss,
// stays near it, and then leaves it faster and faster.
func (l *ledbat) climb(now, trip time.Duration) float64 {
	if l.freeSince == 0 {
		l.freeSince = max(now, 1)
		l.known = max(l.known, l.window)
		l.knownAt = l.freeSince + time.Duration(math.Cbrt((l.known-l.window)/l.mss/cubicScale)*float64(time.Second))
	}
	t := (now + trip - l.knownAt).Seconds()
	cubic := l.known + cubicScale*t*t*t*l.mss
	grow := max(freeGrowth*l.mss, cubic-l.window)
	if l.lossAt == 0 || now-l.lossAt > calm {
		grow = max(grow, calmGrowth*l.window)
	}
	return min(grow, l.window/2)
}

// endSlowStart also says when the next slowdown is due: two round trips after the
// first slow start, then so that slowdowns take a twentieth of the time.
func (l *ledbat) endSlowStart(now, trip time.Duration) {
	l.threshold = l.window
	switch {
	case l.slowing:
		l.slowing = false
		l.slowAt = now + slowdownRest*(now-l.slowSince)
	case l.slowAt == 0:
		l.slowAt = now + slowdownTrips*trip
	}
}

// lost is called when a packet was lost: once a round trip the window shrinks.
func (l *ledbat) lost(now, trip time.Duration) {
	if now < l.lossAt {
		l.losses++
		return
	}
	l.undo.window, l.undo.lossAt = 0, l.lossAt
	l.lossAt, l.losses = now+trip, 1
	l.freeSince, l.known = 0, l.window
	if l.slowing {
		// The window is small already. What it returns to becomes less.
		l.threshold = max(minWindow*l.mss, l.threshold*lossFactor)
		l.window = min(l.window, l.threshold)
		return
	}
	l.undo.window, l.undo.threshold, l.undo.slowAt = l.window, l.threshold, l.slowAt
	l.window = max(minWindow*l.mss, l.window*lossFactor)
	l.endSlowStart(now, trip)
}

// found is called when n packets held to be lost were only late. If none of the
// last event was lost, all becomes as it was.
func (l *ledbat) found(n int) {
	if l.losses -= n; l.losses > 0 || l.undo.window == 0 || l.slowing {
		return
	}
	l.window = max(l.window, l.undo.window)
	l.threshold = max(l.window, l.undo.threshold)
	l.slowAt, l.lossAt = l.undo.slowAt, l.undo.lossAt
	l.undo.window = 0
}

// silent is called when nothing was acknowledged for a timeout.
func (l *ledbat) silent() {
	l.threshold = max(minWindow*l.mss, l.window/2)
	l.window = l.mss
	l.undo.window = 0
	l.slowing, l.slowAt = false, 0
}
