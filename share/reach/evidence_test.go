package reach

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newEvidence(t *testing.T) (*Evidence, *clock) {
	t.Helper()
	c := &clock{time.Unix(1_000_000, 0)}
	e := NewEvidence(c.now)
	e.SetAddresses([]Address{
		addr("2001:db8:1::5", Stable, "eth0"), addr("fd00::5", Stable, "eth0"), addr("fe80::5", Stable, "eth0"),
	})
	return e, c
}

func TestOnlyStrangersProve(t *testing.T) {
	for name, c := range map[string]struct {
		to, from string
		want     bool
	}{
		"another network":      {"2001:db8:1::5", "2001:db8:2::9", true},
		"the same /64":         {"2001:db8:1::5", "2001:db8:1::9", false},
		"the same site":        {"2001:db8:1::5", "2001:db8:1:ff::9", false},
		"this host":            {"2001:db8:1::5", "2001:db8:1::5", false},
		"a local address":      {"2001:db8:1::5", "fd00::9", false},
		"a link-local address": {"2001:db8:1::5", "fe80::9", false},
		"IPv4":                 {"2001:db8:1::5", "192.0.2.1", false},
		"mapped IPv4":          {"2001:db8:1::5", "::ffff:192.0.2.1", false},
		"to a local address":   {"fd00::5", "2001:db8:2::9", false},
		"to nobody's address":  {"2001:db8:1::77", "2001:db8:2::9", false},
	} {
		e, _ := newEvidence(t)
		if got := e.Came(TCP, ip(c.to), ip(c.from), "connected"); got != c.want {
			t.Errorf("%s: counts: %v", name, got)
		}
		want := share.NotKnown
		if c.want {
			want = share.Reachable
		}
		if got := e.About(TCP, ip(c.to)); got.Verdict != want {
			t.Errorf("%s: %+v", name, got)
		}
		if got := e.About(UDP, ip(c.to)); got.Verdict != share.NotKnown {
			t.Errorf("%s: TCP proves UDP: %+v", name, got)
		}
	}
}

func TestVerdictsChange(t *testing.T) {
	own := ip("2001:db8:1::5")
	e, c := newEvidence(t)
	want := func(step string, v share.Verdict) {
		t.Helper()
		if got := e.About(TCP, own); got.Verdict != v || v != share.NotKnown && (got.Evidence.Pattern == "" || got.Time.IsZero()) {
			t.Errorf("%s: %+v", step, got)
		}
	}
	want("nothing known", share.NotKnown)
	e.Refused(TCP, own, ip("2001:db8:2::1"))
	e.Refused(TCP, own, ip("2001:db8:2:1::1")) // another address of the same site
	want("one network cannot call", share.NotKnown)
	e.Refused(TCP, own, ip("2001:db8:1::1")) // a neighbour
	want("a neighbour does not count", share.NotKnown)
	e.Refused(TCP, own, ip("2001:db8:3::1"))
	want("two networks cannot call", share.Unreachable)
	e.Came(TCP, own, ip("2001:db8:9::1"), "connected")
	want("somebody came through after that", share.Reachable)
	c.t = c.t.Add(time.Hour)
	e.Refused(TCP, own, ip("2001:db8:2::1"))
	want("one later failure does not outweigh it", share.Reachable)
	e.Refused(TCP, own, ip("2001:db8:3::1"))
	want("two do", share.Unreachable)
	e.Forget(TCP, own)
	want("the firewall was changed", share.Reachable)
	c.t = c.t.Add(proofLife)
	want("long ago", share.NotKnown)
	e.Refused(TCP, own, ip("2001:db8:2::1"))
	e.Refused(TCP, own, ip("2001:db8:3::1"))
	c.t = c.t.Add(refusalLife)
	want("failures long ago", share.NotKnown)

	e.Came(TCP, own, ip("2001:db8:9::1"), "connected")
	e.SetAddresses([]Address{addr("2001:db8:7::5", Stable, "eth0")})
	e.SetAddresses([]Address{addr("2001:db8:1::5", Stable, "eth0")})
	want("the address was gone meanwhile", share.NotKnown)
}

