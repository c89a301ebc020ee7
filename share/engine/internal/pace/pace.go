// Package pace keeps to itself how much a node may upload so that the queue in front
// of its line stays short. It is a state machine without sockets and clock: it takes
// what connections show, and decides one rate for all of them.
//
// As in LEDBAT (RFC 6817), the queue is the delay of now less the least one of the
// same path. What peers show has their own queues in it, and package edge shows that of
// the line alone, a few times a second: the shorter of the two counts, and a line that
// shows itself to nobody is never held. No limit holds until the queue is long; then the
// rate follows what is acknowledged, a little more or less, so that the queue neither
// empties nor grows.
// docs/decisions/0006-adaptive-upload.md has the reasons for the numbers.
//
// Times are durations since a moment that is the same for all calls.
package pace

import (
	"cmp"
	"slices"
	"time"
)

const (
	// Tick is how often Step wants to be called while something is sent.
	Tick = 200 * time.Millisecond

	// A queue as long as begin has the line held; the queue is then kept at target. On a
	// line that needs longer than that for a few packets, both are longer.
	begin      = 60 * time.Millisecond
	target     = 35 * time.Millisecond
	fewPackets = 3 * 1500
	// The eighth of the bytes that waits least tells the queue: one of the line is in the
	// way of all, and one behind some peers is theirs.
	eighth = 8

	// A rate that is not needed for so long is no limit any more.
	liftAfter = 2 * time.Minute
	// Half the rate for a moment shows new connections the path without a queue, and
	// whether there is a queue at all: one of our own becomes shorter, by more than kept
	// leaves of it, until seen.
	drainEvery = 30 * time.Second
	drainTime  = 600 * time.Millisecond
	drainSeen  = drainTime + 2*Tick
	kept       = 0.8
	// A queue that stays for so long although less and less is sent is not ours, or
	// the path has become longer.
	patience = 30 * time.Second

	// The rate is never less than this, nor than a part of what the line has carried,
	// which is forgotten to a third in fade.
	leastRate = 16 << 10
	leastPart = 6
	fade      = 15 * time.Second
)

// Sample is what one connection shows at a moment.
type Sample struct {
	Trip  time.Duration // a delay that includes the time in queues
	Least time.Duration // the least of it that is remembered
	Acked uint64        // bytes since the connection began
}

// Flow is what is known about the path of one connection. The zero value is one that
// nothing is known about.
type Flow struct {
	known  bool
	last   Sample
	sent   float64       // bytes acknowledged between the last two samples
	low    time.Duration // the delay of the path without queues
	longer bool          // than the connection remembers
	era    int           // of the Controller
	recent time.Duration // least delay in the era
}

// Take takes a sample. It reports whether anything was acknowledged since the last.
func (f *Flow) Take(s Sample) bool {
	if !f.known {
		*f = Flow{known: true, last: s, low: s.Least, recent: s.Trip}
		return true
	}
	f.sent = float64(s.Acked - min(f.last.Acked, s.Acked))
	f.last = s
	f.low = min(f.low, s.Trip)
	if !f.longer {
		f.low = min(f.low, s.Least)
	}
	f.recent = min(f.recent, s.Trip)
	return f.sent > 0
}

// Sent is how many bytes were acknowledged between the last two samples.
func (f *Flow) Sent() float64 { return f.sent }

func (f *Flow) queue() time.Duration { return f.last.Trip - f.low }

// Line is what is known of the line itself.
type Line struct {
	Known bool // it can be seen
	Fresh bool // Queue is that of now
	Queue time.Duration
}

// Controller decides the rate. The zero value is one that has seen nothing.
type Controller struct {
	rate    float64 // bytes a second; 0 is no limit
	carried float64 // bytes a second that are acknowledged
	most    float64 // the most of that, as far as it is remembered

	stepped time.Duration
	needed  time.Duration // when the rate last held anything back
	drained time.Duration // when the rate was last halved for a moment
	before  time.Duration // the queue then; 0 once it was seen what became of it
	least   time.Duration // the shortest queue since
	era     int           // of Flow.recent
	short   time.Duration // when the queue was last short
	half    bool          // of our patience is over
	long    int           // ticks in a row with a queue that begins a limit
	calm    int           // ticks in a row with hardly any queue
	wary    bool
}

// Wary tells whether what the line shows matters at present.
func (c *Controller) Wary() bool { return c.wary }

