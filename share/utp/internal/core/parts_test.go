package core

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFifoIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fifo
		var want []byte
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			b := make([]byte, rapid.IntRange(0, 5000).Draw(t, "bytes"))
			if rapid.Bool().Draw(t, "push") {
				for i := range b {
					b[i] = byte(len(want) + i*3)
				}
				f.push(b)
				want = append(want, b...)
			} else {
				n := f.pop(b)
				if n != min(len(b), len(want)) || !bytes.Equal(b[:n], want[:n]) {
					t.Fatalf("popped %d of %d", n, len(want))
				}
				want = want[n:]
			}
			if f.len() != len(want) || len(want) == 0 && f.ring != nil {
				t.Fatalf("length %d, ring %d; want %d", f.len(), len(f.ring), len(want))
			}
		}
	})
}

func TestWhatArrivesIsPutInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint16().Draw(t, "first")
		n := rapid.IntRange(1, 60).Draw(t, "packets")
		in := incoming{limit: 1000, ack: first - 1}
		here := make([]bool, n)
		var got []byte
		for range 40 * n {
			i := rapid.IntRange(0, n-1).Draw(t, "packet")
			was := here[i]
			v := in.add(first+uint16(i), []byte{byte(i)}, false)
			if (v == repeated) != was || v == refused {
				t.Fatalf("packet %d, here before: %v: verdict %d", i, was, v)
			}
			here[i] = true
			// The mask says what is known.
			mask := in.selective(nil)
			done := int(in.ack - first + 1)
			for k := done + 1; k < n; k++ {
				bit := k - done - 1
				if said := bit/8 < len(mask) && mask[bit/8]&(1<<(bit%8)) != 0; said != here[k] {
					t.Fatalf("the mask %x after %d says %v of packet %d", mask, done-1, said, k)
				}
			}
			b := make([]byte, 100)
			got = append(got, b[:in.ready.pop(b)]...)
		}
		for i, b := range got {
			if int(b) != i {
				t.Fatalf("read %v", got)
			}
		}
	})
}

// What waits for a packet before it takes room, as libtorrent's does: a sender counts
// what is not known to have arrived, and nothing is refused.
func TestWhatIsOutOfOrderTakesRoom(t *testing.T) {
	in := incoming{limit: 1000, ack: 0xffff}
	for i := uint16(1); i <= 3; i++ {
		if v := in.add(i, make([]byte, 300), false); v != outOfTurn {
			t.Fatalf("packet %d: verdict %d", i, v)
		}
	}
	if got := in.window(); got != 100 {
		t.Errorf("a window of %d", got)
	}
	var o outgoing
	o.next = 1
	for range 4 {
		s := newSent(kindData, 300)
		o.add(s)
		o.transmit(s, 0)
	}
	o.acknowledge(0, []byte{0b011}, time.Second, 0) // the first and the last are missing
	if o.unacked != 600 {
		t.Errorf("%d bytes may not have arrived", o.unacked)
	}
	o.acknowledge(3, nil, time.Second, 0)
	if o.unacked != 300 {
		t.Errorf("%d bytes, when one is missing", o.unacked)
	}
}

func TestNothingFollowsTheEnd(t *testing.T) {
	in := incoming{limit: 100, ack: 0xfffe}
	for _, c := range []struct {
		seq  uint16
		fin  bool
		want verdict
	}{
		{1, true, outOfTurn}, {2, false, refused}, {0, true, refused}, {3, true, refused}, {1, true, repeated},
		{0, false, outOfTurn}, {0xffff, false, closedGap}, {1, true, repeated}, {2, false, refused},
	} {
		if got := in.add(c.seq, nil, c.fin); got != c.want {
			t.Errorf("%d, FIN %v: verdict %d, want %d", c.seq, c.fin, got, c.want)
		}
	}
	if !in.ended || in.early != nil {
		t.Errorf("ended: %v", in.ended)
	}
}

