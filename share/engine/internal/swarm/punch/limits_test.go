package punch

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func host(network, host, port int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:%x::%x]:%d", network, host, port))
}

func testLimits() (*Limits, *time.Time) {
	now := time.Unix(1e9, 0)
	return NewLimits(func() time.Time { return now }), &now
}

// The instance that was measured: eight peers have 1,000 ports of a host called
// that has nothing to do with it, those of services among them.
func TestAnUninvolvedHostIsHardlyCalled(t *testing.T) {
	for name, refused := range map[string]bool{"silent": false, "refusing": true} {
		t.Run(name, func(t *testing.T) {
			l, now := testLimits()
			called := map[netip.AddrPort]int{}
			ports := []int{22, 25, 80, 443, 1023}
			for p := 2000; p < 3000; p++ {
				ports = append(ports, p)
			}
			for i := range 8 * 190 {
				*now = now.Add(5 * time.Millisecond)
				by, to := host(10+i/190, 1, 1).Addr(), host(0x40, 1, ports[i%len(ports)])
				if l.Call(by, to) {
					called[to]++
					l.Done(by, to, refused)
				}
			}
			most := perHost
			if refused {
				most = 1
			}
			if len(called) != most {
				t.Errorf("%d ports were called: %v", len(called), called)
			}
			for to := range called {
				if to.Port() < 1024 {
					t.Errorf("%s was called", to)
				}
			}
		})
	}
}

// Neither can a network be called host by host, whoever introduces.
func TestNetworksAreHardlyCalled(t *testing.T) {
	for name, c := range map[string]struct {
		by   func(i int) netip.Addr
		to   func(i int) netip.AddrPort
		most int
	}{
		"a /64 by many":      {func(i int) netip.Addr { return host(i, 1, 1).Addr() }, func(i int) netip.AddrPort { return host(0xffff, i, 6881) }, per64},
		"many hosts by one":  {func(int) netip.Addr { return host(1, 1, 1).Addr() }, func(i int) netip.AddrPort { return host(i, 1, 6881) }, perGuide},
		"many hosts by many": {func(i int) netip.Addr { return host(i, 1, 1).Addr() }, func(i int) netip.AddrPort { return host(9999-i, 1, 6881) }, unasked},
	} {
		l, _ := testLimits()
		called := 0
		for i := range 1000 {
			if by, to := c.by(i), c.to(i); l.Call(by, to) {
				called++
				l.Done(by, to, false)
			}
		}
		if called != c.most {
			t.Errorf("%s: %d calls", name, called)
		}
	}
}

// An introducer whose hosts refuse is believed less.
func TestRefusedCallsCount(t *testing.T) {
	l, _ := testLimits()
	by := host(1, 1, 1).Addr()
	called := 0
	for i := range 100 {
		if to := host(100+i, 1, 6881); l.Call(by, to) {
			called++
			l.Done(by, to, true)
		}
	}
	if called != 2 {
		t.Errorf("%d calls were made and refused", called)
	}
}

// Whom we asked for we call, even while strangers use up all that is theirs.
func TestAskedForIsCalled(t *testing.T) {
	l, now := testLimits()
	by := host(1, 1, 1).Addr()
	for i := range 1000 {
		if other, to := host(2+i, 1, 1).Addr(), host(5000+i, 1, 6881); l.Call(other, to) {
			l.Done(other, to, true)
		}
		l.Call(by, host(7000+i, 1, 22))
	}
	for i := range 50 {
		to := host(9000+i, 1, 6881)
		if !l.Ask(to) || l.Ask(to) {
			t.Fatalf("%s is asked for once", to)
		}
		if !l.Call(by, to) {
			t.Fatalf("%s is not called", to)
		}
		if l.Call(by, to) {
			t.Errorf("%s is called twice, as two introduced us", to)
		}
		l.Done(by, to, false)
	}
	to := host(9000, 1, 6881)
	if *now = now.Add(again); !l.Ask(to) || !l.Call(by, to) {
		t.Error("and later again")
	}
	if l.Ask(host(1, 1, 80)) {
		t.Error("the port of a service is asked for")
	}
	for i := range atOnce + 10 {
		if to := host(0xa00+i, 1, 6881); !l.Ask(to) || l.Call(by, to) != (i < atOnce-1) { // one is under way
			t.Errorf("call %d at once", i)
		}
	}
}

func TestLimitsAreBoundedAndEnd(t *testing.T) {
	l, now := testLimits()
	for i := range 20_000 {
		a, b := host(i%0xffff, i, 6881), host(i%0xffff, 1, 6882)
		l.Ask(a)
		if l.Call(b.Addr(), a) {
			l.Done(b.Addr(), a, false)
		}
		l.Introduce(a, b)
	}
	if len(l.asked) > maxAsked || len(l.called) > maxAsked || len(l.targets) > 3*maxAsked || len(l.askers) > maxPairs || len(l.wanted) > maxPairs {
		t.Errorf("remembered: %d, %d, %d, %d, %d", len(l.asked), len(l.called), len(l.targets), len(l.askers), len(l.wanted))
	}
	*now = now.Add(window)
	if !l.Ask(host(1, 1, 6881)) || len(l.asked) > 1 || len(l.guides) > 0 {
		t.Error("the past does not end")
	}
	*now = now.Add(-time.Hour) // the clock was set back
	if !l.Ask(host(1, 1, 6881)) {
		t.Error("and nothing is asked for until it is as late again")
	}
}

func TestIntroductionsOfOthersAreFew(t *testing.T) {
	l, _ := testLimits()
	made := 0
	for i := range 1000 {
		if l.Introduce(host(1, i, 6881), host(100+i, 1, 6881)) {
			made++
		}
	}
	if made != perAsker {
		t.Errorf("one network was introduced %d times", made)
	}
	made = 0
	for i := range 1000 {
		if l.Introduce(host(1000+i, 1, 6881), host(5, 1, 6881)) {
			made++
		}
	}
	if made != perTarget {
		t.Errorf("%d were introduced to one host", made)
	}
	if l.Introduce(host(3, 1, 22), host(4, 1, 6881)) || l.Introduce(host(3, 1, 6881), host(4, 1, 22)) {
		t.Error("the port of a service was told")
	}
}
