package reach

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share"
)

// fakeCaller is peers that call as a test says.
type fakeCaller struct {
	mu      sync.Mutex
	helpers []netip.AddrPort
	result  Called
	err     error
	asked   []string
	busy    int
	most    int
}

func (f *fakeCaller) Helpers() []netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.helpers)
}

func (f *fakeCaller) Ask(ctx context.Context, helper netip.AddrPort, e Endpoint) (Called, error) {
	f.mu.Lock()
	f.asked = append(f.asked, e.IP.String()+" by "+helper.Addr().String())
	f.busy++
	f.most = max(f.most, f.busy)
	r, err := f.result, f.err
	f.mu.Unlock()
	time.Sleep(5 * time.Second)
	f.mu.Lock()
	f.busy--
	f.mu.Unlock()
	return r, err
}

func (f *fakeCaller) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func helpers(s ...string) (out []netip.AddrPort) {
	for _, a := range s {
		out = append(out, netip.AddrPortFrom(ip(a), 6881))
	}
	return out
}

func probing(t *testing.T, f *fakeCaller) *Prober {
	ends := []Endpoint{
		{addr("2001:db8:1::5", Stable, "eth0"), 51413, 51413, true},
		{addr("2001:db8:1::abcd", Temporary, "eth0"), 51413, 51413, false},
		{addr("fd00::5", Stable, "eth0"), 51413, 51413, true},
	}
	e := NewEvidence(time.Now)
	var all []Address
	for _, end := range ends {
		all = append(all, end.Address)
	}
	e.SetAddresses(all)
	return &Prober{Evidence: e, Caller: f, Endpoints: func() []Endpoint { return ends }, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
}

func TestProberAsksStrangersOfDifferentSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCaller{result: Called{Failed: true, UDPFailed: true}}
		f.helpers = helpers("2001:db8:1::9", "2001:db8:2::1", "2001:db8:2:1::1", "fd00::9", "2001:db8:3::1", "2001:db8:4::1", "2001:db8:6::1")
		p := probing(t, f)
		p.Test(t.Context())
		slices.Sort(f.asked)
		want := []string{"2001:db8:1::5 by 2001:db8:2::1", "2001:db8:1::5 by 2001:db8:3::1", "2001:db8:1::5 by 2001:db8:4::1"}
		if !slices.Equal(f.asked, want) {
			t.Errorf("asked %q", f.asked)
		}
		if got := p.Evidence.About(TCP, ip("2001:db8:1::5")); got.Verdict != share.Unreachable {
			t.Errorf("%+v", got)
		}
		if got := p.Evidence.About(UDP, ip("2001:db8:1::5")); got.Verdict != share.Unreachable {
			t.Errorf("%+v", got)
		}
	})
}

func TestProberRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCaller{err: errors.New("gone")}
		f.helpers = helpers("2001:db8:2::1", "2001:db8:3::1")
		p := probing(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Hour)
		cancel()
		<-done
		if n := f.count(); n < 16 || n > 2*13 {
			t.Errorf("asked %d times in an hour", n)
		}
		if f.most > sitesAsked {
			t.Errorf("%d at once", f.most)
		}
	})
}

func TestProberStopsWhenItKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCaller{result: Called{Came: true}}
		p := probing(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Minute)
		if f.count() != 0 {
			t.Error("asked nobody it knew of")
		}
		f.mu.Lock()
		f.helpers = helpers("2001:db8:2::1", "2001:db8:3::1")
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		own := ip("2001:db8:1::5")
		if got := p.Evidence.About(TCP, own); got.Verdict != share.Reachable {
			t.Fatalf("10 s after somebody could be asked: %+v", got)
		}
		p.Evidence.Came(UDP, own, ip("2001:db8:2::1"), "asked")
		n := f.count()
		time.Sleep(30 * time.Minute)
		if f.count() != n {
			t.Errorf("asked %d times more for what it knew", f.count()-n)
		}
		time.Sleep(time.Hour) // now it is to be confirmed
		if f.count() == n {
			t.Error("never asked again")
		}
		time.Sleep(time.Minute)
		n = f.count()
		p.Test(t.Context())
		if f.count() == n {
			t.Error("a test asked nobody")
		}
		n = f.count()
		p.Test(t.Context())
		if f.count() != n {
			t.Error("a second test at once asked again, which helpers would turn away")
		}
		// After a change it is worth asking again soon.
		p.Again(own)
		time.Sleep(askAgainTest + probeEvery)
		p.Evidence.SetAddresses(nil)
		p.Evidence.SetAddresses([]Address{addr("2001:db8:1::5", Stable, "eth0")})
		time.Sleep(probeEvery)
		if f.count() == n {
			t.Error("not asked again after a change")
		}
		cancel()
		<-done
	})
}
