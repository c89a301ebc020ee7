package webui

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Guessing is slowed down for each network and for all of them together. Five
// tries are what a person with the wrong keyboard layout needs.
const (
	triesAtOnce    = 5
	triesAgain     = 20 * time.Second
	allTriesAtOnce = 30
	allTriesAgain  = 2 * time.Second
	maxNetworks    = 4096
)

// attempts limits sign-in attempts per /64 (per address in IPv4) and overall.
type attempts struct {
	now func() time.Time

	mu       sync.Mutex
	all      *rate.Limiter
	networks map[netip.Prefix]*rate.Limiter
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{
		now:      now,
		all:      rate.NewLimiter(rate.Every(allTriesAgain), allTriesAtOnce),
		networks: make(map[netip.Prefix]*rate.Limiter),
	}
}

// allow counts an attempt from ip and reports whether it may be made.
func (a *attempts) allow(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	network, err := ip.Prefix(bits)
	if err != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	l := a.networks[network]
	if l == nil {
		if len(a.networks) >= maxNetworks {
			a.forget(now)
		}
		l = rate.NewLimiter(rate.Every(triesAgain), triesAtOnce)
		a.networks[network] = l
	}
	// The overall limit is asked last, so that a network over its own limit
	// cannot use up everybody's.
	return l.AllowN(now, 1) && a.all.AllowN(now, 1)
}

// forget drops the networks whose tries are all back; when none is, all.
func (a *attempts) forget(now time.Time) {
	for n, l := range a.networks {
		if l.TokensAt(now) >= triesAtOnce {
			delete(a.networks, n)
		}
	}
	if len(a.networks) >= maxNetworks {
		clear(a.networks)
	}
}