func TestTimeoutsByRFC6298(t *testing.T) {
	var e estimator
	if e.timeout() != time.Second {
		t.Errorf("at first %v", e.timeout())
	}
	e.sample(400 * time.Millisecond) // SRTT 400, RTTVAR 200
	if e.timeout() != 1200*time.Millisecond {
		t.Errorf("after one sample %v", e.timeout())
	}
	e.sample(800 * time.Millisecond) // RTTVAR 250, SRTT 450
	if e.srtt != 450*time.Millisecond || e.timeout() != 1450*time.Millisecond {
		t.Errorf("after two %v, %v", e.srtt, e.timeout())
	}
	e.backoff = 2
	if e.timeout() != 4*1450*time.Millisecond {
		t.Errorf("after two timeouts %v", e.timeout())
	}
	e.backoff = 100
	if e.timeout() != maxRTO {
		t.Errorf("after many %v", e.timeout())
	}
	for range 100 {
		e.sample(time.Millisecond)
	}
	if e.backoff = 0; e.timeout() != minRTO {
		t.Errorf("on a short path %v", e.timeout())
	}
}

func TestTheBaseIsOfTheLastMinutes(t *testing.T) {
	var m minutes
	now := time.Duration(0)
	m.add(now, 0xffffff00) // below the wrap
	m.add(now, 0x100)
	if base, _ := m.base(); base != 0xffffff00 {
		t.Errorf("base %x", base)
	}
	for range baseMinutes - 1 {
		now += time.Minute
		m.add(now, 0x100)
		if base, _ := m.base(); base != 0xffffff00 {
			t.Fatalf("base %x after %v", base, now)
		}
	}
	now += time.Minute
	m.add(now, 0x100)
	if base, _ := m.base(); base != 0x100 {
		t.Errorf("base %x after %v", base, now)
	}
}

func TestQueueingIsAboveTheBase(t *testing.T) {
	var d delays
	if _, known := d.queueing(); known {
		t.Error("known without a sample")
	}
	d.our(0, 1000)
	for range currentSamples {
		d.our(0, 31_000)
	}
	if q, _ := d.queueing(); q != 30*time.Millisecond {
		t.Errorf("queueing %v", q)
	}
	// Their clock runs away by 5 ms: no queue.
	d.their(0, 9000)
	d.their(0, 4000)
	if q, _ := d.queueing(); q != 25*time.Millisecond {
		t.Errorf("with drift %v", q)
	}
	// The round trip has no room for more.
	d.round(0, 50*time.Millisecond)
	d.round(0, 60*time.Millisecond)
	if q, _ := d.queueing(); q != 10*time.Millisecond {
		t.Errorf("with a round trip %v", q)
	}
}

// A moment of late packets is no queue that stands; a round trip of them is.
func TestAQueueStandsForARoundTrip(t *testing.T) {
	var d delays
	const trip = 100 * time.Millisecond
	d.our(0, 1000)
	d.round(0, trip)
	now := time.Second
	for range 20 {
		d.our(now, 31_000)
		d.round(now, trip+30*time.Millisecond)
		now += trip / 20
	}
	d.our(now, 1000)
	for range 8 {
		now += trip / 20
		d.our(now, 31_000)
	}
	if q, _ := d.queueing(); q != 30*time.Millisecond {
		t.Errorf("queueing %v", q)
	}
	if q, _ := d.standing(); q != 0 {
		t.Errorf("standing %v", q)
	}
	for range 40 {
		now += trip / 20
		d.our(now, 31_000)
	}
	if q, _ := d.standing(); q != 30*time.Millisecond {
		t.Errorf("later, standing %v", q)
	}
}

func TestLossShrinksTheWindowOnceATrip(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	l.window = 64_000
	l.lost(0, time.Second)
	l.lost(time.Second/2, time.Second)
	if math.Round(l.window) != 48_000 {
		t.Errorf("window %v", l.window)
	}
	l.lost(2*time.Second, time.Second)
	if math.Round(l.window) != 36_000 {
		t.Errorf("window %v", l.window)
	}
	l.silent()
	if l.window != 1000 || math.Round(l.threshold) != 18_000 {
		t.Errorf("after silence: window %v, threshold %v", l.window, l.threshold)
	}
}

func TestALossThatWasNoneIsUndone(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	l.window, l.threshold = 64_000, 64_000
	l.lost(0, time.Second)
	l.lost(0, time.Second)
	if l.found(1); math.Round(l.window) != 48_000 {
		t.Errorf("with one of two lost: window %v", l.window)
	}
	if l.found(1); l.window != 64_000 || l.threshold != 64_000 {
		t.Errorf("with none lost: window %v, threshold %v", l.window, l.threshold)
	}
	if l.found(5); l.window != 64_000 {
		t.Errorf("twice: window %v", l.window)
	}
	l.threshold = math.Inf(1)
	l.lost(5*time.Second, time.Second)
	if l.found(1); !math.IsInf(l.threshold, 1) {
		t.Errorf("slow start ended at %v", l.threshold)
	}
}

