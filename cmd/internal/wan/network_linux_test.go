package wan

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func network(t *testing.T, hosts ...Host) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("no /dev/net/tun")
	}
	n, err := New(1, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func in[T any](t *testing.T, n *Network, i int, f func() (T, error)) T {
	t.Helper()
	var v T
	err := n.In(i, func() (err error) {
		v, err = f()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What is sent arrives, over a line that drops and loses packets, no sooner than
// its delay allows.
func TestTransferOverALine(t *testing.T) {
	const delay = 10 * time.Millisecond
	a, b := netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b")
	n := network(t,
		Host{Name: "a", Addr: a, Up: Mbit(80, 5*time.Millisecond), Delay: delay},
		Host{Name: "b", Addr: b, Delay: delay, Loss: 0.01})
	l := in(t, n, 1, func() (net.Listener, error) { return net.Listen("tcp", "[::]:0") })
	defer l.Close()
	to := netip.AddrPortFrom(b, l.Addr().(*net.TCPAddr).AddrPort().Port())
	data := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	began := time.Now()
	sent := make(chan error, 1)
	c := in(t, n, 0, func() (net.Conn, error) { return net.DialTimeout("tcp", to.String(), 30*time.Second) })
	go func() {
		defer c.Close()
		_, err := c.Write(data)
		sent <- err
	}()
	r, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d of %d bytes arrived: %v", len(got), len(data), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 4*delay {
		t.Errorf("a connection and its data took %v, less than two round trips of %v", took, 2*2*delay)
	}
	up, _, lost := n.Counts(0)
	_, down, _ := n.Counts(1)
	if up.Bytes < int64(len(data)) || down.Bytes < int64(len(data)) || lost == 0 {
		t.Errorf("up %+v, down %+v, %d lost", up, down, lost)
	}
	if down.Packets+lost > up.Packets { // some may be on their way
		t.Errorf("%d packets left a, %d reached b, %d were lost", up.Packets, down.Packets, lost)
	}
}

// Hosts see the network and not one another's loopback.
func TestHostsAreApart(t *testing.T) {
	a, b := netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b")
	n := network(t, Host{Name: "a", Addr: a}, Host{Name: "b", Addr: b})
	l := in(t, n, 1, func() (net.Listener, error) { return net.Listen("tcp", "[::1]:0") })
	defer l.Close()
	err := n.In(0, func() error {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	if err == nil {
		t.Error("a reached b's loopback")
	}
}

// A line may change the order of packets, double them, swallow large ones, and let
// no TCP through.
func TestWhatElseHappensOnALine(t *testing.T) {
	a, b := netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b")
	n := network(t, Host{Name: "a", Addr: a}, Host{Name: "b", Addr: b, Reorder: 0.5, Duplicate: 0.5, MTU: 1300, OnlyUDP: true})
	l := in(t, n, 1, func() (*net.UDPConn, error) { return net.ListenUDP("udp", &net.UDPAddr{}) })
	defer l.Close()
	to := netip.AddrPortFrom(b, l.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	c := in(t, n, 0, func() (net.Conn, error) { return net.Dial("udp", to.String()) })
	defer c.Close()
	const all, hello = 40, 255
	buf := make([]byte, 2000)
	for err := error(os.ErrDeadlineExceeded); errors.Is(err, os.ErrDeadlineExceeded); { // until the devices are up
		if _, err := c.Write([]byte{hello}); err != nil {
			t.Fatal(err)
		}
		if err := l.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err = l.Read(buf)
	}
	for i := range all {
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(make([]byte, 1300)); err != nil {
			t.Fatal(err)
		}
	}
	seen, doubled, late, last := map[byte]bool{}, 0, 0, -1
	for len(seen) < all || doubled == 0 {
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := l.Read(buf)
		if err != nil {
			t.Fatalf("%d of %d, %d doubled: %v", len(seen), all, doubled, err)
		}
		if got != 1 {
			t.Fatalf("a datagram of %d bytes", got)
		}
		switch i := int(buf[0]); {
		case i == hello:
			continue
		case seen[buf[0]]:
			doubled++
		case i < last:
			late++
		default:
			last = i
		}
		seen[buf[0]] = true
	}
	if late == 0 {
		t.Error("all came in order")
	}
	var timeout net.Error
	if err := n.In(0, func() error {
		c, err := net.DialTimeout("tcp", to.String(), 200*time.Millisecond)
		if err == nil {
			c.Close()
		}
		return err
	}); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("TCP: %v", err) // nothing listens: it would be refused
	}
}

// The routers on the way answer packets whose hop limit is used up: that of the host at
// once, that of the provider behind the queue of the line.
func TestRoutersAnswer(t *testing.T) {
	a, b := netip.MustParseAddr("2001:db8::a"), netip.MustParseAddr("2001:db8::b")
	const wait = 100 * time.Millisecond
	n := network(t, Host{Name: "a", Addr: a, Up: Mbit(1, 2*wait)}, Host{Name: "b", Addr: b})
	for hop := 1; hop <= core+1; hop++ {
		c := in(t, n, 0, func() (*net.UDPConn, error) { return net.ListenUDP("udp6", nil) })
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		if err := raw.Control(func(fd uintptr) {
			failed = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1),
				unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hop))
		}); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(b, 9))
		want := syscall.EHOSTUNREACH
		if hop > core {
			want = syscall.ECONNREFUSED // nothing listens at b
		}
		// What a router answers is the error of the next call, whichever that is.
		ask := func() error {
			for range 10 {
				if _, err := c.WriteTo(make([]byte, 1000), to); err != nil {
					return err
				}
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, _, err := c.ReadFrom(make([]byte, 2000))
			return err
		}
		began := time.Now()
		err = ask()
		for end := began.Add(time.Minute); errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end); { // until the devices are up
			began = time.Now()
			err = ask()
		}
		if !errors.Is(err, want) {
			t.Errorf("%d hops: %v", hop, err)
		}
		// A packet has 1048 bytes.
		if took := time.Since(began); hop > 1 && took < 8*time.Millisecond {
			t.Errorf("%d hops: the first of the packets took %v, and the line needs 8 ms for it", hop, took)
		}
		c.Close()
	}
}
