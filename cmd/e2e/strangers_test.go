//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// street is one host with as many addresses as a test wants, each network of them
// as far from the others as on the internet.
//
//	node, friend, strangers, a bystander ── lo ── 2001:db8:8000::/33
type street struct {
	*user
	t *testing.T
}

// house is an address in the network net, of which there are as many as a test
// wants.
func house(site, net, host int) netip.Addr {
	b := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint16(b[4:], 0x8000|uint16(site))
	binary.BigEndian.PutUint16(b[6:], uint16(net))
	binary.BigEndian.PutUint16(b[14:], uint16(host))
	return netip.AddrFrom16(b)
}

// node is a user of the street whose daemon listens at an address.
func (s *street) node(at netip.Addr, flags ...string) *user {
	// The daemon ends with the street, and writes until then.
	u := &user{Host: s.Host, t: s.t, home: s.user.t.TempDir()}
	u.state = filepath.Join(u.home, "state")
	u.StartCmd(u.command("daemon", append([]string{"--listen", netip.AddrPortFrom(at, 7000).String()}, flags...)...)).Event("ready", nil)
	return u
}

// stranger is a connection to a node on which nothing was said yet.
func (s *street) stranger(from netip.Addr, to string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	return s.DialFrom(ctx, from, to)
}

// peer is a stranger whose handshake for id is over.
func (s *street) peer(from netip.Addr, to, id string) (net.Conn, error) {
	c, err := s.stranger(from, to)
	if err != nil {
		return nil, err
	}
	hash, err := hex.DecodeString(id)
	if err != nil {
		return nil, err
	}
	hello := "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x00" + string(hash) + fmt.Sprintf("-XX0000-%-12.12s", from.StringExpanded()[10:])
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err = io.WriteString(c, hello); err == nil {
		_, err = io.ReadFull(c, make([]byte, 68))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// What was measured once: strangers kept everybody out of a node, and used it
// against a third. The rules are tested in share/engine/internal/admission and
// punch and in webui; here is the whole node, with what was measured.
func TestStrangersKeepNobodyOut(t *testing.T) {
	s := &street{at(t, newStreet(t)), t}
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 300_000, 91)
	other := random(t, filepath.Join(t.TempDir(), "other.ogg"), 300_000, 92)

	t.Run("500 idle connections from a /62", func(t *testing.T) {
		s := &street{s.user, t}
		node, friend := s.node(house(1, 0, 1)), s.node(house(2, 0, 1))
		shared, wanted := node.publish(file)[0], friend.publish(other)[0]
		to := netip.AddrPortFrom(house(1, 0, 1), 7000).String()
		for i := range 500 {
			if c, err := s.peer(house(3, i%4, i), to, shared.ID); err == nil {
				defer c.Close()
			}
		}
		out := t.TempDir()
		node.verb("get", "--output", out, "--timeout", "60s", wanted.Link)
		identical(t, other, filepath.Join(out, "other.ogg"))
		if c, err := s.peer(house(4, 0, 1), to, shared.ID); err != nil {
			t.Errorf("somebody else: %v", err)
		} else {
			c.Close()
		}
	})

	t.Run("34 mute sockets from each of 8 /64s", func(t *testing.T) {
		s := &street{s.user, t}
		node := s.node(house(11, 0, 1))
		shared := node.publish(file)[0]
		to := netip.AddrPortFrom(house(11, 0, 1), 7000).String()
		end := make(chan struct{})
		var mute sync.WaitGroup
		var begun sync.WaitGroup
		for i := range 8 * 34 {
			begun.Add(1)
			mute.Go(func() {
				first := sync.OnceFunc(begun.Done)
				defer first()
				for {
					c, err := s.stranger(house(12, i/34, i), to)
					first()
					if err == nil {
						stop := context.AfterFunc(t.Context(), func() { c.Close() })
						done := make(chan struct{})
						go func() {
							select {
							case <-end:
								c.Close()
							case <-done:
							}
						}()
						_, _ = c.Read(make([]byte, 1))
						close(done)
						stop()
						c.Close()
					}
					select {
					case <-end:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			})
		}
		begun.Wait()
		for i := range 30 {
			c, err := s.peer(house(20+i, 0, 1), to, shared.ID)
			if err != nil {
				t.Errorf("honest handshake %d: %v", i, err)
				continue
			}
			c.Close()
		}
		close(end)
		mute.Wait()
	})

	t.Run("introductions to a bystander", func(t *testing.T) {
		s := &street{s.user, t}
		node := s.node(house(51, 0, 1))
		shared := node.publish(file)[0]
		bystander := house(52, 0, 1)
		ports := []int{22, 25, 80, 443, 1023}
		for p := 2000; p < 2030; p++ {
			ports = append(ports, p)
		}
		var mu sync.Mutex
		called := map[int]int{}
		came := make(chan struct{}, 1)
		for _, p := range ports {
			l := s.Listen(p)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					if netip.MustParseAddrPort(c.LocalAddr().String()).Addr() == bystander {
						mu.Lock()
						called[p]++
						mu.Unlock()
						select {
						case came <- struct{}{}:
						default:
						}
					}
					c.Close()
				}
			}()
		}
		to := netip.AddrPortFrom(house(51, 0, 1), 7000).String()
		n := 0
		for i := range 8 {
			c, err := s.peer(house(60+i, 0, 1), to, shared.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			say := func(kind byte, payload string) {
				b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)))
				if _, err := c.Write(append(append(b, kind), payload...)); err != nil {
					t.Fatal(err)
				}
			}
			say(20, "\x00d1:md12:ut_holepunchi4ee1:pi7000ee")
			ip := bystander.As16()
			for range 190 {
				port := binary.BigEndian.AppendUint16(nil, uint16(ports[n%len(ports)]))
				say(20, "\x04\x01\x01"+string(ip[:])+string(port)+"\x00\x00\x00\x00")
				n++
			}
			say(2, "") // interested: what comes back shows that all was heard
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			for r := bufio.NewReader(c); ; {
				var size [4]byte
				if _, err := io.ReadFull(r, size[:]); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, binary.BigEndian.Uint32(size[:]))
				if _, err := io.ReadFull(r, b); err != nil {
					t.Fatal(err)
				}
				if len(b) == 1 && b[0] == 1 { // unchoke
					break
				}
			}
		}
		select {
		case <-came:
		case <-time.After(30 * time.Second):
			t.Error("nobody was called: introductions are not followed at all")
		}
		node.List() // whatever was begun has been by now
		mu.Lock()
		defer mu.Unlock()
		calls := 0
		for p, n := range called {
			if calls += n; p < 1024 {
				t.Errorf("port %d was called", p)
			}
		}
		// Of those who are called one is called in our protocol, too.
		if t.Logf("%d introductions made %d calls", n, calls); calls > 12 {
			t.Errorf("%d calls: %v", calls, called)
		}
	})

	t.Run("2,000 idle connections to the page", func(t *testing.T) {
		s := &street{s.user, t}
		u := &user{Host: s.Host, t: t, home: s.user.t.TempDir()}
		u.state = filepath.Join(u.home, "state")
		cmd := u.command("daemon", "--listen", netip.AddrPortFrom(house(91, 0, 1), 7000).String(), "--web", "[::1]:0")
		cmd.Args = append([]string{"prlimit", "--nofile=1024:1024"}, cmd.Args...)
		var err error
		if cmd.Path, err = exec.LookPath("prlimit"); err != nil {
			t.Fatal(err)
		}
		var ready struct{ Web string }
		u.StartCmd(cmd).Event("ready", &ready)
		page, err := url.Parse(ready.Web)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			c, err := s.stranger(netip.IPv6Loopback(), page.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		u.publish(file)
		if all := u.List(); len(all) != 1 {
			t.Errorf("%+v", all)
		}
		c, err := s.stranger(netip.IPv6Loopback(), page.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", page.Host)
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, "200") {
			t.Errorf("the page answers %q, %v", line, err)
		}
	})
}

func newStreet(t *testing.T) *lab.Host {
	t.Helper()
	h := lab.New(t).Home("street")
	h.IP("route add local 2001:db8:8000::/33 dev lo")
	h.Run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind")
	return h
}
