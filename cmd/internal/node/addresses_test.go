package node

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
)

// listensAt is a listener of which only the address matters.
type listensAt struct {
	net.Listener
	at string
}

func (l listensAt) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.at)) }

// testAddresses are those of a host with a stable and a temporary address and one of
// its link, where the node listens at the given ones.
func testAddresses(listen ...string) *addresses {
	p := &ports{}
	for _, at := range listen {
		p.tcp = append(p.tcp, listensAt{at: at})
	}
	address := func(ip string, s reach.Scope, k reach.Kind) reach.Address {
		return reach.Address{IP: netip.MustParseAddr(ip), Scope: s, Kind: k, Interface: "eth0", Routed: true, Preferred: -1, Valid: -1}
	}
	return &addresses{ports: p, host: reach.NewWatcher(reach.WatchConfig{List: func() ([]reach.Address, error) {
		return []reach.Address{
			address("2a00::5", reach.Global, reach.Stable), address("2a00::7", reach.Global, reach.Temporary),
			address("fe80::5%eth0", reach.LinkLocal, reach.Stable),
		}, nil
	}})}
}

func TestAddressesOfTheNode(t *testing.T) {
	for _, c := range []struct {
		name      string
		listen    []string
		own       []string
		endpoints map[string]bool // published
	}{
		{"all", []string{"[::]:5"}, []string{"[2a00::5]:5"},
			map[string]bool{"[2a00::5]:5": true, "[2a00::7]:5": false, "[fe80::5%eth0]:5": false}},
		{"one that is not published by itself", []string{"[2a00::7]:5"}, []string{"[2a00::7]:5"}, map[string]bool{"[2a00::7]:5": true}},
		{"IPv4, too", []string{"[2a00::5]:5", "192.0.2.1:6"}, []string{"[2a00::5]:5", "192.0.2.1:6"}, map[string]bool{"[2a00::5]:5": true}},
		{"nowhere", nil, nil, map[string]bool{}},
	} {
		a := testAddresses(c.listen...)
		var own []string
		for _, o := range a.own() {
			own = append(own, o.String())
		}
		got := map[string]bool{}
		for _, e := range a.endpoints(9) {
			got[netip.AddrPortFrom(e.IP, e.Port).String()] = e.Published
			if e.UDP != 9 {
				t.Errorf("%s: the DHT of %s is at %d", c.name, e.IP, e.UDP)
			}
		}
		if d := cmp.Diff(c.own, own, cmpopts.EquateEmpty()) + cmp.Diff(c.endpoints, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// Evidence of strangers changes the verdicts and the order of the addresses in links.
func TestEvidenceOfStrangers(t *testing.T) {
	a := testAddresses("[2a00::5]:5", "[2a00::7]:5")
	r := newReachability(a, &config.Config{NoPinholes: true}, slog.New(slog.DiscardHandler), time.Now)
	stranger := netip.MustParseAddrPort("[2a01::1]:7000")
	if l := r.links(); len(l) != 2 || r.evidence.About(reach.TCP, l[1].Addr()).Verdict != share.NotKnown {
		t.Fatalf("at first: %v", l)
	}
	proven := r.links()[1]
	r.stranger(proven.Addr(), stranger)
	if l := r.links(); l[0] != proven || r.evidence.About(reach.TCP, proven.Addr()).Verdict != share.Reachable {
		t.Errorf("after a stranger connected to %s: %v", proven, l)
	}
	r.unsolicited(stranger, proven.Addr(), time.Now())
	if got := r.evidence.About(reach.UDP, proven.Addr()).Verdict; got != share.Reachable {
		t.Errorf("after a stranger asked the DHT: %s", got)
	}
}
