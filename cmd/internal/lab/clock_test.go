//go:build linux

package lab_test

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

func TestClockOfOneProcess(t *testing.T) {
	net := lab.New(t)
	alice := net.Home("alice")
	in, ask, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ask.Close()
	cmd := exec.Command(lab.Tool(t, "python3", "python3"), "-uc", `
import sys, time
for line in sys.stdin:
	print(line.strip(), time.time(), time.monotonic(), "end")`)
	cmd.Stdin = in
	p := alice.StartCmd(cmd)
	in.Close()
	asked := 0
	// clocks gives how far the wall clock is ahead of ours, and the other one.
	clocks := func() (ahead time.Duration, monotonic float64) {
		t.Helper()
		asked++
		if _, err := fmt.Fprintf(ask, "q%d\n", asked); err != nil {
			t.Fatal(err)
		}
		said := p.Says(fmt.Sprintf(`q%d (\S+) (\S+) end`, asked))
		now := float64(time.Now().UnixNano()) / 1e9
		wall, err := strconv.ParseFloat(said[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if monotonic, err = strconv.ParseFloat(said[2], 64); err != nil {
			t.Fatal(err)
		}
		return time.Duration((wall - now) * float64(time.Second)), monotonic
	}
	_, began := clocks()
	for _, want := range []time.Duration{time.Hour, -24 * time.Hour, 0} {
		p.SetClock(want)
		ahead, monotonic := clocks()
		if off := (ahead - want).Abs(); off > 10*time.Minute {
			t.Errorf("the clock is %v ahead, not %v", ahead, want)
		}
		if gone := math.Abs(monotonic - began); gone > 600 {
			t.Errorf("the monotonic clock went by %v s", gone)
		}
	}
}

// alice ── router ── core ── router ── bob
func TestTapSeesWhatAHostSends(t *testing.T) {
	net := lab.New(t)
	alice, bob := net.Home("alice"), net.Home("bob")
	from, to := alice.ListenPacket(0), bob.ListenPacket(0)
	tap := alice.Tap()
	began := time.Now()
	there := fmt.Sprintf("[%s]:%d", bob.Addr, lab.Port(to.LocalAddr()))
	const many = 2000
	for i := range many {
		c := fmt.Sprintf("number %d", i)
		if _, err := from.WriteToUDPAddrPort([]byte(c), netip.MustParseAddrPort(there)); err != nil {
			t.Fatal(err)
		}
	}
	// What arrives is not what it sent.
	if _, err := to.WriteToUDPAddrPort([]byte("answer"), netip.MustParseAddrPort(fmt.Sprintf("[%s]:%d", alice.Addr, lab.Port(from.LocalAddr())))); err != nil {
		t.Fatal(err)
	}
	last := func(sent []lab.Datagram) bool {
		return slices.ContainsFunc(sent, func(d lab.Datagram) bool { return string(d.Payload) == "number 1999" })
	}
	if !tap.Await(began, time.Minute, last) {
		t.Fatal("the last datagram was not seen")
	}
	sent := tap.Sent(began)
	if len(sent) != many {
		t.Errorf("%d datagrams were seen, not %d", len(sent), many)
	}
	if d := sent[0]; d.From.Addr() != alice.Addr || d.To.String() != there {
		t.Errorf("the first went from %v to %v", d.From, d.To)
	}
	if later := tap.Sent(time.Now().Add(time.Hour)); len(later) != 0 {
		t.Errorf("%d are of the future", len(later))
	}
}

// alice
func TestServiceIsHandedSockets(t *testing.T) {
	net := lab.New(t)
	alice := net.Home("alice")
	l := alice.Listen(0).(interface{ File() (*os.File, error) })
	script := `
import os, socket
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_PID"]
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_FDNAMES"] == "peers"
l = socket.socket(fileno=3)
n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
n.sendto(b"STATUS=waking", os.environ["NOTIFY_SOCKET"])
n.sendto(b"READY=1\nSTATUS=port %d" % l.getsockname()[1], os.environ["NOTIFY_SOCKET"])`
	cmd := exec.Command(lab.Tool(t, "python3", "python3"), "-c", script)
	cmd.Env = os.Environ()
	s := alice.StartService(cmd, lab.Socket{Name: "peers", Of: l})
	s.Tells("READY=1\nSTATUS=port ")
	if status := s.Wait(); status != 0 {
		t.Errorf("status %d\n%s", status, s.Stderr())
	}
}
