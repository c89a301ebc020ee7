package admission

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The instances that were measured, and the rules that make their kinds
// impossible:
//
//	500 idle connections from a /62 left no own call        TestIdleConnectionsLeaveRoomForOwnCalls
//	34 mute sockets from each of 8 /64s kept others out     TestMuteSocketsLeaveRoomForHandshakes
//	a /48 of attackers against honest peers                 TestAttackersWithOneNetwork
//	calls to the addresses that a publisher chose           TestCallsToOneNetworkAreFew
//	any history                                             TestAnyHistory

var begin = time.Unix(1e9, 0)

// at is a host in the /64 number net of a /48 of its own.
func at(site, net, host int) netip.Addr {
	b := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint16(b[4:], uint16(site))
	binary.BigEndian.PutUint16(b[6:], uint16(net))
	binary.BigEndian.PutUint32(b[12:], uint32(host))
	return netip.AddrFrom16(b)
}

// traffic is what a connection moves.
type traffic struct {
	since  time.Time
	now    *time.Time
	rate   int64
	choked bool
}

func (f *traffic) use() Use {
	return Use{int64(f.now.Sub(f.since).Seconds()) * f.rate, f.choked}
}

func idle() Use { return Use{Choked: true} }

// Own calls are possible however many connections strangers hold, idle ones and
// those that ask for just as much as makes them look busy.
func TestIdleConnectionsLeaveRoomForOwnCalls(t *testing.T) {
	for name, rate := range map[string]int64{"idle": 0, "pretending": 2000} {
		t.Run(name, func(t *testing.T) {
			now := begin
			p := New(500)
			for i := range 500 {
				f := &traffic{now, &now, rate, rate == 0}
				c, _, err := p.Accept(now, at(1, i%4, i), f.use) // a /62
				if err != nil {
					continue
				}
				p.Proved(now, c)
			}
			now = now.Add(5 * time.Minute)
			for i := range 250 {
				c, _, err := p.Call(now, at(1000+i, 0, 1))
				if err != nil {
					t.Fatalf("own call %d: %v", i, err)
				}
				p.Answered(now, c, (&traffic{now, &now, 1 << 20, false}).use)
			}
			if p.Len() > 500 || p.out != 250 {
				t.Errorf("%d connections, %d of them own", p.Len(), p.out)
			}
		})
	}
}

// Calls of one's own do not leave strangers without a place, either.
func TestOwnCallsLeaveRoomForStrangers(t *testing.T) {
	now := begin
	p := New(100)
	for i := range 200 {
		if c, _, err := p.Call(now, at(i, 0, 1)); err == nil {
			p.Answered(now, c, (&traffic{now, &now, 1 << 20, false}).use)
		}
	}
	if p.Len() != 75 {
		t.Errorf("%d own calls of 100 connections", p.Len())
	}
	for i := range 25 {
		if _, _, err := p.Accept(now, at(1000+i, 0, 1), idle); err != nil {
			t.Errorf("stranger %d: %v", i, err)
		}
	}
	// One that came to nothing gives way to the next call.
	mute, _, err := p.Call(now, at(2000, 0, 1))
	if err == nil {
		t.Errorf("called in the place of one of use: %v", mute)
	}
	for c := range p.conns {
		if !c.incoming {
			c.use = idle
			break
		}
	}
	now = now.Add(2 * idleAge)
	p.Look(now)
	if _, gone, err := p.Call(now, at(2000, 0, 1)); err != nil || gone == nil || gone.incoming {
		t.Errorf("%v gives way: %v", gone, err)
	}
}

