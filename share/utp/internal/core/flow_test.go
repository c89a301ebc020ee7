package core

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEveryByteArrivesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		line := func(name string) *link {
			l := &link{
				world:     w,
				delay:     time.Duration(rapid.IntRange(0, 200).Draw(t, name+" delay")) * time.Millisecond,
				loss:      float64(rapid.IntRange(0, 8).Draw(t, name+" loss")) / 100,
				duplicate: float64(rapid.IntRange(0, 10).Draw(t, name+" duplicates")) / 100,
				reorder:   float64(rapid.IntRange(0, 20).Draw(t, name+" reordering")) / 100,
			}
			if rapid.Bool().Draw(t, name+" is slow") {
				l.rate, l.queue = mbit(rapid.Float64Range(0.1, 20).Draw(t, name+" rate")), 200*time.Millisecond
			}
			if rapid.Bool().Draw(t, name+" is narrow") {
				l.mtu = rapid.IntRange(1280, 1500).Draw(t, name+" MTU")
			}
			return l
		}
		a, b := w.pair(line("up"), line("down"))
		for _, e := range []*end{a, b} {
			e.cfg.Linger = longTime // a window of a byte takes its time
			e.want = rapid.IntRange(0, 300_000).Draw(t, "bytes")
			e.cfg.ReceiveBuffer = rapid.IntRange(1, 200_000).Draw(t, "receive buffer")
			e.cfg.SendBuffer = rapid.IntRange(1, 100_000).Draw(t, "send buffer")
		}
		if min(a.cfg.ReceiveBuffer, a.cfg.SendBuffer, b.cfg.ReceiveBuffer, b.cfg.SendBuffer) < 2000 {
			a.want, b.want = min(a.want, 1000), min(b.want, 1000)
		}
		a.dial()
		finish(t, w, a, b)
	})
}

func TestALineIsFilledWithoutAQueue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		delay time.Duration
	}{{1, 25}, {10, 5}, {10, 25}, {10, 75}, {50, 25}} {
		t.Run(fmt.Sprintf("%v Mbit, %v ms", c.rate, int(c.delay)), func(t *testing.T) {
			t.Parallel()
			w := newWorld(1)
			up := &link{world: w, rate: mbit(c.rate), delay: c.delay * time.Millisecond, queue: 400 * time.Millisecond}
			a, b := w.pair(up, &link{world: w, delay: c.delay * time.Millisecond})
			a.want = -1
			a.dial()
			w.run(20*time.Second, nil)
			up.reset()
			w.run(80*time.Second, nil)
			use := up.carried / (up.rate * 60)
			t.Logf("%v Mbit/s, %v each way: %.3f of the line, mean wait %v, %d dropped of %d, datagrams of %d",
				c.rate, up.delay, use, up.waiting().Round(time.Millisecond), up.dropped, up.packets, a.conn.Stats().Datagram)
			if use < 0.9 {
				t.Errorf("%v Mbit/s, %v each way: %.3f of the line was used", c.rate, up.delay, use)
			}
			if up.waiting() > DefaultTarget*5/4 {
				t.Errorf("%v Mbit/s, %v each way: packets waited for %v", c.rate, up.delay, up.waiting())
			}
			if b.corrupt {
				t.Error("corrupt")
			}
		})
	}
}

// Without a queue, a loss says little about the line.
func TestAFewLossesDoNotStopAFlow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		loss, least float64
	}{{0.001, 0.8}, {0.01, 0.6}, {0.05, 0.25}} {
		for seed := range uint64(3) {
			w := newWorld(10 + seed)
			up := &link{world: w, rate: mbit(10), delay: 25 * time.Millisecond, queue: 200 * time.Millisecond, loss: c.loss}
			a, b := w.pair(up, &link{world: w, delay: 25 * time.Millisecond, loss: c.loss})
			a.want = -1
			a.dial()
			w.run(40*time.Second, nil)
			use := float64(b.got) / (up.rate * 40)
			t.Logf("with a loss of %v: %.3f of the line, %v", c.loss, use, a.conn.Stats())
			if use < c.least || b.corrupt {
				t.Errorf("with a loss of %v: %.3f of the line; corrupt: %v", c.loss, use, b.corrupt)
			}
		}
	}
}

