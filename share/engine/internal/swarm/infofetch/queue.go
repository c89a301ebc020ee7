package infofetch

import (
	"net/netip"
	"sync"
	"time"
)

// The bounds of the addresses that one fetch remembers.
const (
	maxKnown  = 4096
	maxFails  = 8
	firstWait = 15 * time.Second
	laterWait = 2 * time.Second // after a call that was not made
	longWait  = 10 * time.Minute
	// The most peers of one network that are asked at once while peers of other
	// networks wait: the addresses of a /64 cost their owner nothing.
	perNetwork = 2
)

type verdict uint8

const (
	untried     verdict = iota
	unreachable         // no connection, or not our swarm
	member              // of the swarm, but gave nothing this time
	gave                // the info dictionary
	forged              // lied; never asked again
)

func (v verdict) String() string {
	return [...]string{"untried", "unreachable", "member", "gave", "forged"}[v]
}

type candidate struct {
	addr    netip.AddrPort
	verdict verdict
	fails   int
	due     time.Time
	busy    bool
	learned bool // told by a peer
	tried   bool
}

// queue holds the addresses of one fetch in the order of their arrival.
type queue struct {
	changed chan struct{} // receives after something became ready

	mu       sync.Mutex
	order    []*candidate
	byAddr   map[netip.AddrPort]*candidate
	banned   map[netip.Addr]bool
	networks map[netip.Prefix]int // busy peers in each
}

func newQueue() *queue {
	return &queue{
		changed:  make(chan struct{}, 1),
		byAddr:   map[netip.AddrPort]*candidate{},
		banned:   map[netip.Addr]bool{},
		networks: map[netip.Prefix]int{},
	}
}

func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() || a.Is4In6() {
		a, bits = a.Unmap(), 24
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

func (q *queue) add(addr netip.AddrPort, now time.Time, learned bool) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.banned[addr.Addr()] || q.byAddr[addr] != nil {
		return
	}
	if len(q.order) >= maxKnown && !q.evict(learned) {
		return
	}
	c := &candidate{addr: addr, due: now, learned: learned}
	q.byAddr[addr] = c
	q.order = append(q.order, c)
	q.wake()
}

// evict drops the address that is least likely to help. An address from peer
// exchange replaces only addresses that failed.
func (q *queue) evict(learned bool) bool {
	worst, score := -1, 0
	for i, c := range q.order {
		s := c.fails * 2
		if c.learned {
			s++
		}
		if c.verdict == member || c.busy {
			s = -1
		}
		if s > score {
			worst, score = i, s
		}
	}
	if worst < 0 || learned && q.order[worst].fails == 0 {
		return false
	}
	q.forget(worst)
	return true
}

func (q *queue) forget(i int) {
	delete(q.byAddr, q.order[i].addr)
	q.order = append(q.order[:i], q.order[i+1:]...)
}

func (q *queue) wake() {
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// next returns the first address that is due, preferring networks with few busy
// peers.
func (q *queue) next(now time.Time) (netip.AddrPort, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var best *candidate
	for _, c := range q.order {
		if c.busy || c.due.After(now) {
			continue
		}
		if q.networks[network(c.addr.Addr())] < perNetwork {
			best = c
			break
		}
		if best == nil {
			best = c
		}
	}
	if best == nil {
		return netip.AddrPort{}, false
	}
	best.busy, best.tried = true, true
	q.networks[network(best.addr.Addr())]++
	return best.addr, true
}

// wait returns the time until an address is due, at most a minute.
func (q *queue) wait(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait := time.Minute
	for _, c := range q.order {
		if !c.busy {
			wait = min(wait, c.due.Sub(now))
		}
	}
	return max(wait, 0)
}

// answered records that addr is part of the swarm.
func (q *queue) answered(addr netip.AddrPort) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.byAddr[addr]; c != nil {
		c.verdict = member
	}
}

// waits reports whether addresses wait to be tried.
func (q *queue) waits(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.order {
		if !c.busy && !c.due.After(now) {
			return true
		}
	}
	return false
}

// later records that addr was not called.
func (q *queue) later(addr netip.AddrPort, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.byAddr[addr]; c != nil {
		q.free(c)
		c.tried = c.fails > 0
		c.due = now.Add(laterWait)
	}
}

// free takes that c is not being asked. q.mu is held.
func (q *queue) free(c *candidate) {
	c.busy = false
	n := network(c.addr.Addr())
	if q.networks[n]--; q.networks[n] <= 0 {
		delete(q.networks, n)
	}
}

// done records the result of asking addr.
func (q *queue) done(addr netip.AddrPort, v verdict, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if v == forged {
		q.ban(addr.Addr())
	}
	c := q.byAddr[addr]
	if c == nil {
		return
	}
	q.free(c)
	if c.verdict != member {
		c.verdict = v
	}
	c.fails++
	c.due = now.Add(min(firstWait<<min(c.fails-1, 8), longWait))
	if v == forged || c.fails >= maxFails && c.verdict != member {
		for i, o := range q.order {
			if o == c {
				q.forget(i)
				break
			}
		}
	}
}

func (q *queue) ban(a netip.Addr) {
	if len(q.banned) < maxKnown {
		q.banned[a] = true
	}
	kept := q.order[:0]
	for _, c := range q.order {
		if c.addr.Addr() == a && !c.busy {
			delete(q.byAddr, c.addr)
			continue
		}
		kept = append(kept, c)
	}
	clear(q.order[len(kept):])
	q.order = kept
}

func (q *queue) counts() (tried, answered int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.order {
		if c.tried {
			tried++
		}
		if c.verdict == member || c.verdict == gave {
			answered++
		}
	}
	return tried, answered
}

// known lists the members of the swarm, with first at the front if we dialled it,
// and the addresses from peer exchange that were never tried.
func (q *queue) known(first netip.AddrPort) (members, more []netip.AddrPort) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byAddr[first] != nil {
		members = append(members, first)
	}
	for _, c := range q.order {
		switch {
		case c.addr == first || q.banned[c.addr.Addr()]:
		case c.verdict == member:
			members = append(members, c.addr)
		case c.learned && !c.tried:
			more = append(more, c.addr)
		}
	}
	return members, more
}
