package utp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// open is a Socket on the loopback, which ends with the test.
func open(t testing.TB, cfg Config) *Socket {
	t.Helper()
	return openOn(t, listen(t), cfg)
}

func openOn(t testing.TB, pc net.PacketConn, cfg Config) *Socket {
	s := New(pc, cfg)
	t.Cleanup(func() { s.Close() })
	return s
}

func listen(t testing.TB) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func addrOf(s *Socket) netip.AddrPort { return s.Addr().(*net.UDPAddr).AddrPort() }

// connect connects two Sockets.
func connect(t testing.TB, from, to *Socket) (a, b *Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	x, err := from.DialContext(ctx, "udp6", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	y, err := to.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return x.(*Conn), y.(*Conn)
}

// lossy is any net.PacketConn: it has no segments, and drops every so many
// datagrams that are sent.
type lossy struct {
	net.PacketConn
	mu    sync.Mutex
	every int
	sent  int
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	l.mu.Lock()
	l.sent++
	drop := l.every > 0 && l.sent%l.every == 0
	l.mu.Unlock()
	if drop {
		return len(b), nil
	}
	return l.PacketConn.WriteTo(b, to)
}

func TestConnIsAConn(t *testing.T) {
	for name, carrier := range map[string]func() net.PacketConn{
		"a UDP socket": func() net.PacketConn { return listen(t) },
		"another":      func() net.PacketConn { return &lossy{PacketConn: listen(t), every: 50} },
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				x, y := openOn(t, carrier(), Config{}), openOn(t, carrier(), Config{})
				a, b := connect(t, x, y)
				return a, b, func() {
					x.Close()
					y.Close()
				}, nil
			})
		})
	}
}

func TestManyConnectionsShareTwoSockets(t *testing.T) {
	x, y := open(t, Config{SendBuffer: 20_000, ReceiveBuffer: 50_000}), open(t, Config{})
	want := make([]byte, 300_000)
	rand.NewChaCha8([32]byte{1}).Read(want)
	var all sync.WaitGroup
	defer all.Wait()
	for range 40 {
		a, b := connect(t, x, y)
		all.Go(func() { // an echo
			defer b.Close()
			if _, err := io.Copy(b, b); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := a.Write(want); err != nil {
				t.Error(err)
			}
			if err := a.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			defer a.Close()
			got, err := io.ReadAll(a)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
			}
		})
	}
}

// What was written is delivered after Close, and Shutdown waits for that.
func TestShutdownDelivers(t *testing.T) {
	x, y := openOn(t, &lossy{PacketConn: listen(t), every: 7}, Config{}), open(t, Config{})
	a, b := connect(t, x, y)
	want := make([]byte, 500_000)
	rand.NewChaCha8([32]byte{2}).Read(want)
	if _, err := a.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- x.Shutdown(context.Background()) }()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
	b.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	x, y := open(t, Config{SendBuffer: 5 << 20}), open(t, Config{})
	a, _ := connect(t, x, y)
	if _, err := a.Write(make([]byte, 4<<20)); err != nil { // more than is received unread
		t.Fatal(err)
	}
	a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCallsThatFail(t *testing.T) {
	x := open(t, Config{})
	if _, err := x.Dial(t.Context(), addrOf(open(t, Config{Backlog: -1}))); !errors.Is(err, ErrReset) {
		t.Errorf("where nobody accepts: %v", err)
	}
	silent := listen(t)
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _ = silent.ReadFrom(make([]byte, 100)) // its SYN
		cancel()
	}()
	if _, err := x.DialContext(ctx, "udp6", silent.LocalAddr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	x.mu.Lock()
	left := len(x.conns)
	x.mu.Unlock()
	if left != 0 {
		t.Errorf("%d connections are left", left)
	}
	x.Close()
	if _, err := x.Dial(t.Context(), addrOf(x)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("of a closed Socket: %v", err)
	}
	if _, err := x.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed Socket: %v", err)
	}
}

// A peer that answers each SYN once, as libtorrent does, is reached although its
// first answer is lost.
func TestAnAnswerThatIsLostIsNotTheEnd(t *testing.T) {
	x, pc := open(t, Config{}), listen(t)
	defer pc.Close()
	go func() {
		b := make([]byte, 100)
		answered := map[uint16]bool{}
		for {
			_, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			id, seq := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[16:])
			if len(answered) == 1 && !answered[id] {
				_, _ = pc.WriteTo(datagram(2, id, 1, seq), from)
			}
			answered[id] = true
		}
	}()
	c, err := x.Dial(t.Context(), pc.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.conns) != 1 {
		t.Errorf("%d connections are left", len(x.conns))
	}
}

func TestAClosedSocketEndsItsConnections(t *testing.T) {
	x, y := open(t, Config{}), open(t, Config{})
	a, b := connect(t, x, y)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
		t.Errorf("the peer: %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("here: %v", err)
	}
}

