package policy

import (
	"context"
	"slices"
	"time"
)

// The adaptive upload limit keeps the queue in front of the line short. Every
// second it looks at how much longer than the shortest time it ever took the
// peers' acknowledgements take now: that is the queue. While it is longer than
// delayTarget less is sent, else slowly more. The reasons for the numbers are in
// docs/decisions.
const (
	delayTarget = 60 * time.Millisecond
	adaptEvery  = time.Second
	// A connection that sent less tells nothing of the queue.
	busyBytes = 8 << 10
	// Below this the line is not ours to judge.
	floorRate = 16 << 10
	// growth is how much more is tried each second: 1/growth of the limit.
	growth = 16
	// The shortest times the system remembers are of the last five minutes. A
	// queue that stood all that time would be taken for the line: every
	// drainEvery less is sent for a moment, so that it is seen without.
	drainEvery = 4 * time.Minute
	drainTime  = 2 * time.Second
	// A limit that was not needed for this long is lifted.
	liftAfter = 2 * time.Minute
)

// delay is what one connection tells.
type delay struct {
	queue time.Duration // how much longer than the shortest round trip the latest took
	sent  int64         // bytes acknowledged since the last look
}

// pacer decides the upload limit from what is observed once a second.
type pacer struct {
	limit   float64 // bytes per second; 0 is none
	needed  time.Time
	drained time.Time
	wait    int // seconds until a change has shown its effect
}

// queueOf is the delay of the queue: the median of the connections that send,
// each counting as much as it sent. Not ok when too little was sent to tell.
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

// step takes in the delays of the last second and the rate of sending, and
// returns the limit for the next.
func (p *pacer) step(now time.Time, delays []delay, rate int64) int64 {
	queue, ok := queueOf(delays)
	if p.limit > 0 && now.Sub(p.drained) >= drainEvery {
		p.drained = now
	}
	switch {
	case !ok || rate < floorRate/2:
		// Nothing to see: keep what was learnt for a while.
	case queue > delayTarget:
		p.needed = now
		if p.wait > 0 {
			p.wait--
			break
		}
		// The longer the queue, the harder: at most by a third in one step.
		over := min(float64(queue)/float64(delayTarget), 4)
		from := float64(rate)
		if p.limit > 0 {
			from = min(from, p.limit)
		}
		if p.limit == 0 {
			p.drained = now
		}
		p.limit = max(floorRate, from*(1-over/12))
		// A queue takes its time to drain; until then it says nothing new.
		p.wait = 1
	case p.limit > 0 && float64(rate) > 0.8*p.limit:
		p.wait = 0
		p.needed = now
		// Slower the nearer to the target.
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

// Adapt follows the connection until ctx ends: l is told what it bears without
// queueing. up is the rate of the upload now.
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
