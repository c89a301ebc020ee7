package pcp

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reply answers a request as a good server does.
func reply(request []byte, epoch uint32) []byte {
	b := append([]byte(nil), request[:headerLen+mapLen]...)
	b[1] |= response
	copy(b[8:headerLen], make([]byte, 16))
	binary.BigEndian.PutUint32(b[8:], epoch)
	return b
}

// router is a server on the loopback interface that behaves as a test says.
type router struct {
	conn net.PacketConn

	mu       sync.Mutex
	behave   func(n int, request []byte, answer func([]byte))
	requests [][]byte
}

func newRouter(t *testing.T) *router {
	t.Helper()
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &router{conn: c}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			r.mu.Lock()
			q := append([]byte(nil), buf[:n]...)
			r.requests = append(r.requests, q)
			r.behave(len(r.requests), q, func(b []byte) { _, _ = c.WriteTo(b, from) })
			r.mu.Unlock()
		}
	}()
	return r
}

func (r *router) does(f func(n int, request []byte, answer func([]byte))) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behave = f
}

// heard is the nth request, from the end where negative.
func (r *router) heard(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < 0 {
		n += len(r.requests)
	}
	return r.requests[n]
}

func (r *router) addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func open(t *testing.T, r *router) (*Session, *clock) {
	t.Helper()
	c := &clock{time.Unix(1_000_000, 0)}
	s, err := Open(netip.IPv6Loopback(), r.addr(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.wait = 100 * time.Millisecond
	return s, c
}

// The request of RFC 6887, 11.1, byte for byte.
func TestRequest(t *testing.T) {
	client := netip.MustParseAddr("2001:db8::5")
	m := Mapping{Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, TCP, 51413, netip.AddrPortFrom(client, 51413)}
	ip := "20010db8000000000000000000000005"
	want := "02010000" + "00000e10" + ip + "0102030405060708090a0b0c" + "06000000" + "c8d5c8d5" + ip + "02000000"
	if got := hex.EncodeToString(mapRequest(client, time.Hour, m, true)); got != want {
		t.Errorf("asks %s", got)
	}
	want = "02010000" + "00000000" + ip + "0102030405060708090a0b0c" + "06000000" + "c8d5c8d5" + ip
	if got := hex.EncodeToString(mapRequest(client, 0, m, true)); got != want {
		t.Errorf("takes it back with %s", got)
	}
}

func TestMap(t *testing.T) {
	silent := func(int, []byte, func([]byte)) {}
	good := func(_ int, q []byte, answer func([]byte)) { answer(reply(q, 10)) }
	change := func(f func(b []byte) []byte) func(int, []byte, func([]byte)) {
		return func(_ int, q []byte, answer func([]byte)) { answer(f(reply(q, 10))) }
	}
	for name, c := range map[string]struct {
		behave func(n int, q []byte, answer func([]byte))
		life   time.Duration
		err    string
	}{
		"good":      {good, time.Hour, ""},
		"no answer": {silent, 0, "no answer"},
		"slow": {func(n int, q []byte, answer func([]byte)) {
			if n == tries {
				good(n, q, answer)
			}
		}, time.Hour, ""},
		"garbage, then good": {func(n int, q []byte, answer func([]byte)) {
			for _, b := range [][]byte{nil, {1}, bytes.Repeat([]byte{0xff}, 1100), q, reply(q, 1)[:40], bytes.Repeat([]byte("x"), 2000)} {
				answer(b)
			}
			good(n, q, answer)
		}, time.Hour, ""},
		"another's nonce":        {change(func(b []byte) []byte { b[24]++; return b }), 0, "no answer"},
		"another protocol":       {change(func(b []byte) []byte { b[36] = UDP; return b }), 0, "no answer"},
		"another port inside":    {change(func(b []byte) []byte { b[41]++; return b }), 0, "no answer"},
		"another port outside":   {change(func(b []byte) []byte { b[43]++; return b }), 0, "instead"},
		"another address":        {change(func(b []byte) []byte { b[59]++; return b }), 0, "instead"},
		"for no time":            {change(func(b []byte) []byte { copy(b[4:], "\x00\x00\x00\x00"); return b }), 0, "no time"},
		"for ever":               {change(func(b []byte) []byte { copy(b[4:], "\xff\xff\xff\xff"); return b }), maxLifetime, ""},
		"refused":                {change(func(b []byte) []byte { b[3] = 2; return b }), 0, "not allowed (PCP result 2)"},
		"another version":        {change(func(b []byte) []byte { b[0], b[3] = 0, 1; return b }), 0, "another version"},
		"NAT-PMP only":           {func(_ int, _ []byte, answer func([]byte)) { answer([]byte{0, 0x80, 0, 1, 0, 0, 0, 9}) }, 0, "another version"},
		"an unknown result":      {change(func(b []byte) []byte { b[3] = 99; return b }), 0, "PCP result 99"},
		"options after the rest": {change(func(b []byte) []byte { return append(b, 2, 0, 0, 0) }), time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			r.does(c.behave)
			s, _ := open(t, r)
			life, err := s.Map(t.Context(), TCP, 51413, time.Hour)
			if life != c.life || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s, %v", life, err)
			}
			if errors.Is(err, ErrSilence) != (c.err == "no answer") {
				t.Errorf("%v", err)
			}
		})
	}
}

