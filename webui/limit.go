package webui

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Only passwords can be guessed: one-time tokens, cookies and bearer tokens are
// 256 random bits, and looking one up costs nothing. So tries of those are not
// limited, and count for nothing where passwords are.
//
// A wrong password is a try of its /64, /56 and /48. Networks that have failed
// lately share one limit among them; those that have not have another, so that
// whoever fails elsewhere does not keep the owner out.
const (
	// Five tries are what a person with the wrong keyboard layout needs.
	triesAtOnce = 5
	triesAgain  = 20 * time.Second
	// Of all networks that have failed.
	failedAtOnce = 30
	failedAgain  = 2 * time.Second
	// Of all that have not: what a small machine can check.
	freshAtOnce = 200
	freshAgain  = 50 * time.Millisecond
	failedLife  = time.Hour
	maxNetworks = 16_384
)

// guesses limits tries of the password.
type guesses struct {
	now func() time.Time

	mu       sync.Mutex
	failed   *rate.Limiter
	fresh    *rate.Limiter
	networks map[netip.Prefix]*list.Element // of *guessing
	recent   list.List                      // the last to try at the back
}

// guessing is what one network tried.
type guessing struct {
	of     netip.Prefix
	tries  *rate.Limiter
	failed time.Time // when last; zero for never
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{
		now:      now,
		failed:   rate.NewLimiter(rate.Every(failedAgain), failedAtOnce),
		fresh:    rate.NewLimiter(rate.Every(freshAgain), freshAtOnce),
		networks: make(map[netip.Prefix]*list.Element),
	}
}

// networksOf are what one person may have: a /64, the /56 and the /48 around it,
// or what is like them in IPv4.
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

// try counts a try from ip and reports whether it may be made. What came of it is
// told by right or wrong.
func (g *guesses) try(ip netip.Addr) bool {
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
	// The limits of all are asked last, so that a network over its own cannot use
	// up everybody's.
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

// wrong notes that a try from ip failed.
func (g *guesses) wrong(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, n := range networksOf(ip) {
		g.network(n, i).failed = g.now()
	}
}

// right notes that a try from ip succeeded: who made it starts afresh.
func (g *guesses) right(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := networksOf(ip)
	if e := g.networks[n[0]]; e != nil {
		g.forget(e)
	}
}

// network finds or makes one; where there are too many, that is forgotten which
// has not tried for longest.
func (g *guesses) network(n netip.Prefix, level int) *guessing {
	e := g.networks[n]
	if e == nil {
		if g.recent.Len() >= maxNetworks {
			g.forget(g.recent.Front())
		}
		// What is wider has twice and four times as much.
		wider := 1 << level
		e = g.recent.PushBack(&guessing{of: n, tries: rate.NewLimiter(rate.Every(triesAgain/time.Duration(wider)), triesAtOnce*wider)})
		g.networks[n] = e
	}
	g.recent.MoveToBack(e)
	return e.Value.(*guessing)
}

func (g *guesses) forget(e *list.Element) {
	delete(g.networks, e.Value.(*guessing).of)
	g.recent.Remove(e)
}