// Step takes the flows, each of which has taken a sample just now, and what is known of
// the line. It returns the rate in bytes a second until the next step; 0 is no limit.
func (c *Controller) Step(now time.Duration, flows []*Flow, line Line) float64 {
	elapsed := now - c.stepped
	c.stepped = now
	if c.rate > 0 && now-c.needed > liftAfter {
		c.rate = 0
	}
	if elapsed > 10*Tick { // nothing was sent: what was measured is of another time
		c.carried, c.long, c.calm, c.before = 0, 0, 0, 0
		c.turn(now)
		return c.rate
	}
	c.carry(flows, elapsed)
	queue, ok := c.queue(flows)
	c.wary = c.rate > 0 || ok && queue > c.target()/2
	if line.Fresh {
		queue = min(queue, line.Queue)
	}
	if !line.Known {
		c.rate, c.long = 0, 0
		return 0
	}
	switch {
	case !ok:
	case c.rate == 0:
		c.watch(now, queue)
	default:
		c.steer(now, queue, elapsed)
		if c.ours(now, queue) {
			break
		}
		for _, f := range flows {
			f.low, f.longer = f.recent, true
		}
		c.turn(now)
	}
	if c.rate > 0 && now-c.drained >= drainEvery {
		c.drained, c.before, c.least = now, queue, queue
		c.era++
	}
	if c.rate > 0 && now-c.drained < drainTime {
		return max(leastRate, c.rate/2)
	}
	return c.rate
}

// ours tells whether the queue is taken for one of ours: not if it stays although the
// rate was halved or has become less and less.
func (c *Controller) ours(now, queue time.Duration) bool {
	c.least = min(c.least, queue)
	if c.before > 0 && now-c.drained >= drainSeen {
		stays := c.before > c.target()/2 && float64(c.least) > kept*float64(c.before)
		c.before = 0
		if stays && c.least < c.begin() {
			return false
		}
	}
	if !c.half && now-c.short > patience/2 { // until now it may have been shorter
		c.half = true
		c.era++
	}
	return now-c.short <= patience
}

// target is how long the queue is to be.
func (c *Controller) target() time.Duration {
	if c.most < 1 {
		return target
	}
	return max(target, time.Duration(fewPackets/c.most*float64(time.Second)))
}

// begin is how long a queue has the line held.
func (c *Controller) begin() time.Duration { return c.target() + begin - target }

// carry measures what is acknowledged.
func (c *Controller) carry(flows []*Flow, elapsed time.Duration) {
	var sent float64
	for _, f := range flows {
		sent += f.sent
	}
	now := sent / max(elapsed, time.Millisecond).Seconds()
	if c.rate == 0 || c.carried == 0 {
		c.carried = max(c.carried, now) // it may have grown until now
	}
	c.carried += (now - c.carried) * min(1, elapsed.Seconds()/0.6)
	c.most = max(c.most*(1-min(1, elapsed.Seconds()/fade.Seconds())), c.carried)
}

// queue is that of the line; false if too little was sent to tell.
func (c *Controller) queue(flows []*Flow) (time.Duration, bool) {
	var all float64
	telling := make([]*Flow, 0, len(flows))
	for _, f := range flows {
		if f.era != c.era {
			f.era, f.recent = c.era, f.last.Trip
		}
		if f.sent > 0 {
			telling = append(telling, f)
			all += f.sent
		}
	}
	slices.SortFunc(telling, func(a, b *Flow) int { return cmp.Compare(a.queue(), b.queue()) })
	left := all / eighth
	for _, f := range telling {
		if left -= f.sent; left <= 0 {
			return f.queue(), true
		}
	}
	return 0, false
}

// watch begins a limit when the queue is long.
func (c *Controller) watch(now, queue time.Duration) {
	if queue < c.begin() {
		c.long = 0
		return
	}
	if c.long++; c.long < 2 {
		return
	}
	c.rate = max(leastRate, c.carried*(1-less(queue-c.target(), 0)))
	c.long, c.calm = 0, 0
	c.needed, c.drained = now, now
	c.turn(now)
}

// turn notes that the queue is short.
func (c *Controller) turn(now time.Duration) {
	c.short = now
	if c.half {
		c.half = false
		c.era++
	}
}

// steer changes the rate by the queue.
func (c *Controller) steer(now, queue, elapsed time.Duration) {
	goal := c.target()
	if queue > goal {
		c.calm = 0
		c.long++
		c.needed = now
		c.rate = max(leastRate, c.most/leastPart, c.carried*(1-less(queue-goal, c.long)))
		return
	}
	c.long = 0
	c.turn(now)
	if c.carried < 0.8*c.rate {
		return
	}
	c.needed = now
	if c.calm++; queue > goal/2 {
		c.calm = 0
	}
	c.rate *= 1 + more(goal-queue, c.calm)*elapsed.Seconds()/Tick.Seconds()
}

// less is the part of the rate by which it falls for a queue that has been too long, by
// so much, for so many ticks. One of our own is gone in a second, a long one sooner. What
// stays longer is kept up by others.
func less(excess time.Duration, ticks int) float64 {
	over := excess.Seconds()
	return min((over+2.5*over*over)*float64(1+max(0, ticks-5)/3), 0.5)
}

// more is the part of the rate by which it grows in a tick: the more, the shorter the
// queue is than it may be and the longer that is so.
func more(room time.Duration, calm int) float64 {
	return min(room.Seconds()*(1+float64(calm)/3), 1.0/12)
}
