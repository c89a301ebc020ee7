package engine

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Rounds come less and less often while they bring nothing, often again when one
// does or all peers are gone, and seldom while there are enough peers.
func TestSearchRounds(t *testing.T) {
	var s search
	begun := time.Unix(1_700_000_000, 0)
	now := begun
	wait := func(peers int) time.Duration {
		from := now
		for !s.begin(peers, now) {
			now = now.Add(time.Second)
		}
		return now.Sub(from)
	}
	if wait(0) != 0 {
		t.Error("the first round does not begin at once")
	}
	last := time.Duration(0)
	for range 20 {
		d := wait(0)
		if d < last || d < searchAgain || d > searchLongest+time.Second {
			t.Errorf("after %s comes a wait of %s", last, d)
		}
		last = d
	}
	if last < searchLongest {
		t.Errorf("the longest wait is %s", last)
	}
	s.fresh = true
	wait(1)
	if d := wait(1); d != searchAgain {
		t.Errorf("after something new was found: %s", d)
	}
	wait(enoughPeers)
	if d := wait(enoughPeers); d != searchEnough {
		t.Errorf("with enough peers: %s", d)
	}
	if d := wait(0); d > searchAgain {
		t.Errorf("left alone: %s", d)
	}
	// No round begins before the last is over.
	s.round.left = 1
	now = now.Add(time.Hour)
	if s.begin(0, now) {
		t.Error("two rounds at once")
	}
	s.round.left = 0
	if !s.begin(0, now) {
		t.Error("no round although the last is over")
	}
}

func TestNamesOfPeers(t *testing.T) {
	known, names := splitPeers([]string{"[2001:db8::1]:1", "host:2", "192.0.2.1:3", "no port", "bad:port", "gone:4"})
	if !slices.Equal(known, []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("192.0.2.1:3")}) {
		t.Errorf("addresses %v", known)
	}
	gone := errors.New("no such host")
	var asked []string
	addrs, err := lookUp(t.Context(), names, func(_ context.Context, host string) ([]netip.Addr, error) {
		if asked = append(asked, host); host == "gone" {
			return nil, gone
		}
		return []netip.Addr{netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::3")}, nil
	})
	want := []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::2]:2"), netip.MustParseAddrPort("[2001:db8::3]:2")}
	if !slices.Equal(addrs, want) || !errors.Is(err, gone) || !slices.Equal(asked, []string{"host", "gone"}) {
		t.Errorf("%v, %v, asked for %q", addrs, err, asked)
	}
}
