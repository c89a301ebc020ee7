package lan

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// need skips where a test cannot run; in CI that is a failure.
func need(t *testing.T, ok bool, why string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// link makes two hosts on one link, with no router and no other network:
//
//	ns A  eth0 ---- br0 (ns S) ---- eth0  ns B
//
// Their addresses are link-local unless global ones are asked for.
func link(t *testing.T, global bool) (a, b string) {
	t.Helper()
	need(t, os.Geteuid() == 0, "needs root: makes network namespaces")
	_, err := exec.LookPath("ip")
	need(t, err == nil, "needs ip (Debian: iproute2)")
	tag := strings.ToLower(rand.Text()[:6])
	s := "shoal-s-" + tag
	a, b = "shoal-a-"+tag, "shoal-b-"+tag
	for _, ns := range []string{s, a, b} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			need(t, false, fmt.Sprintf("needs network namespaces: %v: %s", err, out))
		}
		t.Cleanup(func() {
			if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
				t.Errorf("removing %s: %v: %s", ns, err, out)
			}
		})
		// Addresses are usable at once.
		ip(t, "netns", "exec", ns, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad")
		ip(t, "-n", ns, "link", "set", "lo", "up")
	}
	ip(t, "-n", s, "link", "add", "br0", "type", "bridge")
	ip(t, "-n", s, "link", "set", "br0", "up")
	for i, ns := range []string{a, b} {
		port := "port" + strconv.Itoa(i)
		ip(t, "-n", s, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		ip(t, "-n", s, "link", "set", port, "master", "br0", "up")
		if global {
			ip(t, "-n", ns, "addr", "add", fmt.Sprintf("2001:db8::%d/64", i+1), "dev", "eth0", "nodad")
		}
		ip(t, "-n", ns, "link", "set", "eth0", "up")
	}
	return a, b
}

// helper runs this test program in a namespace as the host named by role.
func helper(t *testing.T, ns, role string) (out *bufio.Reader, in io.WriteCloser) {
	t.Helper()
	return start(t, ns, []string{"SHOAL_LAN_ROLE=" + role}, os.Args[0], "-test.run=^TestHelper$")
}

// start runs a program in a namespace until the end of the test.
func start(t *testing.T, ns string, env []string, name string, args ...string) (out *bufio.Reader, in io.WriteCloser) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns, name}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err = cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which is what they wait for
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s in %s: %v\n%s", name, ns, err, log.String())
		}
		cancel()
	})
	return bufio.NewReader(stdout), in
}

var shared = share.ID{1, 2, 3}

// TestHelper is one host of the tests below. It says what it found, and ends
// when its standard input does.
func TestHelper(t *testing.T) {
	role := os.Getenv("SHOAL_LAN_ROLE")
	if role == "" {
		return // not a helper
	}
	l, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, err := New(Config{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Port:   func() uint16 { return l.Addr().(*net.TCPAddr).AddrPort().Port() },
		Found:  func(id share.ID, peers []netip.AddrPort) { fmt.Println("heard", peers[0]) },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	switch role {
	case "share":
		n.Announce(shared)
		fmt.Println("ready", l.Addr())
	case "find":
		fctx, fcancel := context.WithCancel(ctx)
		err = n.Find(fctx, shared, func(peers []netip.AddrPort) {
			// What was found can be dialled as it is.
			c, err := net.DialTimeout("tcp6", peers[0].String(), 5*time.Second)
			if err != nil {
				fmt.Println("cannot dial", peers[0], err)
				return
			}
			c.Close()
			fmt.Println("found", peers[0])
			fcancel()
		})
		fcancel()
		fmt.Println("over", err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// expect reads lines until one begins with word.
func expect(t *testing.T, r *bufio.Reader, word string) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				t.Fatalf("the helper ended before it said %q", word)
			}
			t.Fatal(err)
		}
		if rest, ok := strings.CutPrefix(line, word+" "); ok {
			return strings.TrimSpace(rest)
		}
		t.Logf("a helper says: %s", line)
	}
}

func TestRealMulticast(t *testing.T) {
	for _, global := range []bool{false, true} {
		t.Run(fmt.Sprintf("global=%v", global), func(t *testing.T) {
			a, b := link(t, global)
			sharer, _ := helper(t, a, "share")
			expect(t, sharer, "ready")
			finder, _ := helper(t, b, "find")
			peer, err := netip.ParseAddrPort(expect(t, finder, "found"))
			if err != nil {
				t.Fatal(err)
			}
			if global && peer.Addr() != netip.MustParseAddr("2001:db8::1") {
				t.Errorf("found %s", peer)
			}
			if !global && (!peer.Addr().IsLinkLocalUnicast() || peer.Addr().Zone() != "eth0") {
				t.Errorf("found %s", peer)
			}
			expect(t, sharer, "heard")
		})
	}
}

// An interface that comes up later is taken into use.
func TestRealInterfaceChange(t *testing.T) {
	a, b := link(t, false)
	ip(t, "-n", a, "link", "set", "eth0", "down")
	sharer, _ := helper(t, a, "share")
	expect(t, sharer, "ready")
	finder, _ := helper(t, b, "find")
	expect(t, finder, "over")
	ip(t, "-n", a, "link", "set", "eth0", "up")
	expect(t, finder, "heard")
}

const libtorrentScript = `
import os, sys, threading, time, libtorrent as lt
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
s = lt.session({'enable_lsd': True, 'enable_dht': False, 'enable_upnp': False, 'enable_natpmp': False,
  'listen_interfaces': '[::]:7001', 'alert_mask': 0x7fffffff})
p = lt.parse_magnet_uri('magnet:?xt=urn:btih:%s')
p.save_path = '/tmp'
s.add_torrent(p)
print('ready', flush=True)
while True:
  s.wait_for_alert(200)
  for a in s.pop_alerts():
    if a.what() == 'lsd_peer':
      print('heard', a.message(), flush=True)
    elif 'LSD' in a.message():
      print(a.what(), a.message(), file=sys.stderr)
`

// libtorrent hears of us, and we of it.
func TestLibtorrent(t *testing.T) {
	const python = "/usr/bin/python3"
	err := exec.Command(python, "-c", "import libtorrent").Run()
	need(t, err == nil, "needs libtorrent for Python (Debian: python3-libtorrent)")
	a, b := link(t, true)
	other, _ := start(t, a, nil, python, "-c", fmt.Sprintf(libtorrentScript, shared))
	ours, _ := helper(t, b, "share")
	expect(t, ours, "ready")
	for {
		// It hears of itself, too.
		if strings.Contains(expect(t, other, "heard"), "2001:db8::2") {
			break
		}
	}
	if peer := expect(t, ours, "heard"); peer != "[2001:db8::1]:7001" {
		t.Errorf("we heard of %s", peer)
	}
}
