package netguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share"
)

// Whatever is private is told only to those who have an address of the same kind.
func TestMayTell(t *testing.T) {
	const global, other, v4 = "2001:db8::1", "2a00:1450::1", "8.8.8.8"
	for _, c := range []struct {
		about string
		to    []string // of those below
	}{
		{global, []string{"all"}}, {v4, []string{"all"}}, {"::ffff:8.8.4.4", []string{"all"}},
		{"64:ff9b::8.8.8.8", []string{"all"}}, {"2002:808:808::1", []string{"all"}},
		{"fd00::2", []string{"fd00::1"}}, {"200::2", []string{"201::1"}},
		{"::1", []string{"::1"}}, {"127.0.0.2", []string{"127.0.0.1"}}, {"::ffff:127.0.0.2", []string{"127.0.0.1"}},
		{"fe80::2", nil}, {"fe80:3::2", nil}, {"169.254.0.2", nil},
		{"10.9.9.9", []string{"10.0.0.1", "64:ff9b::10.0.0.1"}}, {"::ffff:10.9.9.9", []string{"10.0.0.1", "64:ff9b::10.0.0.1"}},
		{"192.168.7.7", []string{"192.168.0.1"}}, {"100.64.0.2", []string{"100.100.0.1"}},
		{"64:ff9b::10.0.0.2", []string{"10.0.0.1", "64:ff9b::10.0.0.1"}}, {"2002:a00:2::1", []string{"10.0.0.1", "64:ff9b::10.0.0.1"}},
		{"64:ff9b:1::2", []string{"64:ff9b:1::1"}},
		{"::", nil}, {"ff02::1", nil}, {"100::1", nil}, {"4000::1", nil}, {"0.0.0.0", nil}, {"239.0.0.1", nil},
	} {
		for _, to := range []string{
			global, other, v4, "fd00::1", "201::1", "::1", "127.0.0.1", "fe80::1%1", "fe80:3::1", "169.254.0.1", "10.0.0.1",
			"64:ff9b::10.0.0.1", "192.168.0.1", "100.100.0.1", "64:ff9b:1::1",
		} {
			want := slices.Contains(c.to, "all") || slices.Contains(c.to, to)
			if got := MayTell(netip.MustParseAddr(c.about), netip.MustParseAddr(to)); got != want {
				t.Errorf("of %s, %s is told: %v", c.about, to, got)
			}
		}
	}
	if MayTell(netip.Addr{}, netip.MustParseAddr(global)) || MayTell(netip.MustParseAddr("fd00::1"), netip.Addr{}) {
		t.Error("what is no address")
	}
}

func TestCheck(t *testing.T) {
	const (
		no      = iota // never
		private        // with AllowPrivate
		v4             // with IPv4
		v4priv         // with both
		yes
	)
	rows := []struct {
		addr string
		when int
	}{
		{"2001:db8::1", yes},
		{"2a00:1450:4001::1", yes},
		{"3fff::1", yes},
		{"::1", private},
		{"fe80::1", private},
		{"fe80::1%eth0", private},
		{"febf::1", private},
		{"fc00::1", private},
		{"fd12:3456::1", private},
		{"fec0::1", private},
		{"200::1", private}, // Yggdrasil
		{"3ff:ffff::1", private},
		{"64:ff9b:1::a00:1", private},
		{"::", no},
		{"::7f00:1", no}, // IPv4-compatible, long gone
		{"ff02::1", no},
		{"ff15::efc0:988f", no},
		{"100::1", no},
		{"4000::1", no},
		{"5f00::1", no},
		{"8.8.8.8", v4},
		{"::ffff:8.8.8.8", v4},
		{"127.0.0.1", v4priv},
		{"::ffff:127.0.0.1", v4priv},
		{"10.1.2.3", v4priv},
		{"::ffff:10.1.2.3", v4priv},
		{"172.16.0.1", v4priv},
		{"172.31.255.255", v4priv},
		{"172.32.0.1", v4},
		{"192.168.1.1", v4priv},
		{"169.254.169.254", v4priv},
		{"::ffff:169.254.169.254", v4priv},
		{"100.64.0.1", v4priv},
		{"100.127.255.255", v4priv},
		{"198.18.0.1", v4priv},
		{"192.0.2.1", v4priv},
		{"0.0.0.0", no},
		{"0.1.2.3", no},
		{"192.0.0.1", no},
		{"224.0.0.1", no},
		{"239.192.152.143", no},
		{"240.0.0.1", no},
		{"255.255.255.255", no},
		// Translators and tunnels, judged by where they lead.
		{"64:ff9b::8.8.8.8", yes},
		{"64:ff9b::127.0.0.1", private},
		{"64:ff9b::192.168.1.1", private},
		{"64:ff9b::a9fe:a9fe", private},
		{"64:ff9b::e000:1", no},
		{"2002:808:808::1", yes},
		{"2002:7f00:1::1", private},
		{"2002:c0a8:101::1", private},
		{"2002:e000:1::", no},
		{"2001:0:1:2:3:4:f7f7:f7f7", yes},     // Teredo to 8.8.8.8
		{"2001:0:1:2:3:4:80ff:fffe", private}, // Teredo to 127.0.0.1
	}
	for _, r := range rows {
		addr := netip.MustParseAddr(r.addr)
		for _, p := range []Policy{{}, {AllowPrivate: true}, {IPv4: true}, {AllowPrivate: true, IPv4: true}} {
			want := map[int]bool{
				no: false, private: p.AllowPrivate, v4: p.IPv4, v4priv: p.AllowPrivate && p.IPv4, yes: true,
			}[r.when]
			err := p.Check(addr)
			if (err == nil) != want {
				t.Errorf("%s with %+v: %v", r.addr, p, err)
			}
			if err != nil && share.KindOf(err) != share.Refused {
				t.Errorf("%s: kind %v", r.addr, share.KindOf(err))
			}
		}
	}
	only4 := Policy{IPv4: true, NoIPv6: true}
	if only4.Check(netip.MustParseAddr("2001:db8::1")) == nil || only4.Check(netip.MustParseAddr("8.8.8.8")) != nil {
		t.Error("NoIPv6 does not leave IPv4 alone")
	}
	if (Policy{AllowPrivate: true, IPv4: true}).Check(netip.Addr{}) == nil {
		t.Error("the zero address is allowed")
	}
	if (Policy{}).CheckPeer(netip.MustParseAddrPort("[2001:db8::1]:0")) == nil {
		t.Error("port 0 is allowed")
	}
}

