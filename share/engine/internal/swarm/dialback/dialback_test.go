package dialback

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

// vectors are for other implementations, too.
type vectors struct {
	Requests []struct {
		About, Hex, Nonce string
		TCP, UDP          uint16
	}
	Answers []struct {
		About, Hex, Nonce, IP string
		TCP, UDP              Outcome
	}
	Refuse []struct{ About, Hex string }
	Calls  struct{ Nonce, ID, TCP, UDP string }
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("../../../../testdata/vectors/dialback.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	if len(v.Requests) < 3 || len(v.Answers) < 3 || len(v.Refuse) < 5 {
		t.Fatal("vectors are missing")
	}
	for _, x := range v.Requests {
		want := Request{Nonce(unhex(t, x.Nonce)), x.TCP, x.UDP}
		got, _, err := Parse(unhex(t, x.Hex))
		if err != nil || got == nil || *got != want {
			t.Errorf("%s: %+v, %v", x.About, got, err)
			continue
		}
		if s := hex.EncodeToString(got.Append(nil)); s != x.Hex {
			t.Errorf("%s: written as %s", x.About, s)
		}
	}
	for _, x := range v.Answers {
		want := Answer{Nonce: Nonce(unhex(t, x.Nonce)), TCP: x.TCP, UDP: x.UDP}
		if x.IP != "" {
			want.Seen = netip.MustParseAddr(x.IP)
		}
		_, got, err := Parse(unhex(t, x.Hex))
		if err != nil || got == nil || *got != want {
			t.Errorf("%s: %+v, %v", x.About, got, err)
			continue
		}
		if s := hex.EncodeToString(got.Append(nil)); s != x.Hex {
			t.Errorf("%s: written as %s", x.About, s)
		}
	}
	for _, x := range v.Refuse {
		if r, a, err := Parse(unhex(t, x.Hex)); err == nil {
			t.Errorf("%s: read as %+v, %+v", x.About, r, a)
		}
	}
	nonce := Nonce(unhex(t, v.Calls.Nonce))
	if got := hex.EncodeToString(handshake(share.ID(unhex(t, v.Calls.ID)), nonce)); got != v.Calls.TCP {
		t.Errorf("calls by TCP with %s", got)
	}
	if got := hex.EncodeToString(ping(nonce)); got != v.Calls.UDP {
		t.Errorf("calls by UDP with %s", got)
	}
}

func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, x := range v.Requests {
		f.Add(unhex(f, x.Hex))
	}
	for _, x := range v.Answers {
		f.Add(unhex(f, x.Hex))
	}
	for _, x := range v.Refuse {
		f.Add(unhex(f, x.Hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, a, err := Parse(b)
		if (err == nil) != (r != nil || a != nil) || r != nil && a != nil {
			t.Fatalf("%+v, %+v, %v", r, a, err)
		}
		if r != nil {
			if again, _, err := Parse(r.Append(nil)); err != nil || *again != *r {
				t.Fatalf("%+v is written as %+v", r, again)
			}
		}
		if a != nil {
			if _, again, err := Parse(a.Append(nil)); err != nil || *again != *a {
				t.Fatalf("%+v is written as %+v", a, again)
			}
		}
	})
}

// network records what a helper calls.
type network struct {
	mu     sync.Mutex
	dialed []string
	sent   []string
	dial   func(addr string) (net.Conn, error)
}

func (n *network) helper(now func() time.Time) *Helper {
	h := NewHelper(now)
	h.DialTCP = func(_ context.Context, addr string) (net.Conn, error) {
		n.mu.Lock()
		n.dialed = append(n.dialed, addr)
		n.mu.Unlock()
		if n.dial == nil {
			return nil, syscall.ETIMEDOUT
		}
		return n.dial(addr)
	}
	h.ListenUDP = func() (net.PacketConn, error) { return &packets{n: n}, nil }
	return h
}

// packets is a port at which nothing arrives.
type packets struct {
	net.PacketConn
	n *network
}

func (p *packets) WriteTo(b []byte, to net.Addr) (int, error) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.n.sent = append(p.n.sent, to.String())
	return len(b), nil
}
func (p *packets) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, os.ErrDeadlineExceeded }
func (p *packets) SetReadDeadline(time.Time) error        { return nil }
func (p *packets) Close() error                           { return nil }

var request = Request{Nonce{1}, 51413, 51414}

