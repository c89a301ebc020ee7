package engine

import (
	"net/netip"
	"time"
)

// self is where strangers reach this node. It asks for that at most once a second.
type self struct {
	ask    func() []netip.AddrPort // must not block; nil is nowhere
	ofHost func() []netip.Addr     // also those that are not told; must not block; nil is none

	asked time.Time
	all   []netip.AddrPort
	host  []netip.Addr
	text  []string // those in links
}

// maxLinkAddresses keeps links short enough for people and QR codes.
const maxLinkAddresses = 4

// addrs are all addresses, best first.
func (s *self) addrs(now time.Time) []netip.AddrPort {
	s.refresh(now)
	return s.all
}

// local are the addresses of this host, whether others are told of them or not.
func (s *self) local(now time.Time) []netip.Addr {
	s.refresh(now)
	return s.host
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
	if s.ofHost != nil {
		s.host = s.ofHost()
	}
	s.text = nil
	for _, ap := range s.all[:min(len(s.all), maxLinkAddresses)] {
		s.text = append(s.text, ap.String())
	}
}
