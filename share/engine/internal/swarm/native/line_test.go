package native

import (
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/edge"
	"github.com/shoalnet/shoal/share/engine/internal/pace"
)

// lateConn is the far end of a line with a queue, as its connection shows it.
type lateConn struct {
	net.Conn
	acked atomic.Uint64
	queue atomic.Int64
}

func (c *lateConn) sample() pace.Sample {
	return pace.Sample{Trip: 50*time.Millisecond + time.Duration(c.queue.Load()), Least: 50 * time.Millisecond, Acked: c.acked.Load()}
}

func (*lateConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1} }

// plainLine is one that shows as long a queue as peers do.
type plainLine struct{ asked, rests atomic.Int64 }

func (p *plainLine) Ask(netip.AddrPort, bool) { p.asked.Add(1) }
func (p *plainLine) Look() edge.State         { return edge.State{Known: true} }
func (p *plainLine) Rest()                    { p.rests.Add(1) }
func (p *plainLine) Forget()                  {}

func newTestLine(on bool) *line {
	l := newLine(slog.New(slog.DiscardHandler), on)
	l.sample = func(nc net.Conn) (pace.Sample, bool) { return nc.(*lateConn).sample(), true }
	l.meter = &plainLine{}
	return l
}

// send has c send n bytes a second for d.
func (o *outlet) send(c *lateConn, n int, d time.Duration) {
	for range int(d / pace.Tick) {
		o.Wait(n/5, nil)
		c.acked.Add(uint64(n / 5))
		time.Sleep(pace.Tick)
	}
}

func TestALineWithAQueueIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLine(true)
		c := &lateConn{}
		o := &outlet{line: l, conn: c}
		o.send(c, 1e6, 5*time.Second)
		if o.Holds() || l.held.Load() != 0 {
			t.Errorf("held to %d without a queue", l.held.Load())
		}
		c.queue.Store(int64(200 * time.Millisecond))
		o.send(c, 1e6, 2*time.Second)
		if held := l.held.Load(); !o.Holds() || held == 0 || held > 1e6 {
			t.Errorf("held to %d with a queue", held)
		}
		l.turn(false)
		if o.send(c, 1e6, time.Second); o.Holds() || l.held.Load() != 0 {
			t.Error("still held when turned off")
		}
		l.turn(true)
		if o.send(c, 1e6, 2*time.Second); !o.Holds() {
			t.Error("not held when turned on")
		}
		l.turn(false)
	})
}

// A host of the same site is not held, whatever is on the line.
func TestAHostOfTheSiteIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLine(true)
		sample := l.sample
		near := &lateConn{}
		l.sample = func(nc net.Conn) (pace.Sample, bool) {
			if nc == near {
				return pace.Sample{Trip: sameSite, Least: sameSite / 4, Acked: near.acked.Load()}, true
			}
			return sample(nc)
		}
		far := &lateConn{}
		far.queue.Store(int64(300 * time.Millisecond))
		a, b := &outlet{line: l, conn: near}, &outlet{line: l, conn: far}
		for range 20 {
			a.send(near, 100e6, pace.Tick)
			b.send(far, 1e6, pace.Tick)
		}
		if held := l.held.Load(); a.Holds() || !b.Holds() || held > 1e6 {
			t.Errorf("the one at the site is held: %t; the other: %t, to %d", a.Holds(), b.Holds(), held)
		}
		l.turn(false)
	})
}

// While nothing is sent nobody is woken.
func TestALineAtRestIsNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLine(true)
		var looks atomic.Int64
		l.sample = func(nc net.Conn) (pace.Sample, bool) { looks.Add(1); return nc.(*lateConn).sample(), true }
		waits := func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.timer != nil
		}
		var all []*outlet
		for range 100 {
			all = append(all, &outlet{line: l, conn: &lateConn{}})
		}
		time.Sleep(time.Hour)
		if n := looks.Load(); n != 0 || waits() {
			t.Errorf("%d looks at those who have not sent", n)
		}
		c := all[0].conn.(*lateConn)
		all[0].send(c, 1000, 10*time.Second)
		if n := looks.Load(); n < 40 || n > 60 {
			t.Errorf("%d looks in 10 s at one who sends", n)
		}
		time.Sleep(2 * quietFor)
		was := looks.Load()
		if time.Sleep(time.Hour); looks.Load() != was || waits() {
			t.Errorf("%d looks after it was over", looks.Load()-was)
		}
		m := l.meter.(*plainLine)
		if m.asked.Load() == 0 || m.rests.Load() != 1 {
			t.Errorf("routers were asked %d times, and left alone %d times", m.asked.Load(), m.rests.Load())
		}
		if all[0].send(c, 1000, time.Second); looks.Load() == was {
			t.Error("it is not looked at again")
		}
		l.turn(false)
	})
}

func TestWhoIsOnTheLink(t *testing.T) {
	for _, c := range []struct {
		local, peer string
		on          bool
	}{
		{"::1", "::1", true},
		{"fe80::1", "fe80::2", true},
		{"2001:db8:1:2::1", "2001:db8:1:2::99", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fd00:1::1", "fd00:1::2", true},
		{"fd00:1::1", "fd00:2::1", false},
		{"192.168.1.4", "192.168.1.5", true},
		{"192.168.1.4", "192.168.2.5", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"2001:db8:1:2::1", "192.168.2.5", false},
	} {
		if got := onLink(netip.MustParseAddr(c.local), netip.MustParseAddr(c.peer)); got != c.on {
			t.Errorf("%s and %s: %t", c.local, c.peer, got)
		}
	}
}
