package native

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/admission"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// withUTP adds uTP to a Network, on the port of its first listener.
func withUTP(t *testing.T) func(*face.Config) {
	return func(c *face.Config) {
		at := c.Listeners[0].Addr().(*net.TCPAddr)
		pc, err := net.ListenUDP("udp6", &net.UDPAddr{IP: at.IP, Port: at.Port})
		if err != nil {
			t.Fatal(err)
		}
		c.UTP = pc
	}
}

// onlyUTP is a Network that has no TCP.
func onlyUTP(t *testing.T) func(*face.Config) {
	return func(c *face.Config) {
		withUTP(t)(c)
		c.Listeners[0].Close()
		c.Listeners = nil
	}
}

func TestAPeerThatHasOnlyUTP(t *testing.T) {
	strangers := make(chan netip.AddrPort, 1)
	a, addr := testNetwork(t, func(c *face.Config) {
		onlyUTP(t)(c)
		c.Events.Stranger = func(_ netip.Addr, from netip.AddrPort) { strangers <- from }
	})
	b, own := testNetwork(t, withUTP(t))
	seed, _ := testContent(5, true)
	from := attach(t, a, seed)
	want, disk := testContent(5, false)
	s := attach(t, b, want) // which wants nothing yet
	s.AddPeers([]face.Peer{{Addr: addr, Source: share.FromTracker}})
	connection := func(other net.Conn) (nc net.Conn) {
		until(t, "connection", func() bool {
			if all := s.run.Peers(); len(all) == 1 && all[0].Client != "" {
				nc = all[0].Conn
			}
			return nc != nil && nc != other
		})
		return nc
	}
	first := connection(nil)
	for _, s := range []*Swarm{s, from} {
		if all := s.Peers(); len(all) != 1 || !all[0].UTP {
			t.Errorf("the peers are %+v", all)
		}
	}
	// The datagrams that came say nothing about TCP.
	select {
	case from := <-strangers:
		t.Errorf("%v was taken for a stranger over TCP", from)
	default:
	}
	// A connection from an address that is gone is made anew.
	b.Moved([]netip.Addr{own.Addr()})
	b.moves.Wait()
	if connection(nil) != first {
		t.Error("a connection was ended although its address is ours")
	}
	b.Moved(nil)
	b.moves.Wait()
	connection(first)
	s.SetPriorities(face.Change{From: 0, To: 5, Is: face.Normal})
	await(t, "content", disk.done)
}

// TCP is asked first; uTP where that failed, then and later.
func TestWhichWayIsTakenFirst(t *testing.T) {
	n, addr := testNetwork(t, withUTP(t))
	for _, tcp := range []bool{true, false} {
		_, at := testNetwork(t, withUTP(t))
		if !tcp {
			_, at = testNetwork(t, onlyUTP(t))
		}
		for range 2 {
			c, err := n.Dial(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			if overUTP(c.(*tracked).Conn) == tcp {
				t.Errorf("TCP answers: %v; uTP was taken: %v", tcp, tcp)
			}
			if n.either.better.has(at) == tcp {
				t.Errorf("TCP answers: %v; uTP is held to be better: %v", tcp, tcp)
			}
			c.Close()
		}
	}
	if n.either.better.has(addr) {
		t.Error("uTP is better where it never was tried")
	}
}

// Where uploads over TCP would be in the way of others, uTP is asked first, except on
// our own link.
func TestUTPFirstWhereTCPDoesNotYield(t *testing.T) {
	for to, first := range map[string]bool{"[2001:db8::1]:1": true, "[fd00::1]:1": true, "[::1]:1": false, "[fe80::1%1]:1": false} {
		e, at := either{yields: true}, netip.MustParseAddrPort(to)
		if e.prefers(at) != first {
			t.Errorf("%s: uTP first: %t", to, !first)
		}
		if e.yields = false; e.prefers(at) {
			t.Errorf("%s: uTP first although TCP yields", to)
		}
	}
}

// An address that sent wrong data is kept out over uTP, too.
func TestBansAreForBothWays(t *testing.T) {
	n, addr := testNetwork(t, onlyUTP(t))
	m, own := testNetwork(t, withUTP(t))
	n.registry.ban(own.Addr())
	c, err := m.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if k, err := c.Read(make([]byte, 1)); k > 0 || err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read %d, %v", k, err)
	}
	until(t, "refusal", func() bool { return n.registry.refused.Load() == 1 && n.registry.open() == 0 })
	m.registry.ban(addr.Addr())
	if _, err := m.Dial(t.Context(), addr); !errors.Is(err, admission.ErrBanned) {
		t.Errorf("a call to one that is banned: %v", err)
	}
}

// pipe is a connection that knows whether it was closed.
type pipe struct {
	net.Conn
	closed bool
}

func (p *pipe) Close() error { p.closed = true; return nil }

