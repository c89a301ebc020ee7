package limit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func addr(net, host uint64) netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x20010db800000000|net)
	binary.BigEndian.PutUint64(ip[8:], host)
	return netip.AddrPortFrom(netip.AddrFrom16(ip), 6881)
}

// flood offers n queries a second for d and counts those allowed.
func flood(q *Queries, from func(i int) netip.AddrPort, proven bool, n int, d time.Duration) int {
	allowed := 0
	for i := range int(float64(n) * d.Seconds()) {
		now := time.Hour + time.Duration(i)*time.Second/time.Duration(n)
		if q.Allow(now, from(i), proven) {
			allowed++
		}
	}
	return allowed
}

var each, strangers = Rate{PerSecond: 10, Burst: 20}, Rate{PerSecond: 100, Burst: 100}

func TestOneSource(t *testing.T) {
	// One /64 with a new address for each query is one source.
	got := flood(NewQueries(each, strangers), func(i int) netip.AddrPort { return addr(1, uint64(i)) }, false, 1000, 10*time.Second)
	if got < 100 || got > 121 {
		t.Errorf("%d queries of one source in 10 s", got)
	}
}

func TestManySources(t *testing.T) {
	q := NewQueries(each, strangers)
	got := flood(q, func(i int) netip.AddrPort { return addr(uint64(i), 1) }, false, 5000, 10*time.Second)
	if got < 1000 || got > 1101 {
		t.Errorf("%d queries of strangers in 10 s", got)
	}
	if q.Sources() > 4*sourcesKept {
		t.Errorf("%d sources remembered", q.Sources())
	}
	// Those who have proven their address are served all the same.
	if !q.Allow(time.Hour+10*time.Second, addr(9, 9), true) {
		t.Error("a friend was turned away")
	}
}

func TestHostsOnTheLinkAreSources(t *testing.T) {
	a, b := netip.MustParseAddrPort("[fe80::1]:1"), netip.MustParseAddrPort("[fe80::2]:1")
	if SourceOf(a) == SourceOf(b) || SourceOf(netip.MustParseAddrPort("[::1]:1")) == SourceOf(netip.MustParseAddrPort("[::1]:2")) {
		t.Error("link-local or loopback sources are one")
	}
	if SourceOf(addr(1, 1)) != SourceOf(addr(1, 2)) || SourceOf(addr(1, 1)) == SourceOf(addr(2, 1)) {
		t.Error("a source is not a /64")
	}
}

func TestWaitSpreads(t *testing.T) {
	var b Bucket
	var last time.Duration
	for range 50 {
		last = b.Wait(time.Hour, each)
	}
	if behind := b.Behind(time.Hour, each); behind != last+100*time.Millisecond {
		t.Errorf("the next would wait %v", behind)
	}
	if last != 3*time.Second {
		t.Errorf("the 50th waits %v, want the 30 over the burst of 20 at 10 a second", last)
	}
}