// An IPv4 address is no more allowed in any disguise than it is plain.
func TestDisguises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		plain := netip.AddrFrom4(raw)
		p := Policy{AllowPrivate: rapid.Bool().Draw(t, "private"), IPv4: true}
		ok := p.Check(plain) == nil
		mapped := netip.AddrFrom16(plain.As16())
		if (p.Check(mapped) == nil) != ok {
			t.Fatalf("%s and %s differ", plain, mapped)
		}
		var b [16]byte
		copy(b[:], []byte{0, 0x64, 0xff, 0x9b})
		copy(b[12:], raw[:])
		if nat := netip.AddrFrom16(b); (p.Check(nat) == nil) != ok {
			t.Fatalf("%s and %s differ", plain, nat)
		}
	})
}

// listener accepts and counts connections until the test ends.
func listener(t *testing.T) (addr string, accepted func() int) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	n := make(chan int, 1)
	n <- 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n <- <-n + 1
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String(), func() int { v := <-n; n <- v; return v }
}

func TestDialIsCheckedAfterResolution(t *testing.T) {
	addr, accepted := listener(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	resolver := fakeResolver(t, netip.MustParseAddr("::1"))
	for _, host := range []string{"rebind.test", "::1"} {
		d := Policy{}.Dialer(5 * time.Second)
		d.Resolver = resolver
		_, err := d.DialContext(t.Context(), "tcp6", net.JoinHostPort(host, port))
		if share.KindOf(err) != share.Refused {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := accepted(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	d := Policy{AllowPrivate: true}.Dialer(5 * time.Second)
	d.Resolver = resolver
	c, err := d.DialContext(t.Context(), "tcp6", net.JoinHostPort("rebind.test", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestDialNarrowsTheFamily(t *testing.T) {
	_, err := Policy{AllowPrivate: true}.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	var ae *net.AddrError
	if !errors.As(err, &ae) {
		t.Errorf("dialling IPv4 without IPv4: %v", err)
	}
	_, err = Policy{AllowPrivate: true, IPv4: true, NoIPv6: true}.DialContext(t.Context(), "udp", "[::1]:1")
	if !errors.As(err, &ae) {
		t.Errorf("dialling IPv6 without IPv6: %v", err)
	}
}

// fakeResolver answers every question for an IPv6 address with addr.
func fakeResolver(t *testing.T, addr netip.Addr) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeAAAA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AAAAResource{AAAA: addr.As16()},
				}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	t.Cleanup(func() {
		pc.Close()
		<-done
	})
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp6", pc.LocalAddr().String())
		},
	}
}

func TestZones(t *testing.T) {
	rows := []struct{ in, embedded, restored string }{
		{"[fe80::1%7]:80", "[fe80:7::1]:80", "[fe80::1%7]:80"},
		{"[fe80::abcd:1%65535]:80", "[fe80:ffff::abcd:1]:80", "[fe80::abcd:1%65535]:80"},
		{"[fe80::1]:80", "[fe80::1]:80", "[fe80::1]:80"},
		{"[2001:db8::1%7]:80", "[2001:db8::1]:80", "[2001:db8::1]:80"},
		{"[2001:db8:7::1]:80", "[2001:db8:7::1]:80", "[2001:db8:7::1]:80"},
		{"169.254.7.1:80", "169.254.7.1:80", "169.254.7.1:80"},
	}
	for _, r := range rows {
		got, err := EmbedZone(netip.MustParseAddrPort(r.in))
		if err != nil || got.String() != r.embedded {
			t.Errorf("EmbedZone(%s) = %s, %v", r.in, got, err)
		}
		if back := RestoreZone(got); back.String() != r.restored {
			t.Errorf("RestoreZone(%s) = %s", got, back)
		}
		if host, _, _ := net.SplitHostPort(got.String()); net.ParseIP(host) == nil {
			t.Errorf("net.ParseIP does not read %s", host)
		}
	}
	for _, bad := range []string{"no-such-interface", "65536", "0", "-1"} {
		ap := netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(bad), 80)
		if got, err := EmbedZone(ap); err == nil {
			t.Errorf("EmbedZone(%s) = %s", ap, got)
		}
	}
	ifs, err := net.Interfaces()
	if err != nil || len(ifs) == 0 {
		t.Fatalf("no interface to test with: %v", err)
	}
	byName, err := EmbedZone(netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(ifs[0].Name), 80))
	if err != nil || !strings.HasPrefix(byName.String(), "[fe80:") {
		t.Errorf("by name: %s, %v", byName, err)
	}
}

// A node that has a global address takes what neighbours tell of its own site.
func TestAmongOnASiteWithGlobalAddresses(t *testing.T) {
	global := []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:1")}
	host := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fd00:1:2:3::1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")}
	p := Policy{}.Among(global, host)
	for a, want := range map[string]bool{
		"fd00:1:2:3::2": true, "fd00:1:2:4::2": true, "fd00:1:3::2": false, "fd01:1:2::2": false, "2001:db8::2": true,
		"200::2": false, "fe80::2": false, "10.0.0.2": false, "::1": false, "::ffff:10.0.0.2": false,
	} {
		if err := p.Check(netip.MustParseAddr(a)); (err == nil) != want {
			t.Errorf("%s: %v", a, err)
		}
	}
	if len((Policy{}).Among(global, nil).Home) != 0 {
		t.Error("a host without such an address has a site")
	}
}

// What neighbours tell is taken where this node is on a private network itself, of that
// kind only.
func TestAmong(t *testing.T) {
	all := []string{"2001:db8::2", "fd00::2", "200::2", "::1", "fe80::2", "64:ff9b:1::a00:1", "fec0::1", "127.0.0.1", "192.168.1.2", "ff02::1", "64:ff9b::a00:1"}
	for own, allowed := range map[string]string{
		"":                                   "2001:db8::2",
		"[2001:db8::1]:1":                    "2001:db8::2",
		"[fd00::1]:1":                        "2001:db8::2 fd00::2 200::2",
		"[200::1]:1":                         "2001:db8::2 fd00::2 200::2",
		"[::1]:1":                            "2001:db8::2 ::1",
		"[fd00::1]:1 [2001:db8::1]:1":        "2001:db8::2",
		"[::1]:1 [2001:db8::1]:1":            "2001:db8::2",
		"[fd00::1]:1 [::1]:1":                "2001:db8::2 fd00::2 200::2",
		"[::1]:1 [fd00::1]:1":                "2001:db8::2 fd00::2 200::2",
		"[fe80::1]:1":                        "2001:db8::2",
		"192.168.1.1:1":                      "2001:db8::2",
		"[::1]:1 192.168.1.1:1":              "2001:db8::2",
		"[fd00::1]:1 8.8.8.8:1":              "2001:db8::2 fd00::2 200::2",
		"[::ffff:192.168.1.1]:1 [fd00::1]:1": "2001:db8::2 fd00::2 200::2",
	} {
		var addrs []netip.AddrPort
		for _, a := range strings.Fields(own) {
			addrs = append(addrs, netip.MustParseAddrPort(a))
		}
		p := Policy{}.Among(addrs, nil)
		for _, a := range all {
			want := slices.Contains(strings.Fields(allowed), a)
			if err := p.Check(netip.MustParseAddr(a)); (err == nil) != want {
				t.Errorf("of a node at %q, %s: %v", own, a, err)
			}
		}
	}
}