// Mute sockets that come back as soon as they are closed cost nobody else a
// handshake.
func TestMuteSocketsLeaveRoomForHandshakes(t *testing.T) {
	for _, sites := range []int{1, 8} { // 8 /64s of one /48, and of eight
		now := begin
		p := New(500)
		mute := map[*Conn]netip.Addr{}
		join := func(a netip.Addr) {
			c, gone, err := p.Accept(now, a, idle)
			if err != nil {
				return
			}
			delete(mute, gone)
			mute[c] = a
		}
		for i := range 8 * 34 {
			join(at(1+i%sites, i%8, i))
		}
		const handshakes = 20 // four times as many were tried then
		refused := 0
		for i := range handshakes {
			honest, gone, err := p.Accept(now, at(100, 0, 1), idle)
			if err != nil {
				refused++
				continue
			}
			delete(mute, gone)
			for k := range 8 * 34 { // those that were closed call again, during a slow handshake
				now = now.Add(time.Millisecond)
				join(at(1+k%sites, k%8, 1000*i+k))
			}
			if _, there := p.conns[honest]; !there {
				refused++
			}
			p.Proved(now, honest)
			p.Leave(honest)
		}
		if refused > 0 {
			t.Errorf("%d networks: %d of %d honest handshakes were not finished", sites, refused, handshakes)
		}
	}
}

// There is room: nobody has a part only.
func TestNetworksAreNotLimitedWhileThereIsRoom(t *testing.T) {
	p := New(500)
	for i := range 375 {
		c, gone, err := p.Accept(begin, at(1, 0, i), idle)
		if err != nil || gone != nil {
			t.Fatalf("connection %d of one network: %v, %v", i, gone, err)
		}
		p.Proved(begin, c)
	}
}

// The least useful gives way, in the order that the package comment tells.
func TestWhoGivesWay(t *testing.T) {
	now := begin
	p := New(8) // 6 accepted
	named := map[*Conn]string{}
	take := func(name string, a netip.Addr, f *traffic) string {
		t.Helper()
		f.since, f.now = now, &now
		c, gone, err := p.Accept(now, a, f.use)
		if err != nil {
			return err.Error()
		}
		p.Proved(now, c)
		named[c] = name
		return named[gone]
	}
	take("useful", at(1, 0, 1), &traffic{rate: 1 << 20})
	take("silent", at(2, 0, 1), &traffic{rate: 10})
	take("choked", at(3, 0, 1), &traffic{rate: 1 << 20, choked: true})
	now = now.Add(time.Second)
	take("choked later", at(4, 0, 1), &traffic{choked: true})
	take("choked, of a crowd", at(5, 0, 1), &traffic{choked: true})
	take("useful, of a crowd", at(5, 0, 2), &traffic{rate: 1 << 20})
	if got := take("too soon", at(6, 0, 1), &traffic{}); got != ErrFull.Error() {
		t.Errorf("before anybody could show what it is good for: %q", got)
	}
	now = now.Add(2 * idleAge)
	for i, want := range []string{"choked, of a crowd", "choked", "choked later", "silent"} {
		if got := take("new", at(10+i, 0, 1), &traffic{rate: 1 << 20}); got != want {
			t.Errorf("%q gives way, not %q", got, want)
		}
	}
	if got := take("one more", at(20, 0, 1), &traffic{}); got != ErrFull.Error() {
		t.Errorf("for another one of no more use, %q gives way", got)
	}
}

// A network that holds much gives way to others even if all it has looks busy.
func TestCrowdsGiveWay(t *testing.T) {
	for name, of := range map[string]func(i int) netip.Addr{
		"a /64": func(i int) netip.Addr { return at(1, 0, i) },
		"a /56": func(i int) netip.Addr { return at(1, i%256, i) },
		"a /48": func(i int) netip.Addr { return at(1, i, i) },
		// As in the measurement: many networks, a few connections each.
		"50 /48s": func(i int) netip.Addr { return at(1+i%50, 0, i) },
	} {
		t.Run(name, func(t *testing.T) {
			now := begin
			p := New(500)
			join := func(a netip.Addr) error {
				c, _, err := p.Accept(now, a, (&traffic{now, &now, 2000, false}).use)
				if err == nil {
					p.Proved(now, c)
				}
				return err
			}
			for i := range 700 {
				_ = join(of(i))
			}
			now = now.Add(2 * idleAge)
			for i := range 100 {
				if err := join(at(1000+i, 0, 1)); err != nil {
					t.Fatalf("honest peer %d: %v", i, err)
				}
			}
			now = now.Add(2 * idleAge)
			for i := range 700 {
				_ = join(of(1000 + i))
			}
			honest := 0
			for c := range p.conns {
				if c.addr.As16()[4] >= 3 {
					honest++
				}
			}
			if honest != 100 {
				t.Errorf("%d of 100 honest peers are there still", honest)
			}
		})
	}
}

