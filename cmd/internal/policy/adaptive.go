package policy

import (
	"context"
	"slices"
	"time"
)

// The adaptive upload limit keeps the queue in front of the line short. Every second
// it compares the time that acknowledgements of peers take with the shortest time
// they ever took: the difference is the queue. While the queue is longer than
// delayTarget, the node sends less, otherwise slowly more. The numbers are explained
// in docs/decisions/0006-adaptive-upload.md.
const (
	delayTarget = 60 * time.Millisecond
	adaptEvery  = time.Second
	// A connection that sent less says nothing about the queue.
	busyBytes = 8 << 10
	// Below this rate the queue is not ours.
	floorRate = 16 << 10
	// growth: the limit grows by 1/growth each second.
	growth = 16
	// The system remembers the shortest times of the last five minutes. A queue
	// that lasted all that time would look like a longer line: every drainEvery
	// the node sends less for a moment, to see the line without a queue.
	drainEvery = 4 * time.Minute
	drainTime  = 2 * time.Second
	// A limit that was not needed for this long is removed.
	liftAfter = 2 * time.Minute
)

// delay is what is known about one connection.
type delay struct {
	queue time.Duration // the latest round trip less the shortest one
	sent  int64         // bytes acknowledged since the last measurement
}

// pacer decides the upload limit from measurements made once a second.
type pacer struct {
	limit   float64 // bytes per second; 0 is none
	needed  time.Time
	drained time.Time
	wait    int // seconds until a change has shown its effect
}

// queueOf is the delay of the queue: the median of the connections that send, each
// weighted by what it sent. ok is false if too little was sent to tell.
func queueOf(delays []delay) (queue time.Duration, ok bool) {
	delays = slices.DeleteFunc(slices.Clone(delays), func(d delay) bool { return d.sent < busyBytes })
	var sent int64
	for _, d := range delays {
		sent += d.sent
	}
	if sent == 0 {
		return 0, false
	}
	slices.SortFunc(delays, func(a, b delay) int { return int(a.queue - b.queue) })
	half := sent / 2
	for _, d := range delays {
		if half -= d.sent; half < 0 {
			return d.queue, true
		}
	}
	return delays[len(delays)-1].queue, true
}

// step takes the delays of the last second and the upload rate, and returns the
// limit for the next second.
func (p *pacer) step(now time.Time, delays []delay, rate int64) int64 {
	queue, ok := queueOf(delays)
	if p.limit > 0 && now.Sub(p.drained) >= drainEvery {
		p.drained = now
	}
	switch {
	case !ok || rate < floorRate/2:
		// Nothing was measured: keep the limit for a while.
	case queue > delayTarget:
		p.needed = now
		if p.wait > 0 {
			p.wait--
			break
		}
		// Reduce more for a longer queue: at most by a third in one step.
		over := min(float64(queue)/float64(delayTarget), 4)
		from := float64(rate)
		if p.limit > 0 {
			from = min(from, p.limit)
		}
		if p.limit == 0 {
			p.drained = now
		}
		p.limit = max(floorRate, from*(1-over/12))
		// A queue takes time to drain; until then it shows no effect.
		p.wait = 1
	case p.limit > 0 && float64(rate) > 0.8*p.limit:
		p.wait = 0
		p.needed = now
		// More slowly near the target.
		room := 1 - float64(queue)/float64(delayTarget)
		p.limit += p.limit / growth * room
	default:
		p.wait = 0
	}
	if p.limit > 0 && now.Sub(p.needed) > liftAfter {
		p.limit = 0
	}
	if p.limit > 0 && now.Sub(p.drained) < drainTime {
		return int64(max(floorRate, p.limit/2))
	}
	return int64(p.limit)
}

// Adapt measures the connection until ctx ends, and tells l which upload rate does
// not build up a queue. up is the current upload rate.
func (l *Limiter) Adapt(ctx context.Context, up func() int64) error {
	tick := time.NewTicker(adaptEvery)
	defer tick.Stop()
	var p pacer
	var told int64
	meter := newDelayMeter()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		line := int64(0)
		l.mu.Lock()
		adaptive := l.plan.Adaptive
		l.mu.Unlock()
		if adaptive {
			line = p.step(l.now(), meter.read(), up())
		} else {
			p = pacer{}
		}
		if line != told {
			told = line
			l.bears(line)
		}
	}
}
