package node

import (
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/webui/api"
	"github.com/shoalnet/shoal/webui/door"
)

// at is a listener that is only somewhere.
type at netip.AddrPort

func (at) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (at) Close() error              { return nil }
func (a at) Addr() net.Addr          { return net.TCPAddrFromAddrPort(netip.AddrPort(a)) }

// The owner of a link sees where it was: what still works for a while, and what is dead. A
// link that was made later was never there.
func TestFormerAddressesOfWebLinks(t *testing.T) {
	s, err := openState(stateDir(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	links, err := door.OpenLinks(s.db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	before, after := netip.MustParseAddr("2001:db8:1:1::5"), netip.MustParseAddr("2001:db8:1:2::5")
	host, published := []netip.Addr{before}, []netip.Addr{before}
	w := &webLinks{
		links: links, door: &door.Door{}, evidence: reach.NewEvidence(time.Now), ports: &ports{tcp: []net.Listener{at(netip.MustParseAddrPort("[::]:7000"))}},
		own: func() []netip.Addr { return published },
		proven: func() (all []netip.AddrPort) {
			for _, ip := range published {
				all = append(all, netip.AddrPortFrom(ip, 7000))
			}
			return all
		},
		has: func(ip netip.Addr) bool { return slices.Contains(host, ip) },
		verdict: func(ip netip.Addr) share.Verdict {
			if ip == after {
				return share.Reachable
			}
			return share.Unreachable
		},
	}
	add := func() door.Link {
		l, err := links.Add(door.Link{Transfer: share.ID{1}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.give(); err != nil {
			t.Fatal(err)
		}
		return l
	}
	see := func(id string) api.WebLink {
		t.Helper()
		all := links.All()
		return w.shown(all[slices.IndexFunc(all, func(l door.Link) bool { return l.ID == id })], false)
	}
	early := add()
	if v := see(early.ID); v.URL != "http://[2001:db8:1:1::5]:7000"+early.Path() || v.Former != nil || v.Reachable != share.Unreachable {
		t.Errorf("at first: %+v", v)
	}
	// Renumbered: the host has both, and the old one soon no more.
	host, published = append(host, after), []netip.Addr{after}
	late := add()
	was := api.FormerURL{URL: "http://[2001:db8:1:1::5]:7000" + early.Path(), Works: true}
	if v := see(early.ID); v.URL != "http://[2001:db8:1:2::5]:7000"+early.Path() || !reflect.DeepEqual(v.Former, []api.FormerURL{was}) || v.Reachable != share.Reachable {
		t.Errorf("renumbered: %+v", v)
	}
	if v := see(late.ID); v.Former != nil {
		t.Errorf("a link that was made later: %+v", v)
	}
	host, was.Works = []netip.Addr{after}, false
	if v := see(early.ID); !reflect.DeepEqual(v.Former, []api.FormerURL{was}) {
		t.Errorf("when the address is gone: %+v", v.Former)
	}
	// A door at a port of its own: nothing is known of that, so the other stays first.
	w.listeners = []net.Listener{at(netip.MustParseAddrPort("[::]:80"))}
	if v := see(late.ID); v.URL != "http://[2001:db8:1:2::5]:7000"+late.Path() || v.Reachable != share.Reachable || len(v.Others) != 1 {
		t.Errorf("with a port for browsers: %+v", v)
	}
	w.evidence.SetAddresses([]reach.Address{{IP: after, Scope: reach.Global}})
	w.evidence.CameTo(netip.AddrPortFrom(after, 80), netip.MustParseAddr("2001:db8:9::1"), "connected")
	if v := see(late.ID); v.URL != "http://[2001:db8:1:2::5]"+late.Path() || v.Reachable != share.Reachable || len(v.Others) != 1 {
		t.Errorf("with a port for browsers that strangers reach: %+v", v)
	}
	// Over TLS, nothing is served without.
	w.door.Encrypted = true
	w.ports = &ports{}
	w.proven = func() []netip.AddrPort { return nil }
	if v := see(late.ID); v.URL != "https://[2001:db8:1:2::5]:80"+late.Path() || len(v.Former) != 1 || v.Former[0].Works {
		t.Errorf("encrypted: %+v", v)
	}
	// The node comes back to an address that it had.
	host, published, w.door.Encrypted = []netip.Addr{before}, []netip.Addr{before}, false
	w.listeners, w.ports = nil, &ports{tcp: []net.Listener{at(netip.MustParseAddrPort("[::]:7000"))}}
	w.proven = func() []netip.AddrPort { return []netip.AddrPort{netip.AddrPortFrom(before, 7000)} }
	if v := see(early.ID); v.URL != "http://[2001:db8:1:1::5]:7000"+early.Path() || len(v.Former) != 1 || v.Former[0].Works {
		t.Errorf("back: %+v", v)
	}
}