func TestSlowStartEndsBeforeTheTarget(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	l.our(0, 0)
	l.acked(0, 4000, false, time.Second)
	if l.window != 4000 {
		t.Errorf("an unused window grew to %v", l.window)
	}
	l.acked(0, 4000, true, time.Second)
	if l.window != 8000 || !math.IsInf(l.threshold, 1) {
		t.Errorf("window %v, threshold %v", l.window, l.threshold)
	}
	for range currentSamples {
		l.our(0, 31_000)
	}
	l.acked(0, 4000, true, time.Second)
	if l.window != 8000 || l.threshold != 8000 {
		t.Errorf("with a queue: window %v, threshold %v", l.window, l.threshold)
	}
}

func TestSlowdownsTakeATwentiethOfTheTime(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	const trip = 100 * time.Millisecond
	l.round(0, trip)
	l.window, l.threshold = 32_000, 32_000
	l.our(0, 0)
	l.endSlowStart(0, trip)
	var slow, all int
	for now := time.Duration(0); now < 100*time.Second; now += trip {
		l.our(now, 20_000)
		l.round(now, trip+20*time.Millisecond)
		l.acked(now, int(l.window), true, trip)
		if all++; l.slowing {
			slow++
		}
		l.window = min(l.window, 40_000)
	}
	if part := float64(slow) / float64(all); part < 0.025 || part > 0.06 {
		t.Errorf("%.3f of the time", part)
	}
}

// What is lost in a slowdown takes away from what it returns to; it ends all the same.
func TestASlowdownWithLossesEnds(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	const trip = 100 * time.Millisecond
	l.our(0, 0)
	l.round(0, trip)
	l.window, l.threshold = 8_000, 8_000
	l.endSlowStart(0, trip)
	now := time.Duration(0)
	for ; !l.slowing; now += trip {
		l.our(now, 20_000)
		l.round(now, trip+20*time.Millisecond)
		l.acked(now, int(l.window), true, trip)
	}
	for l.threshold > minWindow*l.mss {
		l.lost(now, 0)
	}
	for end := now + 10*time.Second; now < end; now += trip {
		l.our(now, 0)
		l.round(now, trip)
		l.acked(now, int(l.window), true, trip)
	}
	if l.slowing || l.window < 20_000 {
		t.Errorf("ten seconds later: slowing %v, a window of %.0f", l.slowing, l.window)
	}
}

// On a free line there is no slowdown; the window returns to that of the last loss,
// stays near it, and grows by an eighth once nothing was lost for long.
func TestAFreeLineIsTaken(t *testing.T) {
	l := newLedbat(DefaultTarget, 1000)
	const trip = 100 * time.Millisecond
	l.our(0, 0)
	l.round(0, trip)
	l.window, l.threshold = 600_000, 600_000
	l.lost(0, trip)
	var at []float64
	for now := time.Duration(0); now < 12*time.Second; now += trip {
		l.our(now, 1000)
		l.acked(now, int(l.window), true, trip)
		if at = append(at, l.window); l.slowing {
			t.Fatalf("a slowdown after %v", now)
		}
	}
	returned := slices.IndexFunc(at, func(w float64) bool { return w > 570_000 })
	before, after := at[95]/at[94], at[115]/at[114]
	if returned < 20 || returned > 50 || before > 1.03 || after < 1.12 || after > 1.13 {
		t.Errorf("it was near after %d trips, and grew to %.3f in a trip, later to %.3f", returned, before, after)
	}
	// A queue that lasts ends that.
	now := 12 * time.Second
	for range currentSamples {
		now += trip
		l.our(now, 20_000)
		l.round(now, trip+20*time.Millisecond)
	}
	was := l.window
	l.slowAt = 0
	l.acked(now, int(l.window), true, trip)
	if grew := l.window - was; grew > 1000 {
		t.Errorf("with a queue it grew by %.0f", grew)
	}
}