func TestCallsTheAskerOnly(t *testing.T) {
	n := &network{}
	h := n.helper(time.Now)
	a := h.Help(t.Context(), netip.MustParseAddr("2001:db8:7::1"), share.ID{9}, request)
	if want := (Answer{request.Nonce, Silence, Silence, netip.MustParseAddr("2001:db8:7::1")}); a != want {
		t.Errorf("answers %+v", a)
	}
	if d := cmp.Diff([]string{"[2001:db8:7::1]:51413"}, n.dialed); d != "" {
		t.Error(d)
	}
	for _, to := range n.sent {
		if to != "[2001:db8:7::1]:51414" {
			t.Errorf("sent to %s", to)
		}
	}
	if len(n.sent) != pings {
		t.Errorf("%d datagrams", len(n.sent))
	}
}

// Nothing that is not out on the internet is called, and no port of a service.
func TestCallsNothingPrivate(t *testing.T) {
	n := &network{}
	h := n.helper(time.Now)
	for _, a := range []string{
		"::1", "127.0.0.1", "10.0.0.1", "192.168.1.1", "::ffff:192.168.1.1", "198.41.0.4", "::ffff:198.41.0.4", "fe80::1%lo", "fe80::1",
		"fd00::1", "fec0::1", "ff02::1", "::", "100::1", "2002:c0a8:0101::1", "64:ff9b::c0a8:101", "2002:7f00:1::",
	} {
		if got := h.Help(t.Context(), netip.MustParseAddr(a), share.ID{}, request); got.TCP != Declined || got.UDP != Declined {
			t.Errorf("%s: %+v", a, got)
		}
	}
	for _, r := range []Request{{TCP: 22, UDP: 53}, {TCP: 1023}, {UDP: 1}} {
		if got := h.Help(t.Context(), netip.MustParseAddr("2001:db8:8::1"), share.ID{}, r); got.TCP != Declined || got.UDP != Declined {
			t.Errorf("%+v: %+v", r, got)
		}
		h.limits = limits{now: time.Now}
	}
	if len(n.dialed)+len(n.sent) > 0 {
		t.Errorf("called %q, sent to %q", n.dialed, n.sent)
	}
}

func TestCallsWithinItsRates(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	count := func(ask func(h *Helper, i int) netip.Addr, times int, step time.Duration) int {
		n := &network{}
		h := n.helper(func() time.Time { return now })
		for i := range times {
			h.Help(t.Context(), ask(h, i), share.ID{}, Request{TCP: 2000})
			now = now.Add(step)
		}
		return len(n.dialed)
	}
	host := func(site, network, host int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(site >> 8), byte(site), byte(network >> 8), byte(network), 8: byte(host >> 8), 15: byte(host)})
	}
	if got := count(func(*Helper, int) netip.Addr { return host(1, 1, 1) }, 10, time.Second); got != 1 {
		t.Errorf("one host was called %d times in 10 s", got)
	}
	if got := count(func(_ *Helper, i int) netip.Addr { return host(1, 1, i) }, 1000, 0); got != perNetwork {
		t.Errorf("one /64 was called %d times", got)
	}
	if got := count(func(_ *Helper, i int) netip.Addr { return host(i, 1, 1) }, 3000, 0); got != perWindow {
		t.Errorf("all together were called %d times", got)
	}
	if got := count(func(_ *Helper, i int) netip.Addr { return host(i, 1, 1) }, 200, 6*time.Second); got != 2*perWindow {
		t.Errorf("all together were called %d times in two windows", got)
	}
	// The memory of it is bounded, too.
	l := limits{now: func() time.Time { return now }}
	for i := range 100_000 {
		if l.take(host(i, i, 1)) {
			l.done()
		}
	}
	if len(l.hosts) > maxTracked || len(l.networks) > maxTracked {
		t.Errorf("remembers %d hosts and %d networks", len(l.hosts), len(l.networks))
	}
}

func TestFewAtOnce(t *testing.T) {
	l := limits{now: time.Now}
	a := netip.MustParseAddr("2001:db8:1::1").As16()
	taken := 0
	for i := range 100 {
		a[5] = byte(i)
		if l.take(netip.AddrFrom16(a)) {
			taken++
		}
	}
	if taken != atOnce {
		t.Errorf("%d at once", taken)
	}
}

// pipe connects a helper with who answers.
func (n *network) pipe(answer func(net.Conn)) {
	n.dial = func(string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			answer(theirs)
		}()
		return ours, nil
	}
}