// Whoever is not the router may know everything but is not heard.
func TestStrangersAreIgnored(t *testing.T) {
	r := newRouter(t)
	stranger, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	s, _ := open(t, r)
	r.does(func(_ int, q []byte, _ func([]byte)) {
		_, _ = stranger.WriteTo(reply(q, 10), s.conn.LocalAddr())
	})
	if _, err := s.Map(t.Context(), TCP, 51413, time.Hour); !errors.Is(err, ErrSilence) {
		t.Errorf("a stranger's answer counts: %v", err)
	}
	s.client, s.server = netip.MustParseAddr("2001:db8:1:1::5"), netip.MustParseAddrPort("[fe80::1%eth0]:5351")
	for from, want := range map[string]bool{
		"[fe80::1%eth0]:5351": true, "[2001:db8:1:1::1]:5351": true, "[fe80::2%eth0]:5351": true,
		"[fe80::1%eth0]:5350": false, "[fe80::1%eth1]:5351": false, "[2001:db8:1:2::1]:5351": false, "[2001:db8::1]:5351": false, "[::1]:5351": false,
	} {
		if got := s.near(netip.MustParseAddrPort(from)); got != want {
			t.Errorf("%s may answer: %v", from, got)
		}
	}
}

func TestRenewalsAndRestarts(t *testing.T) {
	r := newRouter(t)
	var epoch atomic.Uint32
	epoch.Store(1000)
	r.does(func(_ int, q []byte, answer func([]byte)) { answer(reply(q, epoch.Load())) })
	s, c := open(t, r)
	ask := func(step string, resets int) {
		t.Helper()
		if _, err := s.Map(t.Context(), TCP, 51413, time.Hour); err != nil || s.Resets() != resets {
			t.Errorf("%s: %d resets, %v", step, s.Resets(), err)
		}
	}
	ask("first", 0)
	c.t = c.t.Add(time.Minute)
	epoch.Add(60)
	ask("a minute later", 0)
	c.t = c.t.Add(time.Minute)
	epoch.Add(59)
	ask("a clock that is a little slow", 0)
	c.t = c.t.Add(time.Minute)
	epoch.Store(5)
	ask("restarted", 1)
	c.t = c.t.Add(time.Hour)
	epoch.Add(5)
	ask("restarted and counted as far", 2)
	c.t = c.t.Add(time.Second)
	epoch.Store(1<<32 - 1)
	ask("a counter out of its mind", 3)
	if a, b := r.heard(0), r.heard(-1); !bytes.Equal(a[24:36], b[24:36]) {
		t.Error("a renewal has another nonce, so it is another's pinhole")
	}
	if err := s.Unmap(t.Context(), TCP, 51413); err != nil {
		t.Error(err)
	}
	if last := r.heard(-1); binary.BigEndian.Uint32(last[4:]) != 0 || !bytes.Equal(last[24:36], r.heard(0)[24:36]) {
		t.Error("what was opened is not taken back")
	}
}

func TestCancel(t *testing.T) {
	r := newRouter(t)
	r.does(func(int, []byte, func([]byte)) {})
	s, _ := open(t, r)
	s.wait = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.Map(ctx, TCP, 51413, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	m := Mapping{Nonce{1}, TCP, 51413, netip.MustParseAddrPort("[2001:db8::5]:51413")}
	f.Add(reply(mapRequest(m.External.Addr(), time.Hour, m, true), 7))
	f.Add([]byte{2, 0x80, 0, 0})
	f.Add([]byte{0, 0x81, 0, 1, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err == nil && r != (Response{Result: WrongVersion}) && (len(b) < headerLen+mapLen || r.Lifetime < 0) {
			t.Fatalf("%x is %+v", b, r)
		}
	})
}