// A port that is not for peers is proven by who comes to it, and says nothing about
// another port; nor do the ports for peers.
func TestEvidenceOfOnePort(t *testing.T) {
	e, _ := newEvidence(t)
	own, stranger := ip("2001:db8:1::5"), ip("2001:db8:9::1")
	web, other := netip.AddrPortFrom(own, 443), netip.AddrPortFrom(own, 80)
	if e.CameTo(web, ip("2001:db8:1::7"), "connected") || e.CameTo(netip.AddrPortFrom(ip("2001:db8:1::6"), 443), stranger, "connected") {
		t.Error("a neighbour, or an address of another host, is a proof")
	}
	e.Came(TCP, own, stranger, "connected")
	if got := e.AboutPort(web).Verdict; got != share.NotKnown {
		t.Errorf("after a peer came: %s", got)
	}
	if !e.CameTo(web, stranger, "connected") || e.AboutPort(web).Verdict != share.Reachable || e.AboutPort(other).Verdict != share.NotKnown {
		t.Errorf("%+v, %+v", e.AboutPort(web), e.AboutPort(other))
	}
	e.SetAddresses([]Address{addr("2001:db8:7::5", Stable, "eth0")})
	if got := e.AboutPort(web).Verdict; got != share.NotKnown {
		t.Errorf("after the address has gone: %s", got)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	e, _ := newEvidence(t)
	own := ip("2001:db8:1::5")
	for i := range 1000 {
		a := ip("2001:db8:2::1").As16()
		a[4], a[5] = byte(i>>8)+0x20, byte(i)
		e.Refused(TCP, own, netip.AddrFrom16(a))
	}
	if n := len(e.about[subject{addr: own, proto: TCP}].refusals); n != maxRefusals {
		t.Errorf("%d refusals are kept", n)
	}
}

func TestReport(t *testing.T) {
	const own = "2001:db8:1::5"
	stranger, one, two := ip("2001:db8:9::1"), ip("2001:db8:2::1"), ip("2001:db8:3::1")
	stable := Endpoint{addr(own, Stable, "eth0"), 51413, 51413, true}
	temporary := Endpoint{addr("2001:db8:1::abcd", Temporary, "eth0"), 51413, 51413, false}
	ula := Endpoint{addr("fd00::5", Stable, "eth0"), 51413, 51413, true}
	link := Endpoint{addr("fe80::5%eth0", Stable, "eth0"), 51413, 51413, false}
	loop := Endpoint{addr("::1", Stable, "lo"), 51413, 51413, true}
	refute := func(e *Evidence) {
		for _, p := range []Protocol{TCP, UDP} {
			e.Refused(p, ip(own), one)
			e.Refused(p, ip(own), two)
		}
	}
	hole := share.Pinhole{Address: ip(own), Port: 51413, Protocol: "tcp", Method: "PCP", Until: time.Unix(2_000_000, 0)}
	for name, c := range map[string]struct {
		ends         []Endpoint
		pinholes     []share.Pinhole
		show         func(*Evidence)
		verdict      share.Verdict
		answer, next string
	}{
		"nothing": {nil, nil, nil, share.Unreachable, "has no IPv6 address that others can connect to", "Ask your provider"},
		"loopback only": {[]Endpoint{loop}, nil, nil, share.Unreachable,
			"has no IPv6 address that others can connect to", "Ask your provider"},
		"link-local only": {[]Endpoint{link}, nil, nil, share.Unreachable, "are link-local", "Ask your provider"},
		"ULA only":        {[]Endpoint{link, ula}, nil, nil, share.Unreachable, "Only your own network", "Ask your provider"},
		"no evidence":     {[]Endpoint{link, stable, temporary}, nil, nil, share.NotKnown, "not known yet", "shoal doctor --wait 30s"},
		"proven": {[]Endpoint{temporary, stable}, nil, func(e *Evidence) {
			e.Came(TCP, ip(own), stranger, "connected")
			e.Came(UDP, ip(own), stranger, "asked")
		}, share.Reachable, "can reach you at [" + own + "]:51413.", "No action"},
		"UDP is not": {[]Endpoint{stable}, nil, func(e *Evidence) {
			refute(e)
			e.Came(TCP, ip(own), stranger, "connected")
		}, share.Reachable, "but not by UDP", "Open UDP 51413 to " + own + " in your router's IPv6 firewall."},
		"refuted": {[]Endpoint{stable}, nil, refute, share.Unreachable, "cannot reach you at [" + own + "]:51413",
			"Open TCP and UDP 51413 to " + own + " in your router's IPv6 firewall."},
		"refuted but for UDP": {[]Endpoint{stable}, nil, func(e *Evidence) {
			refute(e)
			e.Came(UDP, ip(own), stranger, "asked")
		}, share.Unreachable, "cannot reach you", "Open TCP 51413 to " + own},
		"refuted in spite of a pinhole": {[]Endpoint{stable}, []share.Pinhole{hole}, refute, share.Unreachable, "cannot", "this machine's own firewall"},
		"the router would not": {[]Endpoint{stable}, []share.Pinhole{{Address: ip(own), Port: 51413, Method: "UPnP", Error: "no"}}, refute, share.Unreachable,
			"cannot", "refused to open it by UPnP."},
	} {
		t.Run(name, func(t *testing.T) {
			e := NewEvidence((&clock{time.Unix(1_000_000, 0)}).now)
			var all []Address
			for _, end := range c.ends {
				all = append(all, end.Address)
			}
			e.SetAddresses(all)
			if c.show != nil {
				c.show(e)
			}
			r := Situation{Endpoints: c.ends, Evidence: e, Pinholes: c.pinholes}.Report()
			if r.Verdict != c.verdict || !strings.Contains(r.Answer, c.answer) || !strings.Contains(r.Next, c.next) {
				t.Errorf("%s\n%s\n%s", r.Verdict, r.Answer, r.Next)
			}
			if len(r.Addresses) > 1 && r.Addresses[0].Scope != string(Global) && c.verdict != share.Unreachable {
				t.Errorf("the first address is %+v", r.Addresses[0])
			}
		})
	}
}

// A port that the router maps is told, as what it is: nobody has tested it. One that
// leads nowhere is none.
func TestReportOfAMappedPort(t *testing.T) {
	m := share.PortMapping{External: netip.MustParseAddrPort("8.8.8.8:7000")}
	s := Situation{Evidence: NewEvidence(time.Now), IPv4: &share.IPv4Report{Mapping: &m}}
	if r := s.Report(); r.Verdict != share.NotKnown || !strings.Contains(r.Answer, "8.8.8.8:7000") || strings.Contains(r.Next, "provider") {
		t.Errorf("%s\n%s\n%s", r.Verdict, r.Answer, r.Next)
	}
	m.Error = "behind another router"
	if r := s.Report(); r.Verdict != share.Unreachable || !strings.Contains(r.Next, "Ask your provider") {
		t.Errorf("%s\n%s\n%s", r.Verdict, r.Answer, r.Next)
	}
}

// A host without global IPv6 is told what would help, and no other is bothered.
func TestWhatTheHostLacks(t *testing.T) {
	loop, link := addr("::1", Stable, "lo"), addr("fe80::5%eth0", Stable, "eth0")
	ula, global := addr("fd00::5", Stable, "eth0"), addr("2001:db8:1::5", Tentative, "eth0")
	translated := ula
	ula.Routed = false
	for name, c := range map[string]struct {
		s    Situation
		want []string
	}{
		"nothing":          {Situation{}, []string{"neither reach", "--ipv4", "Tailscale", "Yggdrasil", "WireGuard", "provider", "tunnel"}},
		"link-local":       {Situation{Host: []Address{loop, link}}, []string{"neither reach", "--ipv4"}},
		"ULA":              {Situation{Host: []Address{loop, link, ula}}, []string{"only peers on its own private network", "--ipv4"}},
		"IPv4 alone":       {Situation{Host: []Address{loop}, IPv4: &share.IPv4Report{}}, []string{"only peers with IPv4", "WireGuard"}},
		"IPv4 and ULA":     {Situation{Host: []Address{ula}, IPv4: &share.IPv4Report{}}, []string{"no global IPv6 address", "peers with IPv4"}},
		"global":           {Situation{Host: []Address{loop, link, global}}, nil},
		"translated":       {Situation{Host: []Address{loop, translated}}, nil},
		"for this machine": {Situation{Host: []Address{loop}, Local: true}, nil},
	} {
		c.s.Evidence = NewEvidence(time.Now)
		got := c.s.Report().Warning
		if len(c.want) == 0 && got != "" {
			t.Errorf("%s: %s", name, got)
		}
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", name, got, w)
			}
		}
		if c.s.IPv4 != nil && strings.Contains(got, "--ipv4") {
			t.Errorf("%s is told to use what it uses: %s", name, got)
		}
	}
}

func TestProvenAddressesComeFirst(t *testing.T) {
	c := &clock{time.Unix(1_000_000, 0)}
	e := NewEvidence(c.now)
	e.SetAddresses([]Address{addr("2001:db8:1::5", Stable, "a"), addr("2001:db8:2::5", Stable, "b"), addr("2001:db8:3::5", Stable, "c")})
	e.Refused(TCP, ip("2001:db8:1::5"), ip("2001:db8:8::1"))
	e.Refused(TCP, ip("2001:db8:1::5"), ip("2001:db8:9::1"))
	e.Came(TCP, ip("2001:db8:3::5"), ip("2001:db8:9::1"), "connected")
	var all []netip.AddrPort
	for _, s := range []string{"[2001:db8:1::5]:1", "[2001:db8:2::5]:1", "[2001:db8:3::5]:1"} {
		all = append(all, netip.MustParseAddrPort(s))
	}
	e.Sort(all)
	if got := all[0].Addr().String() + " " + all[2].Addr().String(); got != "2001:db8:3::5 2001:db8:1::5" {
		t.Error(all)
	}
}
