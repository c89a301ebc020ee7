package engine

import (
	"net/netip"
	"time"
)

// self is where strangers reach this node. It asks for that at most once a second.
type self struct {
	ask func() []netip.AddrPort // must not block; nil is nowhere

	asked time.Time
	all   []netip.AddrPort
	text  []string // those in links
}

// maxLinkAddresses keeps links short enough for people and QR codes.
const maxLinkAddresses = 4

// addrs are all addresses, best first.
func (s *self) addrs(now time.Time) []netip.AddrPort {
	s.refresh(now)
	return s.all
}

// inLinks are the addresses that links carry.
func (s *self) inLinks(now time.Time) []string {
	s.refresh(now)
	return s.text
}

// refresh asks again after a second, or when the clock was set back.
func (s *self) refresh(now time.Time) {
	if s.ask == nil || !s.asked.IsZero() && now.Sub(s.asked) < time.Second && !now.Before(s.asked) {
		return
	}
	s.asked, s.all = now, s.ask()
	s.text = nil
	for _, ap := range s.all[:min(len(s.all), maxLinkAddresses)] {
		s.text = append(s.text, ap.String())
	}
}