func TestOutcomes(t *testing.T) {
	id := share.ID{7}
	reply := func(b []byte) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 68))
			_, _ = c.Write(b)
		}
	}
	for name, c := range map[string]struct {
		err    error
		answer func(net.Conn)
		want   Outcome
	}{
		"worked":           {nil, reply(handshake(id, Nonce{2})), Worked},
		"silence":          {context.DeadlineExceeded, nil, Silence},
		"rejected":         {&net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, nil, Rejected},
		"a firewall":       {os.NewSyscallError("connect", syscall.EACCES), nil, Rejected},
		"other content":    {nil, reply(handshake(share.ID{8}, Nonce{2})), Stranger},
		"another protocol": {nil, reply([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")), Stranger},
		"a few bytes":      {nil, reply([]byte("x")), Stranger},
		"hangs up":         {nil, func(net.Conn) {}, Stranger},
	} {
		n := &network{}
		if c.answer != nil {
			n.pipe(c.answer)
		} else {
			n.dial = func(string) (net.Conn, error) { return nil, c.err }
		}
		if got := n.helper(time.Now).Help(t.Context(), netip.MustParseAddr("2001:db8:1::1"), id, Request{TCP: 2000}); got.TCP != c.want {
			t.Errorf("%s: outcome %d, not %d", name, got.TCP, c.want)
		}
	}
}

// peer is the other end of Ask.
func peer(t *testing.T, id share.ID, say ...[]byte) (net.Conn, <-chan []byte) {
	ours, theirs := net.Pipe()
	heard := make(chan []byte, 1)
	go func() {
		defer theirs.Close()
		var all bytes.Buffer
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(&all, theirs)
		}()
		_, _ = theirs.Write(handshake(id, Nonce{3}))
		for _, b := range say {
			if _, err := theirs.Write(b); err != nil {
				break
			}
		}
		<-done
		heard <- all.Bytes()
	}()
	return ours, heard
}

func TestAsk(t *testing.T) {
	id := share.ID{7}
	hello := extended(0, []byte("d1:md11:sh_dialbacki9eee"))
	answer := Answer{request.Nonce, Worked, Silence, netip.MustParseAddr("2001:db8::1")}
	other := answer
	other.Nonce[0]++
	bits := append([]byte{0, 0, 0, 3, 5}, 0xff, 0xff)
	for name, c := range map[string]struct {
		say  [][]byte
		want string // of the error
	}{
		"answered":          {[][]byte{{0, 0, 0, 0}, bits, hello, extended(9, []byte("?")), extended(1, other.Append(nil)), extended(1, answer.Append(nil))}, ""},
		"not known":         {[][]byte{extended(0, []byte("d1:md6:ut_pexi1eee"))}, ErrNoHelp.Error()},
		"disabled":          {[][]byte{extended(0, []byte("d1:md11:sh_dialbacki0eee"))}, ErrNoHelp.Error()},
		"a bad handshake":   {[][]byte{extended(0, []byte("i"))}, "asking"},
		"a bad answer":      {[][]byte{hello, extended(1, []byte("de"))}, "not a dial-back message"},
		"too long":          {[][]byte{{0xff, 0xff, 0xff, 0xff, 20}}, "bytes"},
		"chatter":           {[][]byte{hello, bytes.Repeat([]byte{0, 0, 0, 0}, 1000)}, "other messages"},
		"gone":              {[][]byte{hello}, ""},
		"an answer unasked": {[][]byte{extended(1, answer.Append(nil)), hello, extended(1, answer.Append(nil))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			conn, heard := peer(t, id, c.say...)
			if name == "gone" {
				cancel()
			}
			got, err := Ask(ctx, conn, id, "shoal test", request)
			switch {
			case name == "gone":
				if err == nil {
					t.Error("an answer from nobody")
				}
			case c.want == "" && (err != nil || got != answer):
				t.Errorf("%+v, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v", err)
			}
			if errors.Is(err, ErrNoHelp) != strings.Contains(c.want, "does not support dial-back") {
				t.Errorf("error %v", err)
			}
			if b := <-heard; name == "answered" && !bytes.HasSuffix(b, extended(9, request.Append(nil))) {
				t.Errorf("the peer heard %q", b)
			}
		})
	}
}

func FuzzAsk(f *testing.F) {
	f.Add(append(handshake(share.ID{7}, Nonce{}), extended(0, []byte("d1:md11:sh_dialbacki9eee"))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() {
			_, _ = theirs.Write(b)
			theirs.Close()
		}()
		if a, err := Ask(t.Context(), ours, share.ID{7}, "", request); err == nil && a.Nonce != request.Nonce {
			t.Fatalf("%+v", a)
		}
	})
}