func TestRace(t *testing.T) {
	const whole = time.Hour
	after := func(d time.Duration, c net.Conn, err error, begun *time.Time) way {
		return func(ctx context.Context) (net.Conn, error) {
			*begun = time.Now()
			select {
			case <-time.After(d):
				return c, err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	refused := syscall.ECONNREFUSED
	for name, c := range map[string]struct {
		first, second       time.Duration
		firstErr, secondErr error
		winner              int // 0 for none
		secondAt            time.Duration
		took                time.Duration
	}{
		"the first one answers soon":      {first: 100 * time.Millisecond, second: 0, winner: 1, secondAt: -1, took: 100 * time.Millisecond},
		"the first one answers late":      {first: time.Second, second: 100 * time.Millisecond, winner: 2, secondAt: secondAfter, took: secondAfter + 100*time.Millisecond},
		"both take long":                  {first: 300 * time.Millisecond, second: time.Second, winner: 1, secondAt: secondAfter, took: 300 * time.Millisecond},
		"the first one fails at once":     {firstErr: refused, second: time.Second, winner: 2, secondAt: 0, took: time.Second},
		"the second one fails, not first": {first: time.Second, secondErr: refused, winner: 1, secondAt: secondAfter, took: time.Second},
		"both fail":                       {firstErr: refused, secondErr: refused, secondAt: 0, took: 0},
		"nobody answers":                  {first: whole, second: whole, secondAt: secondAfter, took: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := func(err error) net.Conn {
					if err != nil {
						return nil
					}
					return &pipe{}
				}
				x, y := conn(c.firstErr), conn(c.secondErr)
				var began, then time.Time
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				got, err := race{head: secondAfter}.run(ctx, after(c.first, x, c.firstErr, &began), after(c.second, y, c.secondErr, &then))
				if want := []net.Conn{nil, x, y}[c.winner]; got != want || (err == nil) != (want != nil) {
					t.Errorf("got %v, %v", got, err)
				}
				if c.firstErr != nil && c.secondErr != nil && !errors.Is(err, refused) {
					t.Errorf("the reason is %v", err)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v", took)
				}
				at := time.Duration(-1)
				if !then.IsZero() {
					at = then.Sub(start)
				}
				if at != c.secondAt {
					t.Errorf("the second way was tried after %v", at)
				}
			})
		})
	}
}

// Where both sides call at once, the first way wins also when it is made later, so that
// both sides keep the same connection.
func TestRaceWithGrace(t *testing.T) {
	soon, late := 10*time.Millisecond, time.Minute
	for name, c := range map[string]struct {
		first, second time.Duration
		firstErr      error
		winner        int
		took          time.Duration
	}{
		"the first one is there":       {first: soon, second: late, winner: 1, took: soon},
		"the first one needs a second": {first: time.Second, second: soon, winner: 1, took: time.Second},
		"the first one fails later":    {first: time.Second, firstErr: syscall.ECONNREFUSED, second: soon, winner: 2, took: time.Second},
		"the first one failed":         {firstErr: syscall.ECONNREFUSED, second: soon, winner: 2, took: soon},
		"the first one is not heard":   {first: late, second: soon, winner: 2, took: soon + tcpGrace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conns := []*pipe{{}, {}}
				way := func(i int, d time.Duration, err error) way {
					return func(ctx context.Context) (net.Conn, error) {
						select {
						case <-time.After(d):
						case <-ctx.Done():
							return nil, ctx.Err()
						}
						if err != nil {
							return nil, err
						}
						return conns[i], nil
					}
				}
				start := time.Now()
				got, err := race{grace: tcpGrace}.run(t.Context(), way(0, c.first, c.firstErr), way(1, c.second, nil))
				if got != conns[c.winner-1] || err != nil || time.Since(start) != c.took {
					t.Errorf("got %v, %v after %v", got, err, time.Since(start))
				}
				if lost := conns[2-c.winner]; conns[c.winner-1].closed || c.winner == 1 && c.second < c.first && !lost.closed {
					t.Error("the wrong one is closed")
				}
			})
		})
	}
}

// The one that comes second is closed.
func TestRaceLeavesNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &pipe{}
		deaf := func(ctx context.Context) (net.Conn, error) { // made at the very moment it is given up
			<-ctx.Done()
			return late, nil
		}
		won := &pipe{}
		got, err := race{head: secondAfter}.run(t.Context(), deaf, func(context.Context) (net.Conn, error) { return won, nil })
		if got != won || err != nil || won.closed || !late.closed {
			t.Errorf("%v, %v; closed: %v, %v", got, err, won.closed, late.closed)
		}
	})
}

// Without Start, the socket is closed all the same.
func TestUTPThatWasNeverStarted(t *testing.T) {
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := face.Config{UTP: pc, Now: time.Now}
	if err := New(cfg).Close(); err != nil {
		t.Error(err)
	}
	if _, err := pc.WriteTo([]byte{1}, pc.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is open: %v", err)
	}
}