func TestASizeIsGivenUpAfterThreeLosses(t *testing.T) {
	p := newProber(minDatagram, maxDatagram)
	for range probeLosses {
		if got := p.next(0); got != maxDatagram {
			t.Fatalf("probes %d", got)
		}
		if p.next(0) != 0 {
			t.Fatal("two probes at once")
		}
		p.failed()
	}
	got := p.next(0)
	if got <= minDatagram || got >= maxDatagram-probeStep {
		t.Errorf("then probes %d", got)
	}
	p.passed(got)
	if p.floor != got {
		t.Errorf("carried is %d", p.floor)
	}
	for {
		size := p.next(time.Second)
		if size == 0 {
			break
		}
		p.failed()
	}
	if p.floor != got {
		t.Errorf("in the end %d", p.floor)
	}
	if p.next(time.Second+probeAgain) != maxDatagram {
		t.Error("no new search")
	}
	p.hole(0)
	if p.floor != minDatagram || p.next(time.Minute) != 0 {
		t.Errorf("after a hole %d", p.floor)
	}
}

func TestTheTailIsProbedOnce(t *testing.T) {
	var m timer
	if _, ok := m.tailAt(); ok {
		t.Error("before the round trip is known")
	}
	m.sample(100 * time.Millisecond)
	m.moved(time.Second)
	if at, ok := m.tailAt(); !ok || at != 1200*time.Millisecond+peerAckDelay || at >= m.timeoutAt {
		t.Errorf("at %v, %v; the timeout is at %v", at, ok, m.timeoutAt)
	}
	m.tailed = true
	if _, ok := m.tailAt(); ok {
		t.Error("twice")
	}
	m.moved(2 * time.Second)
	m.fired(3*time.Second, false)
	if _, ok := m.tailAt(); ok || m.timeoutAt != 3*time.Second+2*minRTO {
		t.Errorf("after a timeout: %v, the next is at %v", ok, m.timeoutAt)
	}
}

func TestUntilWhenAClosedConnectionIsKept(t *testing.T) {
	var e ending
	e.settle(time.Second, true)
	if _, closed := e.until(time.Minute, true); closed {
		t.Error("it was not closed")
	}
	e.queued, e.sent, e.closed, e.at = true, true, true, time.Second
	e.settle(2*time.Second, false)
	if at, _ := e.until(time.Minute, true); at != time.Minute+time.Second {
		t.Errorf("with data on its way until %v", at)
	}
	e.settle(3*time.Second, true)
	if at, _ := e.until(time.Minute, false); at != 3*time.Second+finWait {
		t.Errorf("with a peer that goes on until %v", at)
	}
	if at, _ := e.until(time.Minute, true); at != 3*time.Second+timeWait {
		t.Errorf("with a peer that ended until %v", at)
	}
}

// What packets acknowledge goes up by three at the most while one may be late, stays
// near what arrived, and gets there.
func TestAcknowledgementsGoUpSlowly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ack := rapid.Uint16().Draw(t, "first")
		tell := telling{ack: ack}
		now := time.Second
		var went []time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			now += time.Duration(rapid.IntRange(0, 12).Draw(t, "ms")) * time.Millisecond
			ack += uint16(rapid.IntRange(0, 3).Draw(t, "arrived"))
			may := tell.may(now, ack)
			behind := int(int16(ack - tell.ack))
			up := int(int16(may - tell.ack))
			if up < 0 || up > behind || behind-up > mostBehind {
				t.Fatalf("of %d, %d", behind, up)
			}
			tell.told(now, may)
			for range up {
				went = append(went, now)
			}
			if n := len(went); up > 0 && behind <= mostBehind && n > ackTolerance && now-went[n-1-ackTolerance] < lateness {
				t.Fatalf("four went up within %v", now-went[n-1-ackTolerance])
			}
			if may != ack && tell.when(ack) <= now {
				t.Fatalf("%d are left, and the rest may be told since %v", behind-up, now-tell.when(ack))
			}
		}
		for range (mostBehind + ackTolerance - 1) / ackTolerance {
			now = max(now, tell.when(ack))
			tell.told(now, tell.may(now, ack))
		}
		if tell.ack != ack {
			t.Fatalf("%d behind in the end", ack-tell.ack)
		}
	})
}