func TestBans(t *testing.T) {
	now := begin
	p := New(20)
	bad := at(1, 0, 1)
	for range strikes - 1 {
		p.Strike(now, bad)
	}
	if p.Banned(now, bad) {
		t.Error("banned too soon")
	}
	p.Strike(now, bad)
	if _, _, err := p.Accept(now, bad, idle); err != ErrBanned {
		t.Errorf("not banned: %v", err)
	}
	if _, _, err := p.Call(now, at(1, 0, 2)); err != ErrBanned {
		t.Errorf("another address of the /64 is called: %v", err)
	}
	if p.Banned(now, at(1, 1, 1)) {
		t.Error("the next /64 is banned along")
	}
	// However often one /64 lies, only it is kept out.
	for range 1000 {
		p.Strike(now, bad)
	}
	if p.Banned(now, at(1, 1, 1)) {
		t.Error("one /64 banned its /56")
	}
	for net := range liars[1] {
		for range strikes {
			p.Strike(now, at(2, net, 1))
		}
	}
	if !p.Banned(now, at(2, 0xff, 1)) || p.Banned(now, at(2, 0x100, 1)) {
		t.Error("several /64s that lied have their /56 kept out, and no more")
	}
	// One that changes its /64 after each lie.
	for net := range strikes * liars[0] {
		p.Strike(now, at(3, net<<8, 1))
	}
	if !p.Banned(now, at(3, 0xffff, 1)) {
		t.Error("a /48 all of whose /64s lie is not kept out")
	}
	now = now.Add(banTime)
	for _, a := range []netip.Addr{bad, at(2, 0xff, 1), at(3, 0xffff, 1)} {
		if p.Banned(now, a) {
			t.Errorf("%s is banned for ever", a)
		}
	}
	for range 10 {
		p.Strike(now, netip.IPv6Loopback())
		p.Strike(now, netip.MustParseAddr("::ffff:127.0.0.1"))
	}
	if p.Banned(now, netip.IPv6Loopback()) || p.Banned(now, netip.MustParseAddr("127.0.0.1")) {
		t.Error("the own machine is banned")
	}
}

// Of too many bans those go whose time is over, and then the oldest.
func TestOldBansAreForgottenFirst(t *testing.T) {
	now := begin
	p := New(20)
	ban := func(a netip.Addr) {
		for range strikes {
			p.Strike(now, a)
		}
	}
	ban(at(1, 0, 1))
	now = now.Add(time.Second)
	for i := range 4 * maxBans / 3 {
		now = now.Add(time.Millisecond)
		if i == maxBans+maxBans/6 {
			ban(at(2, 0, 1))
		}
		p.Strike(now, at(100+i%30000, i/30000, 1))
		if p.bans.order.Len() > maxBans || len(p.bans.of) > maxBans {
			t.Fatalf("%d bans are remembered", p.bans.order.Len())
		}
	}
	if p.Banned(now, at(1, 0, 1)) || !p.Banned(now, at(2, 0, 1)) {
		t.Error("a later ban was forgotten before an earlier one")
	}
	now = now.Add(banTime)
	ban(at(3, 0, 1))
	if p.bans.order.Len() != 3 {
		t.Errorf("%d bans are left after their time", p.bans.order.Len())
	}
}

