//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Hosts with no IPv6 are told so first, with what would help. With --ipv4 they find each
// other by the addresses in a link; without, the peers that are skipped are counted.
//
//	alice, bob, carol ── LAN, IPv4 only
func TestIPv4Only(t *testing.T) {
	t.Parallel()
	lan := lab.New(t).LAN("lan")
	users := map[string]*user{}
	for i, name := range []string{"alice", "bob", "carol"} {
		host := lan.Host(name)
		host.OnlyIPv4(netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1)), netip.Addr{})
		users[name] = at(t, host)
	}
	alice, bob, carol := users["alice"], users["bob"], users["carol"]
	first := func(p *lab.Proc, help string) {
		t.Helper()
		line, _, _ := strings.Cut(p.Stdout(), "\n")
		if !strings.Contains(line, `"code":"ipv6"`) || !strings.Contains(line, "no usable IPv6 address") ||
			!strings.Contains(line, help) || strings.Contains(line, "--ipv4") != (help == "--ipv4") {
			t.Errorf("the first line is %s", line)
		}
	}
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20+7, 51)
	shared := alice.Share(file, "--ipv4", "--listen", "[::]:7000")
	first(shared.Proc, "WireGuard")
	if strings.Count(shared.Link, "x.pe=") != 1 || !strings.Contains(shared.Link, "x.pe=10.0.0.1:7000") {
		t.Fatalf("the link is %s", shared.Link)
	}
	get := bob.StartCmd(bob.command("get", "--ipv4", "--output", t.TempDir(), shared.Link))
	identical(t, file, arrived(t, get).Path)
	first(get, "WireGuard")

	without := carol.StartCmd(carol.command("get", "--timeout", "2s", "--output", t.TempDir(), shared.Link))
	if status := without.Wait(); status != 3 || !strings.Contains(without.Stdout(), "1 peer skipped, IPv4 only") {
		t.Errorf("status %d: %s", status, without.Stdout())
	}
	first(without, "--ipv4")
	doctor := carol.StartCmd(carol.bare("doctor", "--state", carol.state))
	doctor.Wait()
	if !strings.HasPrefix(doctor.Stdout(), "This machine has no usable IPv6 address") {
		t.Errorf("doctor begins %s", doctor.Stdout())
	}
}

// A home router maps a port by whatever it speaks. Links have it, doctor tells of it, and
// it is given back at the end.
//
//	alice ── router with miniupnpd, IPv4 inside
func TestAHomeRouterMapsAPort(t *testing.T) {
	t.Parallel()
	for _, protocol := range []lab.Protocol{lab.PCP, lab.IGD2} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			home := lab.New(t).Router("home")
			home.Gateway(protocol)
			host := home.Host("alice")
			host.OnlyIPv4(netip.MustParsePrefix("192.168.1.5/24"), netip.MustParseAddr("192.168.1.1"))
			alice := at(t, host)
			node := alice.StartCmd(alice.command("daemon", "--ipv4", "--listen", "[::]:7000"))
			node.Event("ready", nil)
			d := alice.DoctorUntil("with a port", func(d diagnosis) bool { return d.IPv4 != nil && d.IPv4.Mapping != nil })
			m := d.IPv4.Mapping
			method := map[lab.Protocol]string{lab.PCP: "PCP", lab.IGD2: "UPnP"}[protocol]
			if m.External != "1.2.3.4:7000" || m.Internal != "192.168.1.5:7000" || m.Method != method || m.Gateway != "192.168.1.1" || m.Error != "" {
				t.Errorf("%+v", m)
			}
			if !strings.Contains(d.Answer, "1.2.3.4:7000") || d.Verdict != "unknown" {
				t.Errorf("%s: %s", d.Verdict, d.Answer)
			}
			if ports := home.Ports(); len(ports) != 1 || !strings.Contains(ports[0], "192.168.1.5:7000") {
				t.Errorf("the router maps %q", ports)
			}
			file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1000, 52)
			link := alice.publish(file)[0].Link
			if !strings.Contains(link, "x.pe=1.2.3.4:7000&x.pe=192.168.1.5:7000") {
				t.Errorf("the link is %s", link)
			}
			node.Interrupt()
			for deadline := time.Now().Add(10 * time.Second); len(home.Ports()) > 0; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the router still maps %q", home.Ports())
				}
			}
		})
	}
}
