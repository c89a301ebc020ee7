// Package edge keeps to itself how long packets wait in the queue of this host's line,
// which nothing that peers show can tell: their acknowledgements wait in lines of their
// own.
//
// A datagram whose hop limit is used up is answered by the router where that happens
// (ICMPv6, RFC 4443, 3.3). The first router is the one at home, before the queue of the
// line; the next one that answers is the provider's, behind it. What an answer of that
// one takes beyond the least it ever took is the queue. Such a datagram never reaches
// the address that it is sent to.
//
//	this host ──▶ router ──▶ [queue] ──▶ provider ──▶ … ──▶ peer
//	                 1                     2 ◀ asked   4 at most
package edge

import "time"

// ruler decides which routers are asked, and takes their answers. It is a state machine
// without sockets and clock: times are durations since a moment that is the same for all
// calls. The zero value knows nothing yet.
type ruler struct {
	hops  [farthest + 1]hop
	at    int // the hop whose answers count; 0 is none yet
	sent  [remembered]probe
	seq   uint16
	asked time.Duration // when somebody was last asked
	tries int           // rounds of searching without an answer
}

const (
	// The nearest router is before the queue.
	nearest, farthest = 2, 4
	// Routers bound how many answers they send: Linux to four a second.
	urgently = 200 * time.Millisecond
	calmly   = 2 * time.Second
	// A search asks all hops for some rounds, and then seldom.
	searching  = 500 * time.Millisecond
	rounds     = 20
	seldom     = 30 * time.Second
	remembered = 64
	// What was measured is of now for so long; who does not answer for longer is lost.
	fresh = time.Second
	lost  = 10 * time.Second
	// The least delay is of the last one or two periods.
	period = 5 * time.Minute
)

// probe is one question to a router.
type probe struct {
	seq  uint16
	hop  int // the hop limit
	at   time.Duration
	open bool
}

// hop is one router.
type hop struct {
	last                 time.Duration // delay
	heard                time.Duration // when
	least, previousLeast time.Duration // 0 is none
	turned               time.Duration // when least began
	asked                int           // since it was heard
}

// State is what is known of the line.
type State struct {
	Known bool // a router behind the line answers
	Fresh bool // it did within the last second
	Queue time.Duration
}

// next returns whom to ask now, if anybody. It wants to be called every 200 ms while
// something is sent. urgent says that every answer counts.
func (r *ruler) next(now time.Duration, urgent bool) []probe {
	if r.at > 0 {
		h := &r.hops[r.at]
		if h.asked >= 5 && now-h.heard > lost {
			r.at, r.tries = 0, 0
		}
	}
	gap := calmly
	switch {
	case r.at == 0 && r.tries < rounds:
		gap = searching
	case r.at == 0:
		gap = seldom
	case urgent:
		gap = urgently
	}
	// Callers are a little late or early.
	if r.seq > 0 && now-r.asked < gap-urgently/4 {
		return nil
	}
	r.asked = now
	if r.at > 0 {
		return []probe{r.ask(now, r.at)}
	}
	r.tries++
	all := make([]probe, 0, farthest)
	for at := nearest; at <= farthest; at++ {
		all = append(all, r.ask(now, at))
	}
	return all
}

func (r *ruler) ask(now time.Duration, at int) probe {
	r.seq++
	p := probe{seq: r.seq, hop: at, at: now, open: true}
	r.sent[int(p.seq)%remembered] = p
	r.hops[at].asked++
	return p
}

// answered takes the answer to a probe.
func (r *ruler) answered(now time.Duration, seq uint16) {
	p := &r.sent[int(seq)%remembered]
	if !p.open || p.seq != seq || now < p.at {
		return
	}
	p.open = false
	r.hops[p.hop].take(now, now-p.at)
	if r.at == 0 || p.hop < r.at {
		r.at, r.tries = p.hop, 0
	}
}

func (h *hop) take(now, delay time.Duration) {
	delay = max(delay, 1)
	if h.least == 0 || now-h.turned > period {
		h.previousLeast, h.least, h.turned = h.least, delay, now
	}
	h.least = min(h.least, delay)
	h.last, h.heard, h.asked = delay, now, 0
}

// look returns what is known.
func (r *ruler) look(now time.Duration) State {
	if r.at == 0 {
		return State{}
	}
	h := &r.hops[r.at]
	least := h.least
	if h.previousLeast > 0 {
		least = min(least, h.previousLeast)
	}
	return State{Known: true, Fresh: now-h.heard <= fresh, Queue: h.last - least}
}
