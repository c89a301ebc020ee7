// Package uplink keeps to itself how a node's upload slots are shared out among its
// swarms. There are as many slots as the line serves well, or a fixed number, and
// they are those of the whole node, not of each swarm. Swarms whose peers want something
// get equal parts. A few have one slot in any case: without it a peer that needs a piece
// of just that swarm gets nothing. Where there are still fewer slots than such swarms,
// the slots go round.
//
// What is sent to others than peers, such as browsers, begins at once and takes slots of
// the swarms, which keep at least half of them.
//
// Which peers of a swarm get its slots is for the swarm to decide. It can ask here
// how many slots a line has in other swarms, so that nobody gets a larger part of the
// node by joining more of its swarms.
//
// Times are durations since a moment that is the same for all swarms of the node.
package uplink

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How many slots there are, and how often that is considered.
const (
	firstSlots = 8 // until something was uploaded
	leastSlots = 4
	mostSlots  = 256
	fewSwarms  = 64 // so many get a slot each, however slow the line is
	planEvery  = 10 * time.Second
	turn       = 30 * time.Second // of a swarm, while there are more swarms than slots
)

// Link is the line of a node, upwards. It is safe for concurrent use.
type Link struct {
	mu     sync.Mutex
	fixed  int // slots that somebody wants; 0 to go by the line's capacity
	best   float64
	extra  int // slots more than the line's rate asks for, since some are not used
	next   time.Duration
	places []*Place
	lines  map[netip.Prefix]int // slots that each peer's line has in all swarms

	guests   int          // uploads to others than peers
	sent     atomic.Int64 // bytes that they were sent
	measured struct {     // when measure last ran
		at   time.Duration
		sent int64
	}
}

// New makes a line with a fixed number of slots, or with 0 one that finds out by what
// it carries how many it serves well.
func New(slots int) *Link { return &Link{fixed: max(0, slots), lines: make(map[netip.Prefix]int)} }

// Demand is what a swarm has and wants.
type Demand struct {
	Rate    float64 // bytes a second that it uploads
	Wanting int     // peers that want something of it
	Open    int     // of these, those that have a slot
	Busy    int     // of these, those for which something waits
	Idle    int     // of these, those that asked for nothing for some time
}

// Place is that of one swarm. It is safe for concurrent use.
type Place struct {
	link  *Link
	want  Demand
	slots int
	since time.Duration        // when it last got its first slot, or lost its last
	holds map[netip.Prefix]int // slots that each line has in this swarm
	left  bool
}

