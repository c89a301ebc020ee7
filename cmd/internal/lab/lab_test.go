//go:build linux

package lab_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// reaches tells whether a stranger's connection from a to address arrives.
func reaches(t *testing.T, a *lab.Host, address netip.Addr, port uint16, within time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c, err := a.Dial(ctx, "tcp6", netip.AddrPortFrom(address, port).String())
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// alice ── router ── core ── router (firewall) ── bob
func TestFirewallKeepsStrangersOutAndLetsAnswersIn(t *testing.T) {
	net := lab.New(t)
	alice := net.Home("alice")
	router := net.Router("bob", lab.Firewalled)
	bob := router.Host("bob")
	atAlice := lab.Port(alice.Listen(0).Addr())
	atBob := lab.Port(bob.Listen(0).Addr())

	if !reaches(t, bob, alice.Addr, atAlice, time.Minute) {
		t.Error("bob, firewalled, cannot reach alice")
	}
	if reaches(t, alice, bob.Addr, atBob, 300*time.Millisecond) {
		t.Error("alice reaches bob through his firewall")
	}
	router.Open()
	if !reaches(t, alice, bob.Addr, atBob, time.Minute) {
		t.Error("alice cannot reach bob with his firewall open")
	}
	router.Firewall()
	if reaches(t, alice, bob.Addr, atBob, 300*time.Millisecond) {
		t.Error("alice reaches bob through his firewall, closed again")
	}
}

// alice, tv ── router ── core ── router ── bob
func TestThereIsNoIPv4AndEveryHomeHasItsOwnPrefix(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, tv := home.Host("alice"), home.Host("tv")
	bob := net.Home("bob")
	for _, h := range []*lab.Host{alice, tv, bob} {
		var global int
		for _, a := range h.Addresses() {
			switch {
			case a.Is4():
				t.Errorf("%s has the IPv4 address %v", h.Name, a)
			case netip.MustParsePrefix("2001:db8::/32").Contains(a):
				global++
			}
		}
		if global != 1 {
			t.Errorf("%s has %d global addresses: %v", h.Name, global, h.Addresses())
		}
		out := h.Run("ip", "-4", "-o", "addr")
		if out != "" {
			t.Errorf("%s: ip -4 addr: %s", h.Name, out)
		}
	}
	if !home.Prefix().Contains(tv.Addr) || home.Prefix().Contains(bob.Addr) {
		t.Errorf("alice %v, tv %v, bob %v", alice.Addr, tv.Addr, bob.Addr)
	}
	port := lab.Port(tv.Listen(0).Addr())
	if !reaches(t, alice, tv.Addr, port, time.Minute) {
		t.Error("hosts of one LAN do not reach each other")
	}
}

// alice ──┬── bob      no router
func TestMulticastOnALinkWithoutRouter(t *testing.T) {
	link := lab.New(t).LAN("table")
	alice, bob := link.Host("alice"), link.Host("bob")
	listener := bob.Start("/usr/bin/python3", "-c", `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 6771))
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
    socket.inet_pton(socket.AF_INET6, "ff12::bad:cafe") + struct.pack("@I", socket.if_nametoindex("eth0")))
print("ready", flush=True)
print(s.recv(100).decode(), flush=True)`)
	listener.Says("ready")
	alice.Run("/usr/bin/python3", "-c", `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
s.sendto(b"anyone there?", ("ff12::bad:cafe", 6771))`)
	listener.Says("anyone there")
}

// alice ── router (two prefixes) ── core ── router ── bob
func TestRenumberingKeepsTheOldPrefixUntilItIsRetired(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob := home.Host("alice"), net.Home("bob")
	port := lab.Port(alice.Listen(0).Addr())
	before := alice.Addr
	old := home.Renumber()
	if before == alice.Addr {
		t.Fatal("alice kept her address")
	}
	for _, a := range []netip.Addr{before, alice.Addr} {
		if !reaches(t, bob, a, port, time.Minute) {
			t.Errorf("%v is not reachable while both prefixes are in use", a)
		}
	}
	if out := alice.Run("ip", "-6", "addr", "show", "deprecated"); !strings.Contains(out, before.String()) {
		t.Errorf("the old address is not deprecated: %s", out)
	}
	home.Retire(old)
	if reaches(t, bob, before, port, time.Second) {
		t.Error("the old address is still reachable")
	}
	if !reaches(t, bob, alice.Addr, port, time.Minute) {
		t.Error("the new address is not reachable")
	}
}

// alice ── router (10 MiB/s, 1 % loss) ── core ── router ── bob
func TestBandwidthAndLoss(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob := home.Host("alice"), net.Home("bob")
	data := make([]byte, 3<<20)
	root := alice.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }))
	fetch := func() time.Duration {
		began := time.Now()
		client := &http.Client{Transport: &http.Transport{DialContext: bob.Dial6}}
		defer client.CloseIdleConnections()
		response, err := client.Get(root + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(len(data)) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		return time.Since(began)
	}
	home.Bandwidth(0, 2<<20)
	if took := fetch(); took < time.Second {
		t.Errorf("3 MiB through 2 MiB/s took %v", took)
	}
	home.Bandwidth(0, 0)
	home.Loss(10)
	fetch()
	home.Loss(1000)
	if reaches(t, bob, alice.Addr, 9, 300*time.Millisecond) {
		t.Error("packets pass when all are dropped")
	}
	home.Loss(0)
	fetch()
	home.Unplug()
	if reaches(t, bob, alice.Addr, lab.Port(alice.Listen(0).Addr()), 300*time.Millisecond) {
		t.Error("packets pass an unplugged cable")
	}
	home.Plug()
	fetch()
}

