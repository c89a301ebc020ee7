package utp

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// wire is a PacketConn whose other end is the test.
type wire struct {
	net.PacketConn
	in  []packet
	out int // bytes
}

type packet struct {
	b    []byte
	from net.Addr
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(w.in) == 0 {
		return 0, nil, io.EOF
	}
	p := w.in[0]
	w.in = w.in[1:]
	return copy(b, p.b), p.from, nil
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	w.out += len(b)
	return len(b), nil
}

func uTP(kind byte, conn, seq, ack uint16) []byte {
	b := make([]byte, headerSize)
	b[0] = kind<<4 | 1
	binary.BigEndian.PutUint16(b[2:], conn)
	binary.BigEndian.PutUint16(b[16:], seq)
	binary.BigEndian.PutUint16(b[18:], ack)
	return b
}

func source6(network, host int) *net.UDPAddr {
	ip := net.ParseIP("2001:db8::")
	binary.BigEndian.PutUint16(ip[4:], uint16(network))
	binary.BigEndian.PutUint32(ip[12:], uint32(host))
	return &net.UDPAddr{IP: ip, Port: 6881}
}

// world is a frugal with a time of its own, above which something answers all
// that it can.
type world struct {
	*frugal
	w   *wire
	now time.Time
}

func newWorld() *world {
	w := &world{w: &wire{}, now: time.Unix(1e9, 0)}
	w.frugal = newFrugal(w.w)
	w.frugal.now = func() time.Time { return w.now }
	return w
}

// hears tells whether a packet gets through.
func (w *world) hears(b []byte, from net.Addr) bool {
	w.w.in = append(w.w.in, packet{b, from})
	_, _, err := w.ReadFrom(make([]byte, 2000))
	return err == nil
}

// says tells whether a packet is sent.
func (w *world) says(b []byte, to net.Addr) bool {
	before := w.w.out
	n, err := w.WriteTo(b, to)
	return err == nil && n == len(b) && w.w.out > before
}

// A flood of SYNs from forged sources is answered with far fewer bytes than it
// has, whatever the library wants to send: answers, their repetition, FINs, and
// three resets for what fits nothing.
func TestSynFloodIsAnsweredWithLess(t *testing.T) {
	for name, of := range map[string]func(i int) *net.UDPAddr{
		"one source":    func(int) *net.UDPAddr { return source6(1, 1) },
		"one network":   func(i int) *net.UDPAddr { return source6(1, i) },
		"many networks": func(i int) *net.UDPAddr { return source6(i, i) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			got := 0
			for i := range 20_000 {
				w.now = w.now.Add(time.Millisecond)
				from := of(i)
				for _, b := range [][]byte{uTP(typeSyn, uint16(i), 1, 0), uTP(0, uint16(i), 2, 7)} {
					got += len(b)
					if !w.hears(b, from) {
						continue
					}
					for range 3 {
						w.says(uTP(typeState, uint16(i), 100, 1), from)
						w.says(uTP(typeReset, uint16(i), 0, 1), from)
						w.says(uTP(1, uint16(i), 101, 1), from)
					}
				}
			}
			if w.w.out == 0 || w.w.out*10 > got {
				t.Errorf("%d bytes answered %d", w.w.out, got)
			}
			if w.recent.Len() > maxSources || len(w.of) > maxSources || len(w.nets) > maxNets {
				t.Errorf("%d sources and %d networks are remembered", w.recent.Len(), len(w.nets))
			}
		})
	}
}

// One SYN gets one answer no larger than itself, until its source has shown that
// it got it.
func TestWhoIsThereGetsAll(t *testing.T) {
	w := newWorld()
	a := source6(1, 1)
	if w.hears(uTP(0, 8, 2, 99), a) || w.says(uTP(typeReset, 8, 0, 0), a) {
		t.Error("a packet from nowhere is answered")
	}
	if !w.hears(uTP(typeSyn, 7, 1, 0), a) || !w.says(uTP(typeState, 7, 100, 1), a) {
		t.Fatal("the SYN is not answered")
	}
	if w.says(uTP(typeState, 7, 100, 1), a) || w.says(uTP(1, 7, 101, 1), a) {
		t.Error("more is sent before anything came back")
	}
	for _, ack := range []uint16{98, 101, 0} {
		if w.hears(uTP(0, 8, 2, ack), a) {
			t.Errorf("%d was acknowledged, which nobody sent", ack)
		}
	}
	if !w.hears(uTP(0, 8, 2, 99), a) {
		t.Fatal("it shows that it got the answer, and is not heard")
	}
	for range 100 {
		if !w.says(make32(uTP(0, 7, 101, 2)), a) {
			t.Fatal("it gets nothing")
		}
	}
	// Somebody forges packets of one who is connected: no more resets than bytes.
	before := w.w.out
	for range 1000 {
		w.hears(uTP(0, 1234, 5, 6), a)
		for range 3 {
			w.says(uTP(typeReset, 1234, 0, 5), a)
		}
	}
	if sent := w.w.out - before; sent > 1000*headerSize+3*headerSize {
		t.Errorf("%d bytes of resets for %d", sent, 1000*headerSize)
	}
	w.now = w.now.Add(provenTime)
	if w.hears(uTP(0, 8, 2, 99), a) {
		t.Error("it is known for ever")
	}
	// Whom we call may answer.
	b := source6(2, 1)
	if !w.says(uTP(typeSyn, 1, 1, 0), b) || !w.hears(uTP(typeState, 1, 50, 1), b) || !w.says(uTP(0, 2, 2, 49), b) {
		t.Error("a call of our own does not get through")
	}
	// What is not uTP is none of our business.
	if !w.hears([]byte("d1:q4:pinge"), a) || !w.says([]byte("d1:r0:e"), a) {
		t.Error("a packet that is not uTP is held up")
	}
}

func make32(b []byte) []byte { return append(b, make([]byte, 12)...) }

// In one piece, with the library: connections work, and a flood on the line gets
// less than it sent.
func TestSocketUnderAFlood(t *testing.T) {
	open := func() (Socket, *net.UDPAddr) {
		s, err := NewSocket("udp6", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 loopback: ", err)
		}
		t.Cleanup(func() { s.Close() })
		return s, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s.Addr().String()))
	}
	serving, at := open()
	calling, _ := open()
	go func() {
		for {
			c, err := serving.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	echo := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := calling.DialContext(ctx, "", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
	}
	echo()
	flood, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	sent := 0
	for i := range 5000 {
		for _, b := range [][]byte{uTP(typeSyn, uint16(i), 1, 0), uTP(0, uint16(i+7), 1, 0)} {
			if n, err := flood.WriteToUDP(b, at); err == nil {
				sent += n
			}
		}
	}
	// The library would send its FINs for fifteen seconds.
	_ = flood.SetReadDeadline(time.Now().Add(3 * time.Second))
	got, b := 0, make([]byte, 2000)
	for {
		n, err := flood.Read(b)
		if err != nil {
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Fatal(err)
			}
			break
		}
		got += n
	}
	t.Logf("%d bytes were answered with %d", sent, got)
	if got >= sent/2 {
		t.Errorf("%d bytes were answered with %d", sent, got)
	}
	echo()
}