func TestAFarLineIsFilled(t *testing.T) {
	t.Parallel()
	w := newWorld(11)
	up := &link{world: w, rate: mbit(20), delay: 150 * time.Millisecond, queue: 200 * time.Millisecond}
	a, b := w.pair(up, &link{world: w, delay: 150 * time.Millisecond})
	a.want = -1
	a.dial()
	w.run(20*time.Second, nil)
	got := b.got
	w.run(50*time.Second, nil)
	if use := float64(b.got-got) / (up.rate * 30); use < 0.75 {
		t.Errorf("%.3f of the line", use)
	}
}

// A host that was busy for a moment looks like a queue and ends slow start too soon.
func TestADelayThatIsNoQueueIsMadeUpFor(t *testing.T) {
	t.Parallel()
	w := newWorld(15)
	up := &link{world: w, rate: mbit(100), delay: 50 * time.Millisecond, queue: 200 * time.Millisecond}
	a, b := w.pair(up, &link{world: w, delay: 50 * time.Millisecond})
	a.want = -1
	a.dial()
	w.run(400*time.Millisecond, nil)
	up.free = w.now + 60*time.Millisecond
	w.run(5*time.Second, nil)
	got := b.got
	w.run(10*time.Second, nil)
	use := float64(b.got-got) / (up.rate * 5)
	t.Logf("%.3f of the line", use)
	if use < 0.8 {
		t.Errorf("%.3f of the line", use)
	}
}

func TestABusyReceiverIsNoQueue(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{25, 75} {
		w := newWorld(16)
		up := &link{world: w, rate: mbit(30), delay: delay * time.Millisecond, queue: 200 * time.Millisecond, nap: 30 * time.Millisecond}
		a, b := w.pair(up, &link{world: w, delay: delay * time.Millisecond, nap: 30 * time.Millisecond})
		a.want = -1
		a.dial()
		w.run(30*time.Second, nil)
		use := float64(b.got) / (up.rate * 30)
		t.Logf("%v each way: %.3f of the line", up.delay, use)
		if use < 0.75 {
			t.Errorf("%v each way: %.3f of the line", up.delay, use)
		}
	}
}

func TestItYieldsToTCP(t *testing.T) {
	t.Parallel()
	w := newWorld(2)
	up := &link{world: w, rate: mbit(10), delay: 25 * time.Millisecond, queue: 300 * time.Millisecond}
	down := &link{world: w, delay: 25 * time.Millisecond}
	a, b := w.pair(up, down)
	a.want = -1
	a.dial()
	w.run(30*time.Second, nil)
	tcp := w.reno(up, down)
	tcp.begin()
	w.run(35*time.Second, nil)
	was := tcp.got
	w.run(65*time.Second, nil)
	share := (tcp.got - was) / (up.rate * 30)
	tcp.stopped = true
	w.run(75*time.Second, nil)
	got := b.got
	w.run(105*time.Second, nil)
	again := float64(b.got-got) / (up.rate * 30)
	t.Logf("TCP had %.3f of the line; after it, the flow %.3f", share, again)
	if share < 0.95 {
		t.Errorf("TCP had %.3f of the line", share)
	}
	if again < 0.9 {
		t.Errorf("after TCP, the flow had %.3f of the line", again)
	}
}

