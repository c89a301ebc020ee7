package reach

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type fakeHost struct{ now atomic.Pointer[[]Address] }

func (f *fakeHost) set(all ...Address) { f.now.Store(&all) }

func (f *fakeHost) list() ([]Address, error) {
	p := f.now.Load()
	if p == nil {
		return nil, errors.New("no answer")
	}
	return *p, nil
}

func TestWatcher(t *testing.T) {
	before, after := addr("2001:db8:1::5", Stable, "eth0"), addr("2001:db8:2::5", Stable, "eth0")
	synctest.Test(t, func(t *testing.T) {
		var host fakeHost
		host.set(before)
		signal := make(chan struct{}, 8)
		w := NewWatcher(WatchConfig{
			List:    host.list,
			Signals: func(context.Context) <-chan struct{} { return signal },
		})
		changed := w.Changed()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()

		// A renumbering is several signals and one change.
		deprecated := before
		deprecated.Kind = Deprecated
		host.set(deprecated, after)
		for range 5 {
			signal <- struct{}{}
		}
		<-changed
		if got := w.Published(); len(got) != 1 || got[0].IP != after.IP {
			t.Errorf("published %v, want %v only", got, after.IP)
		}
		time.Sleep(time.Minute)
		select {
		case <-changed:
			t.Error("told of a change that was none")
		default:
		}

		// Without a signal the poll notices.
		host.set(after)
		<-changed
		if len(w.Addresses()) != 1 {
			t.Errorf("addresses: %v", w.Addresses())
		}

		// A failure to read loses nothing.
		host.now.Store(nil)
		time.Sleep(time.Minute)
		if len(w.Addresses()) != 1 {
			t.Errorf("after a failed read: %v", w.Addresses())
		}

		w.SetPolicy(Policy{Prefix: netip.MustParsePrefix("2001:db8:9::/48")})
		<-changed
		if got := w.Published(); got != nil {
			t.Errorf("published against the policy: %v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestThisHost(t *testing.T) {
	all, err := ListAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if s, ok := ScopeOf(a.IP); !ok || s != a.Scope || a.Interface == "" || a.Kind == "" {
			t.Errorf("incomplete address %+v", a)
		}
	}
}