// alice ── router (forgets) ── core ── router ── bob
func TestFirewallForgets(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice", lab.Firewalled)
	alice, bob := home.Host("alice"), net.Home("bob")
	// UDP, since the firewall takes up a TCP connection again in the middle.
	a, b := alice.ListenPacket(0), bob.ListenPacket(0)
	atBob := netip.AddrPortFrom(bob.Addr, lab.Port(b.LocalAddr()))
	if _, err := a.WriteToUDPAddrPort([]byte("hello"), atBob); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_, from, err := b.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	answered := func() bool {
		if _, err := b.WriteToUDPAddrPort([]byte("hello yourself"), from); err != nil {
			t.Fatal(err)
		}
		a.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, _, err := a.ReadFromUDPAddrPort(buf)
		return err == nil
	}
	if !answered() {
		t.Error("the answer did not come back")
	}
	home.Forget()
	if answered() {
		t.Error("the answer came back although the firewall forgot the question")
	}
}

func TestProcessesAreWatchedAndKilled(t *testing.T) {
	host := lab.New(t).LAN("one").Host("host")
	p := host.Start("/bin/sh", "-c", `echo '{"event":"progress"}'; echo '{"event":"ready","port":7}'; echo not json; echo why >&2; sleep 1000 & wait`)
	var ready struct{ Port int }
	p.Event("ready", &ready)
	if ready.Port != 7 {
		t.Errorf("port %d", ready.Port)
	}
	p.Says("why")
	if p.Within(50*time.Millisecond).TryEvent("never", nil) {
		t.Error("an event that never came")
	}
	group := p.PID()
	p.Kill()
	if p.Wait() != 128+9 {
		t.Errorf("status %d", p.Wait())
	}
	deadline := time.Now().Add(time.Minute)
	for syscall.Kill(-group, 0) == nil && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its child lives on: %v", err)
	}
	if got := host.Start("/bin/sh", "-c", "exit 3").Wait(); got != 3 {
		t.Errorf("status %d", got)
	}
}

// A test process that is killed takes its processes, and with them and its file
// descriptors its namespaces, along.
func TestNothingOutlivesAKilledTest(t *testing.T) {
	if os.Getenv("LAB_VICTIM") != "" {
		host := lab.New(t).Home("victim")
		p := host.Start("/bin/sleep", "1000")
		os.Stdout.WriteString("\n" + strings.TrimSpace(host.Run("readlink", "/proc/self/ns/net")) + "\n")
		p.Wait()
		return
	}
	lab.Root(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingOutlivesAKilledTest$")
	cmd.Env = append(os.Environ(), "LAB_VICTIM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	buf := make([]byte, 1000)
	for !strings.Contains(name, "]") {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, name)
		}
		name += string(buf[:n])
	}
	name = strings.TrimSpace(name)
	if users(t, name) == 0 {
		t.Fatalf("nobody is in %s", name)
	}
	cmd.Process.Kill()
	cmd.Wait()
	deadline := time.Now().Add(time.Minute)
	for users(t, name) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := users(t, name); n > 0 {
		t.Errorf("%d processes are still in %s", n, name)
	}
}

// users counts the processes in a network namespace.
func users(t *testing.T, name string) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range all {
		if target, err := os.Readlink(link); err == nil && target == name {
			n++
		}
	}
	return n
}

func TestMemoryDiskFillsAndGrows(t *testing.T) {
	d := lab.Memory(t, 1<<20, 100)
	name := filepath.Join(d.Dir, "file")
	if err := os.WriteFile(name, make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing too much: %v", err)
	}
	d.Resize(4 << 20)
	if err := os.WriteFile(name, make([]byte, 2<<20), 0o600); err != nil {
		t.Error(err)
	}
	d.ReadOnly(true)
	if err := os.WriteFile(name, nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("writing to a read-only disk: %v", err)
	}
	d.ReadOnly(false)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Error(err)
	}
}

func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	d := lab.Ext4(t, 32<<20)
	kept, lost := filepath.Join(d.Dir, "kept"), filepath.Join(d.Dir, "lost")
	write := func(name string, sync bool) {
		t.Helper()
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		if !sync {
			return
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	write(kept, true)
	write(lost, false)
	d.PowerCut()
	if err := os.WriteFile(kept, nil, 0o600); err == nil {
		t.Error("the disk still works")
	}
	d.Repower()
	if info, err := os.Stat(kept); err != nil || info.Size() != 100<<10 {
		t.Errorf("synced: %v, %v", info, err)
	}
	if info, err := os.Stat(lost); err == nil && info.Size() != 0 {
		t.Errorf("not synced, and yet there are %d bytes", info.Size())
	}
}
