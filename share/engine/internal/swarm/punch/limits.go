package punch

import (
	"net/netip"
	"sync"
	"time"
)

// Who introduces names a host that we then call: without limits anybody could
// have any host called by everybody. So many calls are made to a host and to the
// networks around it, whoever wants them, and so many because of one introducer
// whom we did not ask. What is counted is the asking and the calling, whatever
// comes of it.
const (
	window = 10 * time.Minute
	// One address is asked for, or called, this often.
	again     = 20 * time.Second
	atOnce    = 16
	perHost   = 4 // calls in a window
	per64     = 8
	per48     = 16
	perGuide  = 16 // introductions that we did not ask for, by one /64 in a window
	perGuides = 32 // and by one /48
	unasked   = 64 // calls because of them in a window
	maxAsked  = 1000
	// A call that is refused: nobody there wanted it, and whoever sent us there
	// has used up half of what is left to him.
	refusalCosts = perGuide / 2
	// Others are introduced to each other this often, for one that asks and to
	// one that is asked for.
	perAsker  = 60
	perTarget = 60
	maxPairs  = 4096
	// Below are the ports of services, which no peer listens at.
	lowestPort = 1024
)

// Limits decides which introductions are asked for, followed and made. It has no
// sockets. Safe for concurrent use.
type Limits struct {
	now func() time.Time

	mu      sync.Mutex
	asked   map[netip.AddrPort]time.Time
	called  map[netip.AddrPort]time.Time
	calling int

	began   time.Time // of this window
	strange int       // calls unasked for
	targets map[netip.Prefix]int
	guides  map[netip.Prefix]int
	askers  map[netip.Prefix]int
	wanted  map[netip.Prefix]int
}

// NewLimits begins without a past.
func NewLimits(now func() time.Time) *Limits {
	l := &Limits{now: now}
	l.reset(now())
	return l
}

func (l *Limits) reset(now time.Time) {
	l.began, l.strange = now, 0
	l.asked, l.called = map[netip.AddrPort]time.Time{}, map[netip.AddrPort]time.Time{}
	l.targets, l.guides = map[netip.Prefix]int{}, map[netip.Prefix]int{}
	l.askers, l.wanted = map[netip.Prefix]int{}, map[netip.Prefix]int{}
}

// turn begins another window where it is time for that.
func (l *Limits) turn() time.Time {
	now := l.now()
	if since := now.Sub(l.began); since < 0 || since >= window {
		asked, called := l.asked, l.called
		l.reset(now)
		for _, m := range []struct{ from, to map[netip.AddrPort]time.Time }{{asked, l.asked}, {called, l.called}} {
			for a, at := range m.from {
				if lately(now, at) {
					m.to[a] = at
				}
			}
		}
	}
	return now
}

func lately(now, at time.Time) bool {
	since := now.Sub(at)
	return since >= 0 && since < again
}

func network(a netip.Addr, bits int) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		bits /= 2
	}
	n, _ := a.Prefix(bits)
	return n
}

// Ask reports whether somebody may be asked to introduce us to an address. One
// that it names within a short time is one that we asked for.
func (l *Limits) Ask(to netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.turn()
	if at, ok := l.asked[to]; ok && lately(now, at) || to.Port() < lowestPort || len(l.asked) >= maxAsked {
		return false
	}
	l.asked[to] = now
	return true
}

// Call reports whether an address is called that somebody at by introduced us to.
// Where it is, Done follows.
func (l *Limits) Call(by netip.Addr, to netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.turn()
	at, asked := l.asked[to]
	asked = asked && lately(now, at)
	if !asked {
		n64, n48 := network(by, 64), network(by, 48)
		l.guides[n64]++
		l.guides[n48]++
		if l.guides[n64] > perGuide || l.guides[n48] > perGuides || l.strange >= unasked {
			return false
		}
	}
	at, before := l.called[to]
	host, n64, n48 := network(to.Addr(), 128), network(to.Addr(), 64), network(to.Addr(), 48)
	switch {
	case to.Port() < lowestPort, l.calling >= atOnce, len(l.called) >= maxAsked,
		before && lately(now, at),
		l.targets[host] >= perHost, l.targets[n64] >= per64, l.targets[n48] >= per48:
		return false
	}
	l.called[to] = now
	for _, n := range []netip.Prefix{host, n64, n48} {
		l.targets[n]++
	}
	if !asked {
		l.strange++
	}
	l.calling++
	return true
}

// Done notes the end of a call; refused tells that the host was there and did not
// want it. It is not called again in this window, then.
func (l *Limits) Done(by netip.Addr, to netip.AddrPort, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calling--
	if !refused {
		return
	}
	l.targets[network(to.Addr(), 128)] = perHost
	l.guides[network(by, 64)] += refusalCosts
	l.guides[network(by, 48)] += refusalCosts
}

// Introduce reports whether one peer of ours, who asked for it, and another are
// introduced to each other.
func (l *Limits) Introduce(asker, target netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	a, t := network(asker.Addr(), 64), network(target.Addr(), 128)
	if asker.Port() < lowestPort || target.Port() < lowestPort ||
		len(l.askers) >= maxPairs && l.askers[a] == 0 || len(l.wanted) >= maxPairs && l.wanted[t] == 0 {
		return false
	}
	l.askers[a]++
	if l.askers[a] > perAsker {
		return false
	}
	l.wanted[t]++
	return l.wanted[t] <= perTarget
}
