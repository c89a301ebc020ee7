package dht

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// needs skips the test for want of something, or fails where everything has to
// be there.
func needs(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// namespace is a network namespace with nothing but a loopback interface, which
// has as many addresses as a test gives it.
type namespace struct {
	t    *testing.T
	name string
	asks bool // it has the address of asker
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		needs(t, "needs root: network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		needs(t, "needs ip: apt-get install iproute2")
	}
	var b [4]byte
	rand.Read(b[:])
	n := &namespace{t: t, name: "dht-" + hex.EncodeToString(b[:])}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", n.name).CombinedOutput(); err != nil {
			t.Errorf("removing the namespace: %v: %s", err, out)
		}
	})
	n.ip("netns", "add", n.name)
	n.ip("-n", n.name, "link", "set", "lo", "up")
	return n
}

func (n *namespace) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// add gives the namespace an address. The kernel makes the route to it a moment
// later, and until then what is sent there is lost.
func (n *namespace) add(addr string) netip.Addr {
	n.t.Helper()
	n.ip("-n", n.name, "addr", "add", addr+"/64", "dev", "lo", "nodad")
	eventually(n.t, "a route to "+addr, func() bool {
		out, err := exec.Command("ip", "-n", n.name, "-6", "route", "show", "table", "local", addr).CombinedOutput()
		return err == nil && len(out) > 0
	})
	return netip.MustParseAddr(addr)
}

// listen binds a socket inside.
func (n *namespace) listen(addr netip.AddrPort) *net.UDPConn {
	n.t.Helper()
	var conn *net.UDPConn
	n.in(func() (err error) {
		conn, err = net.ListenUDP("udp6", net.UDPAddrFromAddrPort(addr))
		return err
	})
	return conn
}

// in calls f on a thread that is inside. A socket belongs to the namespace of
// the thread that made it, wherever it is used.
func (n *namespace) in(f func() error) {
	n.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		n.t.Fatal(err)
	}
	defer here.Close()
	there, err := os.Open(filepath.Join("/var/run/netns", n.name))
	if err != nil {
		n.t.Fatal(err)
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		n.t.Fatal(err)
	}
	defer func() {
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // this thread must not be used any more
		}
	}()
	if err := f(); err != nil {
		n.t.Fatal(err)
	}
}

// command runs a program inside.
func (n *namespace) command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.name, name}, args...)...)
}