// Whoever names the addresses, so many calls go to a host, a /64, a /48 or a /32
// in a minute; unless there are peers.
func TestCallsToOneNetworkAreFew(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(i int) netip.Addr
		most int
	}{
		"a host": {func(int) netip.Addr { return at(1, 0, 1) }, 8 + 6},
		"a /64":  {func(i int) netip.Addr { return at(1, 0, i) }, 24 + 30},
		"a /48":  {func(i int) netip.Addr { return at(1, i, 1) }, 96 + 120},
		"a /32":  {func(i int) netip.Addr { return at(i, 0, 1) }, 400 + 600},
	} {
		t.Run(name, func(t *testing.T) {
			now := begin
			p := New(500)
			called := 0
			for i := range 6000 {
				now = now.Add(10 * time.Millisecond)
				c, _, err := p.Call(now, c.of(i))
				if err != nil {
					continue
				}
				called++
				p.Leave(c) // it failed
			}
			if called > c.most || called < c.most-2 {
				t.Errorf("%d calls in a minute, not %d", called, c.most)
			}
		})
	}
	// A swarm of peers in one network costs nothing.
	now := begin
	p := New(500)
	for i := range 3000 {
		c, _, err := p.Call(now, at(1, 0, i))
		if err != nil {
			t.Fatalf("peer %d: %v", i, err)
		}
		p.Answered(now, c, idle)
		p.Proved(now, c)
		p.Leave(c)
	}
	for range peerBurst {
		if !p.MayCall(now, at(1, 0, 2999)) {
			t.Fatal("a peer cannot be called again")
		}
	}
	if p.MayCall(now, at(1, 0, 2999)) {
		t.Error("a peer is called without end")
	}
	for range 1000 {
		if !p.MayCall(now, netip.IPv6Loopback()) {
			t.Fatal("calls to this machine are limited")
		}
	}
	for i := range maxCallees / 2 { // three or four entries each
		p.MayCall(now, at(i, i>>12, i))
	}
	for i := range maxPeers + 50 {
		p.Proved(now, &Conn{addr: at(i, 1, 1), incoming: true})
	}
	if len(p.calls.buckets) > maxCallees || len(p.calls.peers) > maxPeers {
		t.Errorf("%d hosts and networks and %d peers are remembered", len(p.calls.buckets), len(p.calls.peers))
	}
}

// crowd is a history: attackers who own a /48 (and a few more) do what they like,
// while honest peers come, finish their handshakes and are of use.
type crowd struct {
	t      *rapid.T
	p      *Policy
	now    time.Time
	honest map[*Conn]bool // to whether its handshake is over
	bad    map[*Conn]bool
	lost   int // honest ones that are of use and had to go
}

func (w *crowd) gone(c *Conn) {
	if w.honest[c] {
		w.lost++
	}
	delete(w.honest, c)
	delete(w.bad, c)
}

// However an attacker with a /48 behaves, every honest handshake gets in and is
// finished, no honest peer that is of use has to go, and own calls are possible.
func TestAttackersWithOneNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(40, 80).Draw(t, "connections")
		w := &crowd{t: t, p: New(most), now: begin, honest: map[*Conn]bool{}, bad: map[*Conn]bool{}}
		peers := 0
		for step := range rapid.IntRange(1, 15).Draw(t, "steps") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				mute, rate := rapid.Bool().Draw(t, "mute"), int64(rapid.IntRange(0, 1<<20).Draw(t, "rate"))
				spread := rapid.SampledFrom([]int{1, 4, 256, 65536}).Draw(t, "/64s")
				for i := range rapid.IntRange(1, most).Draw(t, "sockets") {
					w.attack(at(1, (i*251+step)%spread, i), mute, rate)
				}
			case 2: // strangers that are honest, up to a third of what is accepted
				if peers >= most/4 {
					continue
				}
				peers++
				w.meet(at(1000+peers, 0, 1))
			case 3:
				if w.p.out >= w.p.own {
					continue
				}
				c, gone, err := w.p.Call(w.now, at(5000+step, 0, 1))
				if err != nil {
					t.Fatalf("an own call, of %d connections %d own: %v", w.p.Len(), w.p.out, err)
				}
				w.gone(gone)
				w.p.Answered(w.now, c, (&traffic{w.now, &w.now, 1 << 20, false}).use)
			}
			w.p.Look(w.now)
			w.check()
		}
		if w.lost > 0 {
			t.Fatalf("%d of %d honest peers of use had to go", w.lost, peers)
		}
	})
}