// A connection that nobody has accepted yet takes data; more than the backlog are
// ended.
func TestBacklog(t *testing.T) {
	x, y := open(t, Config{}), open(t, Config{Backlog: 2})
	var reset int
	for range 5 {
		c, err := x.Dial(t.Context(), addrOf(y))
		if len(y.backlog) == 2 && errors.Is(err, ErrReset) {
			reset++ // so soon
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil && !errors.Is(err, ErrReset) {
			t.Fatal(err)
		}
		if len(y.backlog) == 2 {
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, ErrReset) {
				reset++
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
	}
	for range 2 {
		c, err := y.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Error(err)
		}
	}
	if reset < 3 {
		t.Errorf("%d were ended", reset)
	}
}

// datagram is one that others could send.
func datagram(kind byte, id, seq, ack uint16) []byte {
	b := make([]byte, 20)
	b[0] = kind<<4 | 1
	binary.BigEndian.PutUint16(b[2:], id)
	binary.BigEndian.PutUint16(b[16:], seq)
	binary.BigEndian.PutUint16(b[18:], ack)
	return b
}

// quiet is a net.PacketConn whose datagrams a test makes up and counts.
type quiet struct {
	in   chan heard
	end  chan struct{}
	mu   sync.Mutex
	sent map[netip.Addr]int // bytes, by address
	all  int
}

type heard struct {
	b    []byte
	from netip.AddrPort
}

func newQuiet() *quiet {
	return &quiet{in: make(chan heard), end: make(chan struct{}), sent: map[netip.Addr]int{}}
}

func (q *quiet) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case h := <-q.in:
		return copy(b, h.b), net.UDPAddrFromAddrPort(h.from), nil
	case <-q.end:
		return 0, nil, net.ErrClosed
	}
}

func (q *quiet) WriteTo(b []byte, to net.Addr) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sent[to.(*net.UDPAddr).AddrPort().Addr()] += len(b)
	q.all += len(b)
	return len(b), nil
}

func (q *quiet) Close() error                     { close(q.end); return nil }
func (q *quiet) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv6loopback, Port: 9} }
func (q *quiet) SetDeadline(time.Time) error      { return nil }
func (q *quiet) SetReadDeadline(time.Time) error  { return nil }
func (q *quiet) SetWriteDeadline(time.Time) error { return nil }

// inUse is how many bytes the heap has.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Whoever forges where he is has next to nothing sent there, and little kept here.
func TestSynFloodIsAnsweredWithLess(t *testing.T) {
	const flood = 100_000
	for name, from := range map[string]func(i int) netip.AddrPort{
		"from one address": func(int) netip.AddrPort { return netip.MustParseAddrPort("[2001:db8::1]:1000") },
		"from everywhere": func(i int) netip.AddrPort {
			var a [16]byte
			binary.BigEndian.PutUint64(a[:], 0x20010db800000000+uint64(i)<<16)
			return netip.AddrPortFrom(netip.AddrFrom16(a), uint16(i))
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQuiet()
			s := openOn(t, q, Config{})
			sent, before := 0, inUse()
			for i := range flood {
				b := datagram(4, uint16(i), 1, 0)
				if i%2 == 1 {
					b = datagram(0, uint16(i), 1, 0)
				}
				sent += len(b)
				q.in <- heard{b, from(i)}
			}
			grew := inUse() - before
			s.mu.Lock()
			kept, strange, nets := len(s.conns), s.strangers.order.Len(), len(s.strangers.nets)
			s.mu.Unlock()
			s.timers.mu.Lock()
			alarms := len(s.timers.heap)
			s.timers.mu.Unlock()
			q.mu.Lock()
			defer q.mu.Unlock()
			t.Logf("%d bytes were answered with %d; %d connections are kept, and %d KiB", sent, q.all, kept, grew>>10)
			if grew > maxStrangers*4<<10 {
				t.Errorf("%d KiB are kept", grew>>10)
			}
			if kept > maxStrangers || strange != kept || nets > kept || alarms > kept {
				t.Errorf("%d connections, %d strangers of %d networks, %d alarms are kept", kept, strange, nets, alarms)
			}
			if q.all > sent/20 {
				t.Errorf("%d bytes were answered with %d", sent, q.all)
			}
		})
	}
}

// The one that came first gives way, and its place is free again.
func TestStrangersGiveWay(t *testing.T) {
	s := newStrangers()
	of := func(i int) *Conn {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:], 0x20010db800000000+uint64(i)<<16)
		return &Conn{peer: netip.AddrPortFrom(netip.AddrFrom16(a), 1)}
	}
	var first *Conn
	for i := range maxStrangers + 1 {
		c := of(i)
		if first == nil {
			first = c
		}
		oldest, ok := s.enter(time.Duration(i)*time.Second, c)
		if !ok || (oldest == first) != (i == maxStrangers) {
			t.Fatalf("%d: %v, %v", i, oldest, ok)
		}
	}
	now := (maxStrangers + 2) * time.Second
	for i := range maxStrangersOfNet + 1 {
		if _, ok := s.enter(now+time.Duration(i)*time.Second, of(7<<16)); ok != (i < maxStrangersOfNet) {
			t.Fatalf("%d of one network: %v", i, ok)
		}
	}
	for c := range s.at {
		s.leave(c)
	}
	if len(s.nets) != 0 || s.order.Len() != 0 {
		t.Errorf("%v, %d", s.nets, s.order.Len())
	}
}

