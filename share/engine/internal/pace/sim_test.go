package pace

import (
	"math"
	"time"
)

// grain is the step of the simulation.
const grain = 10 * time.Millisecond

// chunk is what enters the queue of a line in one grain.
type chunk struct {
	ours, others float64 // bytes
	acked        time.Duration
	waited       time.Duration
}

// window is the congestion control of TCP, as far as it matters here: it grows by some
// hundredths a round trip, as CUBIC does in the mean, and is less by a third after a loss.
type window struct {
	size, flight, threshold float64
	blind                   time.Duration // losses until then are one event
}

const mss = 1400

func (w *window) acked(n float64) {
	w.flight -= n
	if w.size < w.threshold {
		w.size += n
	} else if w.size > 0 {
		w.size += max(mss, w.size/32) * n / w.size
	}
}

func (w *window) lost(now, trip time.Duration, n float64) {
	w.flight -= n
	if now >= w.blind {
		w.size = max(2*mss, w.size*0.7)
		w.threshold = w.size
		w.blind = now + trip
	}
}

func newWindow() window { return window{size: 10 * mss, threshold: math.Inf(1)} }

// uplink is a line with a queue, behind which our flows and one TCP of somebody else
// send. Its fields may change at any time.
type uplink struct {
	now      time.Duration
	capacity float64       // bytes a second
	buffer   time.Duration // of the queue
	trip     time.Duration // without queues
	demand   float64       // bytes a second that we want to send
	rival    bool          // somebody else sends all he can
	// extra is the delay that flow i has beside that of the line.
	extra func(i int) time.Duration
	// hidden says that no router answers.
	hidden bool

	asked   int
	seen    time.Duration
	queued  float64
	path    []chunk
	us, him window
	flows   []*Flow
	state   []peer
	c       Controller
	rate    float64
	next    time.Duration
}

// peer is the far end of one of our flows.
type peer struct {
	acked  float64
	smooth float64 // seconds
	least  float64
}

func newUplink(flows int) *uplink {
	u := &uplink{
		capacity: 1.25e6, buffer: 400 * time.Millisecond, trip: 50 * time.Millisecond, demand: math.Inf(1),
		us: newWindow(), him: newWindow(), extra: func(int) time.Duration { return 0 },
	}
	for range flows {
		u.flows = append(u.flows, new(Flow))
		u.state = append(u.state, peer{})
	}
	return u
}

// figures are of a time that was simulated.
type figures struct {
	ours, others float64 // bytes that got through
	capacity     float64 // bytes that could have
	queues       []time.Duration
}

func (f *figures) share() float64 { return (f.ours + f.others) / f.capacity }

// run simulates d.
func (u *uplink) run(d time.Duration) (f figures) {
	for end := u.now + d; u.now < end; u.now += grain {
		if u.now >= u.next {
			u.next = u.now + Tick
			u.step()
		}
		u.send(&f)
		u.receive(&f)
	}
	return f
}

func (u *uplink) step() {
	for i, f := range u.flows {
		s := u.state[i]
		if s.smooth > 0 {
			f.Take(Sample{Trip: seconds(s.smooth), Least: seconds(s.least), Acked: uint64(s.acked)})
		}
	}
	u.rate = u.c.Step(u.now, u.flows, u.line())
}

// line is what routers show: three of four answer.
func (u *uplink) line() Line {
	if u.hidden {
		return Line{}
	}
	if u.asked++; u.asked%4 > 0 {
		u.seen = seconds(u.queued / u.capacity)
	}
	return Line{Known: true, Fresh: true, Queue: u.seen}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// send has everybody send for one grain.
func (u *uplink) send(f *figures) {
	allowed := u.demand
	if u.rate > 0 {
		allowed = min(allowed, u.rate)
	}
	ours := max(0, min(allowed*grain.Seconds(), u.us.size-u.us.flight))
	others := 0.0
	if u.rival {
		others = max(0, min(u.him.size-u.him.flight, 1e9*grain.Seconds()))
	}
	u.us.flight += ours
	u.him.flight += others
	sent := u.capacity * grain.Seconds()
	room := max(0, u.buffer.Seconds()*u.capacity+sent-u.queued)
	if all := ours + others; all > room {
		drop := (all - room) / all
		trip := u.trip + u.buffer
		if ours > 0 {
			u.us.lost(u.now, trip, ours*drop)
		}
		if others > 0 {
			u.him.lost(u.now, trip, others*drop)
		}
		ours, others = ours*(1-drop), others*(1-drop)
	}
	u.queued += ours + others
	waited := seconds(u.queued / u.capacity)
	u.path = append(u.path, chunk{ours, others, u.now + waited + u.trip, waited})
	u.queued = max(0, u.queued-sent)
	f.capacity += sent
	f.queues = append(f.queues, waited)
}

// receive takes what is acknowledged in this grain.
func (u *uplink) receive(f *figures) {
	for len(u.path) > 0 && u.path[0].acked <= u.now {
		k := u.path[0]
		u.path = u.path[1:]
		u.us.acked(k.ours)
		u.him.acked(k.others)
		f.ours += k.ours
		f.others += k.others
		for i := range u.state {
			p, n := &u.state[i], k.ours/float64(len(u.state))
			if n == 0 {
				continue
			}
			p.acked += n
			sample := (k.waited + u.trip + u.extra(i)).Seconds()
			if p.smooth == 0 {
				p.smooth, p.least = sample, sample
			}
			for range max(1, int(n/2/mss)) {
				p.smooth += (sample - p.smooth) / 8
			}
			p.least = min(p.least, sample)
		}
	}
}
