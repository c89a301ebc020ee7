package reach

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addr(ip string, kind Kind, iface string) Address {
	a := netip.MustParseAddr(ip)
	s, ok := ScopeOf(a)
	if !ok {
		panic("test address without a scope: " + ip)
	}
	return Address{IP: a, Scope: s, Kind: kind, Interface: iface, Routed: true, Preferred: -1, Valid: -1}
}

func TestScopeOf(t *testing.T) {
	for ip, want := range map[string]Scope{
		"2001:db8::1": Global, "2a00::1": Global, "fd00::1": ULA, "200::1": ULA, "3ff::1": ULA, "400::1": "", "fe80::1": LinkLocal, "::1": Loopback,
		"::": "", "ff02::1": "", "192.0.2.1": "", "::ffff:192.0.2.1": "", "4000::1": "", "64:ff9b::1": "",
	} {
		if got, ok := ScopeOf(netip.MustParseAddr(ip)); got != want || ok != (want != "") {
			t.Errorf("ScopeOf(%s) = %q, %v, want %q", ip, got, ok, want)
		}
	}
}

func TestPublished(t *testing.T) {
	loopback := addr("::1", Stable, "lo")
	local := addr("fe80::1", Stable, "eth0")
	ula := addr("fd00::1", Stable, "eth0")
	stable := addr("2001:db8::5", Stable, "eth0")
	second := addr("2001:db8:1::5", Stable, "eth1")
	temporary := addr("2001:db8::abcd", Temporary, "eth0")
	old := addr("2001:db8:ffff::5", Deprecated, "eth0")
	cut := addr("2001:db8::4", Stable, "eth2")
	cut.Routed = false
	tentative := addr("2001:db8::6", Tentative, "eth0")
	for _, c := range []struct {
		name   string
		policy Policy
		all    []Address
		want   []Address
	}{
		{"nothing", Policy{}, nil, nil},
		{"stable before all", Policy{}, []Address{loopback, local, ula, temporary, old, tentative, second, stable}, []Address{stable, second}},
		{"the way out first", Policy{}, []Address{cut, stable}, []Address{stable, cut}},
		{"no way out known", Policy{}, []Address{cut, ula}, []Address{cut}},
		{"temporary where there is no other", Policy{}, []Address{loopback, ula, old, temporary}, []Address{temporary}},
		{"local where there is no global one", Policy{}, []Address{loopback, local, ula, old}, []Address{ula}},
		{"loopback at last", Policy{}, []Address{local, loopback}, []Address{loopback}},
		{"never link-local", Policy{}, []Address{local}, nil},
		{"one interface", Policy{Interface: "eth1"}, []Address{stable, second}, []Address{second}},
		{"one prefix", Policy{Prefix: netip.MustParsePrefix("2001:db8:1::/64")}, []Address{stable, second}, []Address{second}},
	} {
		if diff := cmp.Diff(c.want, c.policy.Published(c.all), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestDialling(t *testing.T) {
	all := []Address{addr("2001:db8::5", Stable, "eth0"), addr("2001:db8::abcd", Temporary, "eth0"), addr("2001:db8:1::5", Stable, "eth1")}
	if got := (Policy{}).Dialling(all); got.IsValid() {
		t.Errorf("without a policy the system chooses, got %v", got)
	}
	if got := (Policy{Interface: "eth0"}).Dialling(all); got != all[1].IP {
		t.Errorf("dials from %v, want the temporary address", got)
	}
	if got := (Policy{Interface: "eth1"}).Dialling(all); got != all[2].IP {
		t.Errorf("dials from %v, want eth1's", got)
	}
}