// Datagrams from elsewhere do nothing to a connection, whatever they say.
func TestForgedDatagramsDoNothing(t *testing.T) {
	x, y := open(t, Config{}), open(t, Config{})
	a, b := connect(t, x, y)
	forger := listen(t)
	defer forger.Close()
	for id := range 1 << 16 {
		for kind := range byte(5) {
			if id%16 == 0 || uint16(id) == b.core.ID() {
				if _, err := forger.WriteTo(datagram(kind, uint16(id), 1, 1), y.Addr()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := a.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	n, err := io.ReadAtLeast(b, got, 5)
	if err != nil || string(got[:n]) != "hello" {
		t.Fatalf("%q, %v", got[:n], err)
	}
}

// A peer that has forgotten the connection says so.
func TestAPeerThatForgotTheConnection(t *testing.T) {
	x, y := open(t, Config{}), open(t, Config{})
	a, b := connect(t, x, y)
	b.forget()
	if _, err := a.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
		t.Errorf("%v", err)
	}
}

// A peer that has forgotten the connection and says nothing, as libtorrent does, is found
// out by a call: it is there, and does not answer.
func TestAPeerThatForgotTheConnectionSilently(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	peer := listen(t)
	defer peer.Close()
	calls := make(chan struct{}, 10)
	go func() {
		b := make([]byte, 2048)
		for n := 0; ; {
			_, from, err := peer.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if b[0]>>4 != 4 {
				continue
			}
			id, seq := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[16:])
			_, _ = peer.WriteToUDPAddrPort(datagram(2, id, 5, seq), from)
			if n++; n == 1 { // then packets, of which one is missing, and no more
				data := append(datagram(0, id, 6, seq), make([]byte, 1200)...)
				_, _ = peer.WriteToUDPAddrPort(data, from)
			}
			calls <- struct{}{}
		}
	}()
	began := time.Now()
	c, err := x.Dial(t.Context(), peer.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if n := len(calls); n != 2 {
		t.Errorf("called %d times in %v", n, time.Since(began))
	}
}

// What waits out of order is limited over all connections, and given back.
func TestWhatIsOutOfOrderIsLimited(t *testing.T) {
	x, y := open(t, Config{}), open(t, Config{})
	y.early.Store(maxEarly)
	a, b := connect(t, x, y)
	go func() {
		defer a.Close()
		_, _ = a.Write(make([]byte, 1<<20))
	}()
	if n, err := io.Copy(io.Discard, b); n != 1<<20 || err != nil {
		t.Fatal(n, err)
	}
	b.Close()
	if got := y.early.Load(); got != maxEarly {
		t.Errorf("%d bytes are counted", got-maxEarly)
	}
}

// On a socket that is bound to all addresses, a connection leaves from the one to
// which the peer wrote.
func TestTheAddressThatWasCalledAnswers(t *testing.T) {
	pc, err := net.ListenPacket("udp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	x, y := open(t, Config{}), openOn(t, pc, Config{})
	at := netip.AddrPortFrom(netip.IPv6Loopback(), addrOf(y).Port())
	a, err := x.Dial(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := y.Accept()
	if err != nil {
		t.Fatal(err)
	}
	want := at
	if _, ok := carry(pc).(single); ok {
		want = addrOf(y) // this system does not tell
	}
	if got := b.LocalAddr().(*net.UDPAddr).AddrPort(); got != want {
		t.Errorf("called at %v, and says %v", want, got)
	}
	if got := a.RemoteAddr().String(); got != at.String() {
		t.Errorf("called %v, and says %v", at, got)
	}
}

// FuzzSocket sends a Socket what strangers and a peer could. It keeps little, and
// does not stop.
func FuzzSocket(f *testing.F) {
	f.Add(bytes.Join([][]byte{datagram(4, 1, 1, 0), datagram(0, 2, 2, 0), datagram(3, 1, 0, 1)}, nil))
	f.Fuzz(func(t *testing.T, script []byte) {
		q := newQuiet()
		s := New(q, Config{Backlog: 4, ReceiveBuffer: 4000, SendBuffer: 4000})
		defer s.Close()
		for len(script) > 1 {
			n := min(len(script)-1, int(script[0]&0x3f)+20)
			from := netip.AddrPortFrom(netip.IPv6Loopback(), 1+uint16(script[0]>>7))
			q.in <- heard{script[1 : 1+n], from}
			script = script[1+n:]
			select {
			case c := <-s.backlog:
				_, _ = c.Write([]byte("hello"))
				c.Close()
			default:
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.conns) > maxStrangers+maxClosed+4 {
			t.Fatalf("%d connections", len(s.conns))
		}
	})
}
