package core

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// theirBulk is a model of how libtorrent 2.0 receives data without end.
type theirBulk struct {
	*world
	in    incoming
	back  *link
	to    func(b []byte)
	id    uint16
	got   int
	heard time.Duration
}

const (
	theirBuffer = 1 << 20
	theirKept   = theirBuffer / 1100 // packets out of order
	// Whose peer has given a connection up finds that out when its own requests were sent
	// three times in vain, and calls again a second later.
	theirRedial = 5500 * time.Millisecond
	// What a call and the handshakes take here, beside round trips.
	ourRedial = 300 * time.Millisecond
)

func (r *theirBulk) receive(b []byte) {
	p, err := decode(b)
	if err != nil || p.kind != kindSyn && p.kind != kindData {
		return
	}
	r.heard = r.now
	switch {
	case p.kind == kindSyn:
		r.in.ack, r.id = p.seq, p.id
	case int16(p.seq-r.in.ack) <= theirKept && r.in.earlyBytes+len(p.payload) <= theirBuffer:
		r.in.add(p.seq, p.payload, false)
		r.got += r.in.ready.len()
		r.in.ready.clear()
	}
	now := uint32(r.now.Microseconds())
	a := packet{
		kind: kindState, id: r.id, timestamp: now, difference: now - p.timestamp, window: uint32(theirBuffer - r.in.earlyBytes),
		seq: 5, ack: r.in.ack, selective: r.in.selective(nil),
	}
	out := a.append(nil)
	r.back.send(len(out)+overhead, false, func() { r.to(out) })
}

// bulk is how many bytes arrive from a libtorrent in some time: here, or at another. A
// connection that was given up is made again.
func bulk(seed uint64, rtt time.Duration, loss float64, here bool, long time.Duration) (bytes int, corrupt bool) {
	w := newWorld(seed)
	for w.now < long {
		line := func() *link {
			return &link{world: w, rate: mbit(32), queue: 200 * time.Millisecond, delay: rtt/2 + 100*time.Microsecond, loss: loss}
		}
		up, down := line(), line()
		var l *libtorrent
		if gaveUp := func() bool { return l.dead }; here {
			e := &end{world: w, out: down, stay: true, other: &end{}}
			l = w.libtorrent(up, e.receive)
			e.to = l.receive
			w.run(min(long, w.now+rtt+20*time.Millisecond), nil)
			if e.conn != nil {
				e.asked(rtt + 10*time.Millisecond)
			}
			w.run(long, gaveUp)
			w.run(long, func() bool {
				if c := e.conn; c.Doubtful() {
					w.at(w.now+rtt, func() { c.Found(e.clock()); e.act() })
				}
				return e.conn.Done()
			})
			w.run(min(long, w.now+ourRedial+rtt), nil)
			bytes, corrupt = bytes+e.got, corrupt || e.corrupt
		} else {
			r := &theirBulk{world: w, in: incoming{limit: 2 * theirBuffer}, back: down}
			l = w.libtorrent(up, r.receive)
			r.to = l.receive
			w.run(long, gaveUp)
			w.run(min(long, r.heard+theirRedial+rtt), nil)
			bytes += r.got
		}
		w.events = nil
	}
	return bytes, corrupt
}

// asked takes a round trip of what a program has asked for.
func (e *end) asked(trip time.Duration) {
	e.conn.timer.sample(trip)
	e.conn.cc.round(e.clock(), trip)
}

// A libtorrent takes a packet that was overtaken for lost, and halves its window. It is
// not told what would have it do so before the packet is really late.
func TestLibtorrentIsNotToldOfPacketsThatWereOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(1)
	line := func() *link {
		return &link{world: w, rate: mbit(32), delay: 25 * time.Millisecond, queue: 200 * time.Millisecond, reorder: 0.05, late: 20 * time.Millisecond, duplicate: 0.05}
	}
	up, down := line(), line()
	e := &end{world: w, out: down, stay: true, other: &end{}}
	l := w.libtorrent(up, e.receive)
	e.to = l.receive
	w.run(70*time.Millisecond, nil)
	e.asked(60 * time.Millisecond)
	w.run(10*time.Second, nil)
	use := float64(e.got) / (up.rate * 10)
	t.Logf("%.2f of the line", use)
	if use < 0.5 || e.corrupt { // it is 0.09 for one of its own
		t.Errorf("%.2f of the line, corrupt: %v", use, e.corrupt)
	}
	up.reorder, up.loss = 0, 0.01 // now they are lost, and that is noticed
	w.run(w.now+10*time.Second, nil)
	if d := e.conn.order; d.lost*overtakenPart < d.late {
		t.Errorf("lost packets are taken for overtaken: %+v", d)
	}
}

// Where packets are lost, a libtorrent sends here more than to its own kind.
// One run says little: what is compared is the sum of some.
func TestLibtorrentSendsHereMoreThanToItsOwn(t *testing.T) {
	t.Parallel()
	compareBulk(t, 5, 1, map[time.Duration][]float64{0: {0.05}})
}

func TestSoakLibtorrentSendsHereWhatItSendsToItsOwn(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("takes minutes; SOAK=1 runs it")
	}
	losses := []float64{0.01, 0.05}
	compareBulk(t, 60, 0.95, map[time.Duration][]float64{0: losses, 50 * time.Millisecond: losses, 150 * time.Millisecond: losses})
}

func compareBulk(t *testing.T, runs int, want float64, lines map[time.Duration][]float64) {
	const long = 20 * time.Second
	for rtt, losses := range lines {
		for _, loss := range losses {
			t.Run(fmt.Sprintf("%v %g", rtt, loss), func(t *testing.T) {
				var rates [2][]float64
				var all sync.WaitGroup
				for side := range rates {
					rates[side] = make([]float64, runs)
					all.Go(func() {
						for i := range runs {
							bytes, corrupt := bulk(uint64(i+1), rtt, loss, side == 0, long)
							if corrupt {
								t.Errorf("run %d: what arrived is not what was sent", i)
							}
							rates[side][i] = float64(bytes) * 8 / 1e6 / long.Seconds()
						}
					})
				}
				all.Wait()
				sum := func(r []float64) (s float64) {
					for _, x := range r {
						s += x
					}
					return s / float64(len(r))
				}
				mid := func(r []float64) float64 { return slices.Sorted(slices.Values(r))[len(r)/2] }
				ours, theirs := sum(rates[0]), sum(rates[1])
				t.Logf("%.2f Mbit/s, to its own %.2f: %.2f; medians %.2f and %.2f", ours, theirs, ours/theirs, mid(rates[0]), mid(rates[1]))
				if ours < want*theirs {
					t.Errorf("%.2f Mbit/s, to its own %.2f", ours, theirs)
				}
			})
		}
	}
}
