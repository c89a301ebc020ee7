package native

import (
	"maps"
	"net/netip"
	"time"
)

// unanswered are addresses where nobody answered a call lately. One transfer learns
// that for all: the few calls that a host of which nothing is known may get are for its
// other addresses.
type unanswered struct {
	since map[netip.AddrPort]time.Time
}

const (
	unansweredTime = 30 * time.Second
	maxUnanswered  = 4096
)

func (u *unanswered) note(now time.Time, a netip.AddrPort) {
	if len(u.since) >= maxUnanswered {
		maps.DeleteFunc(u.since, func(a netip.AddrPort, _ time.Time) bool { return !u.has(now, a) })
	}
	if u.since == nil {
		u.since = make(map[netip.AddrPort]time.Time)
	}
	if len(u.since) < maxUnanswered {
		u.since[a] = now
	}
}

func (u *unanswered) has(now time.Time, a netip.AddrPort) bool {
	at, ok := u.since[a]
	return ok && now.Sub(at) < unansweredTime && !now.Before(at)
}
