package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestSelfIsAskedOnceASecond(t *testing.T) {
	asked := 0
	s := self{ask: func() (all []netip.AddrPort) {
		asked++
		for i := range 6 {
			all = append(all, netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::%x]:6881", asked, i+1)))
		}
		return all
	}}
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		after time.Duration
		asked int
	}{
		{0, 1}, {0, 1}, {900 * time.Millisecond, 1}, {200 * time.Millisecond, 2}, {-time.Hour, 3}, {time.Hour, 4},
	} {
		now = now.Add(test.after)
		all, links := s.addrs(now), s.inLinks(now)
		if asked != test.asked {
			t.Errorf("asked %d times, want %d", asked, test.asked)
		}
		if len(all) != 6 || len(links) != maxLinkAddresses || links[0] != all[0].String() || !slices.IsSortedFunc(all, netip.AddrPort.Compare) {
			t.Errorf("%v, in links %v", all, links)
		}
	}
	if s := (self{}); s.addrs(now) != nil || s.inLinks(now) != nil {
		t.Error("a node that does not know its addresses has some")
	}
}