func TestALatecomerGetsItsShare(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{5, 25, 75} {
		t.Run(fmt.Sprintf("%d ms", delay), func(t *testing.T) {
			t.Parallel()
			w := newWorld(3)
			up := &link{world: w, rate: mbit(5), delay: delay * time.Millisecond, queue: 300 * time.Millisecond}
			down := &link{world: w, delay: delay * time.Millisecond}
			first, firstTo := w.pair(up, down)
			late, lateTo := w.pair(up, down)
			first.want, late.want = -1, -1
			first.dial()
			w.run(30*time.Second, nil)
			late.dial()
			w.run(90*time.Second, nil)
			wasFirst, wasLate := firstTo.got, lateTo.got
			up.reset()
			w.run(390*time.Second, nil)
			x, y := float64(firstTo.got-wasFirst), float64(lateTo.got-wasLate)
			t.Logf("%v each way: the first had %.3f, the latecomer %.3f, of %.3f; mean wait %v", up.delay,
				x/(x+y), y/(x+y), up.carried/(up.rate*300), up.waiting().Round(time.Millisecond))
			if y/(x+y) < 0.35 || y/(x+y) > 0.65 {
				t.Errorf("%v each way: the latecomer had %.3f", up.delay, y/(x+y))
			}
		})
	}
}

// Flows that come one after the other, each of which finds the queue of those before.
func TestAllLatecomersGetTheirShare(t *testing.T) {
	t.Parallel()
	w := newWorld(17)
	up := &link{world: w, rate: mbit(5), delay: 25 * time.Millisecond, queue: 400 * time.Millisecond}
	down := &link{world: w, delay: 25 * time.Millisecond}
	var to []*end
	for i := range 4 {
		a, b := w.pair(up, down)
		a.want = -1
		a.dial()
		to = append(to, b)
		w.run(time.Duration(i+1)*15*time.Second, nil)
	}
	w.run(90*time.Second, nil)
	before := make([]int, len(to))
	for i, b := range to {
		before[i] = b.got
	}
	up.reset()
	w.run(3*time.Minute, nil)
	var all float64
	for i, b := range to {
		all += float64(b.got - before[i])
	}
	for i, b := range to {
		share := float64(b.got-before[i]) / all
		t.Logf("flow %d: %.3f", i+1, share)
		if share < 0.15 || share > 0.4 {
			t.Errorf("flow %d of four had %.3f", i+1, share)
		}
	}
	t.Logf("%.3f of the line, mean wait %v", up.carried/(up.rate*90), up.waiting().Round(time.Millisecond))
	if up.waiting() > 3*DefaultTarget {
		t.Errorf("packets waited for %v", up.waiting())
	}
}

func TestAnotherOrderIsNotALoss(t *testing.T) {
	t.Parallel()
	w := newWorld(8)
	up := &link{world: w, rate: mbit(20), delay: 25 * time.Millisecond, queue: 400 * time.Millisecond, reorder: 0.05, duplicate: 0.05}
	a, b := w.pair(up, &link{world: w, delay: 25 * time.Millisecond, reorder: 0.05, duplicate: 0.05})
	a.want = -1
	a.dial()
	w.run(60*time.Second, nil)
	s := a.conn.Stats()
	use := float64(b.got) / (up.rate * 60)
	t.Logf("%.3f of the line; %d of %d packets were sent again", use, s.Again, s.Packets)
	if use < 0.8 || s.Again > s.Packets/1000 || b.corrupt {
		t.Errorf("%.3f of the line; %d of %d packets were sent again; corrupt: %v", use, s.Again, s.Packets, b.corrupt)
	}
}

func TestALostTailIsSentSoon(t *testing.T) {
	w := newWorld(9)
	a, b := w.pair(&link{world: w, delay: 20 * time.Millisecond}, &link{world: w, delay: 20 * time.Millisecond})
	a.want, a.stay, b.stay = 20_000, true, true
	a.dial()
	w.run(5*time.Second, nil)
	a.want += 2000
	a.out.loss = 1
	a.act() // two packets, both lost
	a.out.loss = 0
	w.run(w.now+minRTO-100*time.Millisecond, nil)
	if b.got != 22_000 || a.conn.Stats().Timeouts > 0 {
		t.Errorf("got %d, %+v", b.got, a.conn.Stats())
	}
}

