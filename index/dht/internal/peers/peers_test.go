package peers

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

func addr(net, host uint64) netip.AddrPort {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x20010db800000000|net)
	binary.BigEndian.PutUint64(ip[8:], host)
	return netip.AddrPortFrom(netip.AddrFrom16(ip), 6881)
}

func newStore(max int) *Store { return New(rand.New(rand.NewPCG(1, 2)), max) }

func TestSample(t *testing.T) {
	s := newStore(1000)
	id := nodeid.ID{1}
	var want []netip.AddrPort
	for i := range uint64(30) {
		want = append(want, addr(i, 1))
		if !s.Add(1, id, addr(i, 1), i%3 == 0) {
			t.Fatal("no room")
		}
		s.Add(1, id, addr(i, 1), i%3 == 0) // again
	}
	s.Add(1, nodeid.ID{2}, addr(99, 1), false)
	got := s.Sample(nil, 2, id, 100, false)
	slices.SortFunc(got, netip.AddrPort.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := s.Sample(nil, 2, id, 7, false); len(got) != 7 || len(slices.Compact(got)) != 7 {
		t.Errorf("seven of them: %v", got)
	}
	if got := s.Sample(nil, 2, id, 100, true); len(got) != 20 {
		t.Errorf("%d without the complete ones", len(got))
	}
	if got := s.Sample(nil, 2+Life, id, 100, false); len(got) != 0 {
		t.Errorf("%d after they expired", len(got))
	}
	s.Sweep(2 + Life)
	if s.Len() != 0 || s.Keys() != 0 {
		t.Errorf("%d announcements of %d keys left", s.Len(), s.Keys())
	}
}

func TestOneNetworkIsNotACrowd(t *testing.T) {
	s := newStore(10_000)
	for i := range uint64(1000) {
		s.Add(1, nodeid.ID{1}, addr(1, i), false)
	}
	if n := len(s.Sample(nil, 2, nodeid.ID{1}, 10_000, false)); n != networkMax {
		t.Errorf("%d peers of one /64", n)
	}
	// A key with more peers than are kept keeps a sample.
	for i := range uint64(2000) {
		s.Add(1, nodeid.ID{2}, addr(i, 1), false)
	}
	if n := len(s.Sample(nil, 2, nodeid.ID{2}, 10_000, false)); n != keyMax {
		t.Errorf("%d peers of one key", n)
	}
	if s.Len() != networkMax+keyMax || s.Keys() != 2 {
		t.Errorf("%d announcements of %d keys", s.Len(), s.Keys())
	}
}

// Who fills the store with keys of his own gives way to others.
func TestFairness(t *testing.T) {
	s := newStore(1000)
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		s.Add(1, nodeid.Random(r), addr(1, 1), false)
	}
	for i := range uint64(100) {
		id := nodeid.Random(r)
		if !s.Add(1, id, addr(2+i, 1), false) || len(s.Sample(nil, 2, id, 1, false)) != 1 {
			t.Fatal("no room for others")
		}
	}
	if s.Len() != 1000 || s.Keys() != 1000 {
		t.Errorf("%d announcements of %d keys", s.Len(), s.Keys())
	}
}

func TestFilters(t *testing.T) {
	s := newStore(10_000)
	for i := range uint64(400) {
		s.Add(1, nodeid.ID{1}, addr(i, 1), i%4 == 0)
	}
	seeds, others := s.Filters(2, nodeid.ID{1})
	for _, c := range []struct{ got, want float64 }{{seeds.EstimateCount(), 100}, {others.EstimateCount(), 300}} {
		if math.Abs(c.got-c.want) > c.want/10 {
			t.Errorf("estimated %.0f of %.0f", c.got, c.want)
		}
	}
	if a, b := s.Filters(2, nodeid.ID{2}); a != (Filter{}) || b != (Filter{}) {
		t.Error("the filters of nobody are not empty")
	}
}