// Join makes a place for a swarm, which has no slots yet.
func (l *Link) Join() *Place {
	p := &Place{link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places = append(l.places, p)
	return p
}

// Leave gives back all that a place has.
func (p *Place) Leave() {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.left {
		return
	}
	p.left = true
	l.places = slices.DeleteFunc(l.places, func(o *Place) bool { return o == p })
	for line, n := range p.holds {
		l.count(line, -n)
	}
}

// Report tells what the swarm has and wants, and returns how many slots it has from
// now on. Slots that are left are given at once. A swarm that has fewer than it had
// before takes them from its peers.
func (p *Place) Report(now time.Duration, d Demand) (slots int) {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.left {
		return 0
	}
	p.want = d
	if now >= l.next {
		l.next = now + planEvery
		l.measure(now)
		l.plan(now)
	} else if spare := l.room() - l.given(); p.slots < d.Wanting && spare > 0 {
		p.set(now, min(d.Wanting, p.slots+spare))
	}
	return p.slots
}

func (p *Place) set(now time.Duration, slots int) {
	if (p.slots == 0) != (slots == 0) {
		p.since = now
	}
	p.slots = slots
}

// given is how many slots the swarms have that they can use.
func (l *Link) given() (n int) {
	for _, p := range l.places {
		n += min(p.slots, p.want.Wanting)
	}
	return n
}

// capacity is how many peers the line serves well. More of them get too little each
// to finish a piece soon, fewer leave the line idle when one is slow.
func (l *Link) capacity() int {
	if l.fixed > 0 {
		return l.fixed
	}
	if l.best == 0 {
		return firstSlots
	}
	byRate := int(math.Sqrt(l.best / 1024 * 0.075))
	return max(leastSlots, min(byRate+l.extra, mostSlots))
}

// room is how many slots there are for those that want any now.
func (l *Link) room() int {
	free := l.capacity()
	free -= min(l.guests, free/2)
	if l.fixed > 0 {
		return free
	}
	wanting := 0
	for _, p := range l.places {
		if p.want.Wanting > 0 {
			wanting++
		}
	}
	return max(free, min(wanting, fewSwarms))
}

// measure takes what the line carries, and whether the slots are used.
func (l *Link) measure(now time.Duration) {
	// Somebody always waits for what a guest is sent.
	all := Demand{Open: l.guests, Busy: l.guests}
	sent := l.sent.Load()
	if elapsed := (now - l.measured.at).Seconds(); elapsed > 0 {
		all.Rate = float64(sent-l.measured.sent) / elapsed
	}
	l.measured.at, l.measured.sent = now, sent
	for _, p := range l.places {
		all.Rate += p.want.Rate
		all.Open += p.want.Open
		all.Busy += p.want.Busy
		all.Idle += p.want.Idle
	}
	l.best = max(l.best*0.97, all.Rate)
	// That nothing waits does not tell that the line has room: the system's buffers
	// may hold it.
	unused := all.Idle*2 > all.Open || all.Busy*2 < all.Open && all.Rate < 0.8*l.best
	switch {
	case unused && all.Open >= l.capacity():
		l.extra++
	case !unused && l.extra > 0 && (all.Busy == all.Open || all.Rate > 0.95*l.best):
		l.extra--
	}
}

// plan shares the slots out anew.
func (l *Link) plan(now time.Duration) {
	var wanting []*Place
	for _, p := range l.places {
		if p.want.Wanting > 0 {
			wanting = append(wanting, p)
		} else {
			p.set(now, 0)
		}
	}
	left := l.room()
	if len(wanting) > left {
		slices.SortStableFunc(wanting, func(a, b *Place) int {
			return cmp.Or(cmp.Compare(a.rank(now), b.rank(now)), cmp.Compare(a.since, b.since))
		})
		for i, p := range wanting {
			p.set(now, min(1, max(0, left-i)))
		}
		return
	}
	// Those that want least first: what they leave is for the others.
	slices.SortStableFunc(wanting, func(a, b *Place) int { return a.want.Wanting - b.want.Wanting })
	for i, p := range wanting {
		n := min(p.want.Wanting, (left+len(wanting)-i-1)/(len(wanting)-i))
		p.set(now, n)
		left -= n
	}
}

// rank is the order of swarms when the slots go round: first whose turn is not over,
// then who waits, last whose turn is over.
func (p *Place) rank(now time.Duration) int {
	switch {
	case p.slots == 0:
		return 1
	case now-p.since < turn:
		return 0
	}
	return 2
}

// Took notes that a peer on a line has n slots more, or with a negative n less, in
// this swarm.
func (p *Place) Took(line netip.Prefix, n int) {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.left {
		return
	}
	if p.holds == nil {
		p.holds = make(map[netip.Prefix]int)
	}
	if p.holds[line] += n; p.holds[line] <= 0 {
		delete(p.holds, line)
	}
	l.count(line, n)
}

func (l *Link) count(line netip.Prefix, n int) {
	if l.lines[line] += n; l.lines[line] <= 0 {
		delete(l.lines, line)
	}
}

// Elsewhere is how many slots a line has in the other swarms of the node.
func (p *Place) Elsewhere(line netip.Prefix) int {
	l := p.link
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[line] - p.holds[line]
}
