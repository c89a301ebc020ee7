package swarm

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/mse"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
)

// dribble writes in parts of so many bytes, each in a packet of its own.
type dribble struct {
	net.Conn
	part int
}

func (d *dribble) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		part := min(d.part, len(b))
		_, err = d.Conn.Write(b[:part])
		n, b = n+part, b[part:]
	}
	return n, err
}

// greets makes the handshake of a peer that sends in parts of so many bytes.
func greets(t *testing.T, to netip.AddrPort, id ID, encrypted bool, part int) {
	t.Helper()
	raw, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	slow := &dribble{raw, part}
	ours := append([]byte(protocol), make([]byte, 8)...)
	ours = append(append(ours, id[:]...), "-XX0000-abcdefghijkl"...)
	c := &mse.Conn{Conn: slow}
	if encrypted {
		c, err = mse.Initiate(slow, id, ours, mse.RC4)
	} else {
		_, err = slow.Write(ours)
	}
	if err != nil {
		t.Fatalf("encrypted %t, in parts of %d: %v", encrypted, part, err)
	}
	if h, err := readHello(c); err != nil || h.id != id {
		t.Fatalf("encrypted %t, in parts of %d: %x, %v", encrypted, part, h.id, err)
	}
}

// Peers are answered as before, whether browsers are served or not, and however their
// first bytes are split.
func TestPeersAreAnsweredBesideBrowsers(t *testing.T) {
	var asked atomic.Int64
	visit := func(net.Conn, opening.Kind, []byte) bool { asked.Add(1); return true }
	for name, visit := range map[string]func(net.Conn, opening.Kind, []byte) bool{"with browsers": visit, "without": nil} {
		t.Run(name, func(t *testing.T) {
			n, addr := node(t, func(c *Config) { c.Visit = visit })
			m := makeContent(64<<10, 64<<10)
			c, _ := m.content(true)
			attach(t, n, c)
			for _, part := range []int{1, 2, 5, 19, 20, 21, 95, 96, 97, 1 << 20} {
				greets(t, addr, m.id, false, part)
				greets(t, addr, m.id, true, part)
			}
		})
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d peers were taken for browsers", n)
	}
}

// Who begins as a browser is handed over once that is clear, with each byte that came.
// Where nobody takes it, it may be a peer, and is waited for as one.
func TestBrowsersAreHandedOver(t *testing.T) {
	for _, taken := range []bool{true, false} {
		type visit struct {
			conn net.Conn
			kind opening.Kind
			read string
		}
		visits := make(chan visit, 1)
		_, addr := node(t, func(c *Config) {
			c.Visit = func(conn net.Conn, kind opening.Kind, read []byte) bool {
				visits <- visit{conn, kind, string(read)}
				return taken
			}
		})
		for said, kind := range map[string]opening.Kind{"GET / HTTP/1.0\r\n\r\n": opening.HTTP, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00": opening.TLS} {
			for _, part := range []int{1, 4, 1 << 20} {
				raw, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				_ = raw.SetDeadline(time.Now().Add(time.Minute))
				if _, err := (&dribble{raw, part}).Write([]byte(said)); err != nil {
					t.Fatal(err)
				}
				v := <-visits
				if v.kind != kind || !strings.HasPrefix(said, v.read) {
					t.Errorf("%q was handed over as %d, read %q", said, v.kind, v.read)
				}
				if taken {
					rest := make([]byte, len(said)-len(v.read))
					if _, err := io.ReadFull(v.conn, rest); err != nil || v.read+string(rest) != said {
						t.Errorf("%q and %q came of %q: %v", v.read, rest, said, err)
					}
					v.conn.Close()
				}
				raw.Close()
			}
		}
	}
}

// Who comes while others are on their way out is waited for, and not turned away: the
// places of those that had to go are free a moment later.
func TestHandshakesWaitForThoseThatEnd(t *testing.T) {
	const places = 4
	n, addr := node(t, func(c *Config) { c.Coming = places })
	m := makeContent(64<<10, 64<<10)
	c, _ := m.content(true)
	attach(t, n, c)
	var mute []net.Conn
	for range places {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		mute = append(mute, c)
	}
	for len(n.coming) < places {
		time.Sleep(time.Millisecond)
	}
	last, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	_ = last.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it was not waited for: %v", err)
	}
	mute[0].Close()
	_ = last.SetDeadline(time.Now().Add(time.Minute))
	hello := append(append([]byte(protocol), make([]byte, 8)...), m.id[:]...)
	if _, err := last.Write(append(hello, "-XX0000-abcdefghijkl"...)); err != nil {
		t.Fatal(err)
	}
	if h, err := readHello(last); err != nil || h.id != m.id {
		t.Errorf("%x, %v", h.id, err)
	}
}
