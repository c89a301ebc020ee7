package edge

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Routers of the kernel are asked, through a firewall that lets in nothing but what
// belongs to what was sent.
//
//	host ── home, with a firewall ── provider ── far
func TestRoutersAnswer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: network namespaces need root")
	}
	id := strings.ToLower(rand.Text()[:6])
	space := func(name string) string { return "edge-" + id + "-" + name }
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	in := func(name string, args ...string) {
		t.Helper()
		run(append([]string{"ip", "netns", "exec", space(name)}, args...)...)
	}
	names := []string{"host", "home", "provider", "far"}
	for _, name := range names {
		run("ip", "netns", "add", space(name))
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", space(name)).Run() })
		in(name, "ip", "link", "set", "lo", "up")
		in(name, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
	}
	for i := range len(names) - 1 {
		a, b := names[i], names[i+1]
		run("ip", "link", "add", "outer", "netns", space(a), "type", "veth", "peer", "name", "inner", "netns", space(b))
		in(a, "ip", "addr", "add", fmt.Sprintf("2001:db8:%d::1/64", i), "dev", "outer", "nodad")
		in(b, "ip", "addr", "add", fmt.Sprintf("2001:db8:%d::2/64", i), "dev", "inner", "nodad")
		in(a, "ip", "link", "set", "outer", "up")
		in(b, "ip", "link", "set", "inner", "up")
	}
	for i, name := range names {
		if i < len(names)-1 {
			in(name, "ip", "-6", "route", "add", "default", "via", fmt.Sprintf("2001:db8:%d::2", i))
		}
		for left := range max(0, i-1) {
			in(name, "ip", "-6", "route", "add", fmt.Sprintf("2001:db8:%d::/64", left), "via", fmt.Sprintf("2001:db8:%d::1", i-1))
		}
	}
	for _, rule := range []string{
		"add table inet f", "add chain inet f forward { type filter hook forward priority 0; policy accept; }",
		"add rule inet f forward iifname outer ct state established,related accept", "add rule inet f forward iifname outer meta l4proto != ipv6-icmp drop",
		"add rule inet f forward iifname outer icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert } drop",
	} {
		in("home", "nft", rule)
	}
	m := New()
	defer m.Rest()
	to := netip.AddrPortFrom(netip.MustParseAddr("2001:db8:2::2"), 9)
	ask := func() {
		done := make(chan error)
		go func() { // its thread ends with it
			runtime.LockOSThread()
			f, err := os.Open("/run/netns/" + space("host"))
			if err == nil {
				defer f.Close()
				err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			}
			if err == nil {
				m.Ask(to, true)
			}
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); !m.Look().Known; time.Sleep(20 * time.Millisecond) {
		if ask(); time.Now().After(deadline) {
			t.Fatal("no router answered")
		}
	}
	m.mu.Lock()
	at := m.ruler.at
	m.mu.Unlock()
	if at != nearest {
		t.Errorf("the router at hop %d counts", at)
	}
	m.Rest()
	m.Forget()
	if m.Look().Known {
		t.Error("what was forgotten is known")
	}
}