func (w *crowd) attack(a netip.Addr, mute bool, rate int64) {
	f := &traffic{w.now, &w.now, rate, false}
	c, gone, err := w.p.Accept(w.now, a, f.use)
	if err != nil {
		return
	}
	w.gone(gone)
	w.bad[c] = true
	if !mute {
		w.p.Proved(w.now, c)
	}
}

// meet lets an honest peer come, whose handshake takes a while in which the
// attackers are at work.
func (w *crowd) meet(a netip.Addr) {
	f := &traffic{w.now, &w.now, 1 << 16, false}
	c, gone, err := w.p.Accept(w.now, a, f.use)
	if err != nil {
		w.t.Fatalf("an honest peer: %v", err)
	}
	w.gone(gone)
	w.honest[c] = false
	for i := range w.p.max {
		w.now = w.now.Add(time.Millisecond)
		w.attack(at(1, i, i), true, 0)
	}
	if _, there := w.p.conns[c]; !there {
		w.t.Fatal("an honest handshake was not finished")
	}
	w.p.Proved(w.now, c)
	w.honest[c] = true
}

func (w *crowd) check() {
	p := w.p
	if p.Len() > p.max || p.in > p.mostIn || p.out > p.mostOut || p.shaking > p.shakes {
		w.t.Fatalf("%d accepted, %d own, %d unfinished of %d", p.in, p.out, p.shaking, p.max)
	}
	if len(w.honest)+len(w.bad) != p.in {
		w.t.Fatalf("%d accepted connections are counted, there are %d", p.in, len(w.honest)+len(w.bad))
	}
}

// Whatever happens in whatever order, the counts are right, and nothing is kept
// of what is gone.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(rapid.IntRange(0, 60).Draw(t, "connections"))
		now := begin
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			a := at(rapid.IntRange(0, 2).Draw(t, "site"), rapid.IntRange(0, 2).Draw(t, "net"), rapid.IntRange(0, 3).Draw(t, "host"))
			return rapid.SampledFrom([]netip.Addr{a, a, a, netip.MustParseAddr("192.0.2.1"), netip.IPv6Loopback(), {}}).Draw(t, "address")
		})
		var all []*Conn
		some := func() *Conn {
			if len(all) == 0 {
				return nil
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-1000, 60_000).Draw(t, "ms")) * time.Millisecond)
			a := addr.Draw(t, "from")
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1, 2:
				use := Use{int64(rapid.IntRange(0, 1<<30).Draw(t, "moved")), rapid.Bool().Draw(t, "choked")}
				if c, _, err := p.Accept(now, a, func() Use { return use }); err == nil {
					all = append(all, c)
				}
			case 3:
				if c, _, err := p.Call(now, a); err == nil {
					all = append(all, c)
				}
			case 4:
				if c := some(); c != nil && c.calling {
					p.Answered(now, c, idle)
				}
			case 5:
				if c := some(); c != nil {
					p.Proved(now, c)
				}
			case 6:
				p.Leave(some())
			case 7:
				p.Strike(now, a)
			}
			p.Look(now)
			in, out, shaking := 0, 0, 0
			for c := range p.conns {
				switch {
				case !c.incoming:
					out++
				case c.shaking:
					shaking++
					fallthrough
				default:
					in++
				}
			}
			if fmt.Sprint(in, out, shaking) != fmt.Sprint(p.in, p.out, p.shaking) || p.Len() > p.max {
				t.Fatalf("there are %d, %d, %d; counted are %d, %d, %d", in, out, shaking, p.in, p.out, p.shaking)
			}
		}
		for _, c := range all {
			p.Leave(c)
		}
		if p.Len() != 0 || p.shaking != 0 || len(p.nets) != 0 {
			t.Fatalf("left behind: %+v", p)
		}
	})
}
