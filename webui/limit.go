package webui

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Only passwords can be guessed. One-time tokens, cookies and bearer tokens are 256
// random bits, and looking one up costs nothing, so tries of them are not limited and
// do not count as tries of the password.
//
// A try counts for the /64, the /56 and the /48 of its address. Networks that failed
// lately share one limit, and all others share another one, so that failures elsewhere
// do not lock out the owner.
const (
	// A person with the wrong keyboard layout needs five tries.
	triesAtOnce = 5
	triesAgain  = 20 * time.Second
	// For all networks that failed lately.
	failedAtOnce = 30
	failedAgain  = 2 * time.Second
	// For all others: what a small machine can check.
	freshAtOnce = 200
	freshAgain  = 50 * time.Millisecond
	failedLife  = time.Hour
	maxNetworks = 16_384
)

// Guesses limits tries of a password.
type Guesses struct {
	now func() time.Time

	mu       sync.Mutex
	failed   *rate.Limiter
	fresh    *rate.Limiter
	networks map[netip.Prefix]*list.Element // of *guessing
	recent   list.List                      // the latest to try is last
}

// guessing is the tries of one network.
type guessing struct {
	of     netip.Prefix
	tries  *rate.Limiter
	failed time.Time // the latest failure; zero for none
}

// NewGuesses makes a limit of its own.
func NewGuesses(now func() time.Time) *Guesses {
	return &Guesses{
		now:      now,
		failed:   rate.NewLimiter(rate.Every(failedAgain), failedAtOnce),
		fresh:    rate.NewLimiter(rate.Every(freshAgain), freshAtOnce),
		networks: make(map[netip.Prefix]*list.Element),
	}
}

// networksOf returns the networks of ip that one person may have: the /64, the /56 and
// the /48, or their counterparts of IPv4.
func networksOf(ip netip.Addr) (n [3]netip.Prefix) {
	ip = ip.Unmap().WithZone("")
	bits := [3]int{64, 56, 48}
	if ip.Is4() {
		bits = [3]int{32, 24, 16}
	}
	for i, b := range bits {
		n[i], _ = ip.Prefix(b)
	}
	return n
}

// Try counts a try from ip and reports whether it is allowed. Its result is recorded by
// Right or Wrong.
func (g *Guesses) Try(ip netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	var all [3]*guessing
	failed := false
	for i, n := range networksOf(ip) {
		all[i] = g.network(n, i)
		if all[i].tries.TokensAt(now) < 1 {
			return false
		}
		failed = failed || !all[i].failed.IsZero() && now.Sub(all[i].failed) < failedLife
	}
	// The shared limits come last, so that a network over its own limit does not use
	// them up.
	of := g.fresh
	if failed {
		of = g.failed
	}
	if !of.AllowN(now, 1) {
		return false
	}
	for _, n := range all {
		n.tries.AllowN(now, 1)
	}
	return true
}

// Wrong records that a try from ip failed.
func (g *Guesses) Wrong(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, n := range networksOf(ip) {
		g.network(n, i).failed = g.now()
	}
}

// Right records that a try from ip succeeded, which clears the tries of its /64.
func (g *Guesses) Right(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := networksOf(ip)
	if e := g.networks[n[0]]; e != nil {
		g.forget(e)
	}
}

// network finds the tries of a network, or starts to count them. If there are too many
// networks, it forgets the one whose latest try is oldest.
func (g *Guesses) network(n netip.Prefix, level int) *guessing {
	e := g.networks[n]
	if e == nil {
		if g.recent.Len() >= maxNetworks {
			g.forget(g.recent.Front())
		}
		// The wider networks may try twice and four times as often.
		wider := 1 << level
		e = g.recent.PushBack(&guessing{of: n, tries: rate.NewLimiter(rate.Every(triesAgain/time.Duration(wider)), triesAtOnce*wider)})
		g.networks[n] = e
	}
	g.recent.MoveToBack(e)
	return e.Value.(*guessing)
}

func (g *Guesses) forget(e *list.Element) {
	delete(g.networks, e.Value.(*guessing).of)
	g.recent.Remove(e)
}