// Where packets change their order, one is held to be lost when its time is over, and
// not when the next answer comes.
func TestWhatIsOverdueIsSentAgain(t *testing.T) {
	w := newWorld(19)
	a, b := w.pair(&link{world: w, delay: 20 * time.Millisecond}, &link{world: w, delay: 20 * time.Millisecond})
	a.want, a.stay, b.stay = 50_000, true, true
	a.dial()
	w.run(5*time.Second, nil)
	a.conn.out.patience = 15 * time.Millisecond
	a.out.loss = 1
	a.want += 2000
	a.act()
	a.out.loss = 0
	a.want += 8000
	a.act()
	w.run(w.now+90*time.Millisecond, nil)
	if b.got != a.want || a.conn.Stats().Timeouts > 0 {
		t.Errorf("got %d of %d, %+v", b.got, a.want, a.conn.Stats())
	}
}

func TestClocksMayDrift(t *testing.T) {
	t.Parallel()
	for _, skew := range []float64{-200e-6, 200e-6} {
		w := newWorld(4)
		up := &link{world: w, rate: mbit(2), delay: 25 * time.Millisecond, queue: 400 * time.Millisecond}
		a, b := w.pair(up, &link{world: w, delay: 25 * time.Millisecond})
		b.skew = skew
		a.want = -1
		a.dial()
		w.run(20*time.Second, nil)
		up.reset()
		w.run(620*time.Second, nil)
		use := up.carried / (up.rate * 600)
		t.Logf("skew %v: %.3f of the line, mean wait %v", skew, use, up.waiting().Round(time.Millisecond))
		if use < 0.9 || up.waiting() > DefaultTarget*5/4 {
			t.Errorf("skew %v: %.3f of the line was used, packets waited for %v", skew, use, up.waiting())
		}
	}
}

func TestDatagramsGrowToWhatThePathCarries(t *testing.T) {
	for _, mtu := range []int{1280, 1300, 1400, 1492, 1500} {
		w := newWorld(5)
		up := &link{world: w, rate: mbit(20), delay: 20 * time.Millisecond, queue: time.Second, mtu: mtu}
		a, b := w.pair(up, &link{world: w, delay: 20 * time.Millisecond})
		a.want = 4 << 20
		a.dial()
		finish(t, w, a, b)
		if got := a.conn.Stats().Datagram + overhead; got > mtu || got <= mtu-probeStep {
			t.Errorf("an MTU of %d was found to be %d", mtu, got)
		}
	}
}

func TestAPathThatGetsNarrowerIsNoticed(t *testing.T) {
	w := newWorld(6)
	up := &link{world: w, rate: mbit(20), delay: 20 * time.Millisecond, queue: time.Second}
	a, b := w.pair(up, &link{world: w, delay: 20 * time.Millisecond})
	a.want = 8 << 20
	a.dial()
	w.run(2*time.Second, nil)
	if got := a.conn.Stats().Datagram; got != maxDatagram {
		t.Fatalf("datagrams of %d bytes", got)
	}
	up.mtu = 1280
	finish(t, w, a, b)
	if got := a.conn.Stats().Datagram; got != minDatagram {
		t.Errorf("datagrams of %d bytes in the end", got)
	}
	if w.now > 20*time.Second+timeWait {
		t.Errorf("it took %v", w.now)
	}
}

func TestAPeerThatDoesNotReadStopsTheFlow(t *testing.T) {
	w := newWorld(7)
	a, b := w.pair(&link{world: w, delay: 20 * time.Millisecond}, &link{world: w, delay: 20 * time.Millisecond})
	a.want = 3 << 20
	b.deaf = true
	b.cfg.ReceiveBuffer = 100_000
	a.dial()
	w.run(10*time.Minute, nil)
	if a.conn.Err() != nil || b.conn.Err() != nil {
		t.Fatalf("the connection ended: %v, %v", a.conn.Err(), b.conn.Err())
	}
	if held := b.conn.in.ready.len() + b.conn.in.earlyBytes; held > 2*100_000 || held < 90_000 {
		t.Errorf("%d bytes are held", held)
	}
	b.deaf = false
	b.act()
	finish(t, w, a, b)
}
