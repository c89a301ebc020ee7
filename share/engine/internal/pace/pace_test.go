package pace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func (f *figures) percentile(p int) time.Duration {
	q := slices.Sorted(slices.Values(f.queues))
	return q[(len(q)-1)*p/100]
}

func TestTheQueueIsShortAndTheLineFull(t *testing.T) {
	for _, trip := range []time.Duration{10 * ms, 50 * ms, 150 * ms, 300 * ms} {
		for _, capacity := range []float64{125e3, 12.5e6} {
			for _, flows := range []int{1, 20} {
				u := newUplink(flows)
				u.trip, u.capacity = trip, capacity
				u.run(20 * time.Second)
				f := u.run(time.Minute)
				if f.share() < 0.95 || f.percentile(50) > 50*ms || f.percentile(95) > 100*ms {
					t.Errorf("%d flows, %v, %.0f B/s: %.1f %% used, a queue of %v, of %v at 95 of 100", flows, trip, capacity, 100*f.share(), f.percentile(50), f.percentile(95))
				}
			}
		}
	}
}

func TestOthersGetTheLine(t *testing.T) {
	for _, trip := range []time.Duration{10 * ms, 50 * ms, 100 * ms} {
		u := newUplink(5)
		u.trip = trip
		u.run(time.Minute)
		u.rival = true
		u.run(5 * time.Second)
		if f := u.run(10 * time.Second); f.others/f.capacity < 0.7 {
			t.Errorf("%v: a TCP upload that began 5 s ago gets %.0f %% of the line", trip, 100*f.others/f.capacity)
		}
		if f := u.run(2 * time.Minute); f.others/f.capacity < 0.7 {
			t.Errorf("%v: later it gets %.0f %% of the line", trip, 100*f.others/f.capacity)
		}
		u.rival = false
		u.run(20 * time.Second)
		if f := u.run(20 * time.Second); f.share() < 0.9 {
			t.Errorf("%v: it ended 20 s ago, and %.0f %% of the line is used", trip, 100*f.share())
		}
	}
}

func TestAFreeLineIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(u *uplink){
		"less is sent than the line carries": func(u *uplink) { u.demand = 0.8 * u.capacity },
		"a short queue":                      func(u *uplink) { u.buffer = 40 * ms },
		"delays that vary": func(u *uplink) {
			u.demand = 0.8 * u.capacity
			r := rand.New(rand.NewPCG(1, 2))
			u.extra = func(int) time.Duration { return time.Duration(r.Int64N(int64(50 * ms))) }
		},
		"queues behind most peers": func(u *uplink) {
			u.demand = 0.8 * u.capacity
			u.extra = func(i int) time.Duration {
				if i < 3 && u.now > 10*time.Second {
					return 300 * ms
				}
				return 0
			}
		},
	} {
		u := newUplink(5)
		change(u)
		for range 600 {
			if u.run(Tick); u.rate != 0 {
				t.Errorf("%s: held to %.0f B/s after %v", name, u.rate, u.now)
				break
			}
		}
	}
}

// Peers that delay their acknowledgements cost a part of the uploads to them, and cannot
// go on with that.
func TestPeersThatDelayAcknowledgements(t *testing.T) {
	for name, extra := range map[string]func(now time.Duration) time.Duration{
		"at once": func(now time.Duration) time.Duration { return min(now/1000, 1) * 400 * ms },
		"once": func(now time.Duration) time.Duration {
			return 400 * ms * (now / (20 * time.Second)) / (now/(20*time.Second) + 1)
		},
		"in waves": func(now time.Duration) time.Duration {
			if now/(10*time.Second)%2 == 1 {
				return 300 * ms
			}
			return 0
		},
	} {
		u := newUplink(5)
		u.demand = 0.8 * u.capacity
		u.extra = func(int) time.Duration { return extra(u.now) }
		var got float64
		for range 10 {
			f := u.run(time.Minute)
			got += f.share()
		}
		if got /= 10; got < 0.2 {
			t.Errorf("%s: %.0f %% of what is free is used", name, 100*got/0.8)
		}
	}
}

// An eighth of the peers is enough to show that the line is free.
func TestAnEighthOfThePeersIsHonest(t *testing.T) {
	u := newUplink(8)
	u.demand = 0.8 * u.capacity
	honest := false
	u.extra = func(i int) time.Duration {
		if honest && i == 0 {
			return 0
		}
		return u.now / 100
	}
	u.run(5 * time.Minute)
	honest = true
	u.run(30 * time.Second)
	if f := u.run(time.Minute); f.share() < 0.75 {
		t.Errorf("%.0f %% of what is free is used", 100*f.share()/0.8)
	}
}

func TestAPathThatBecomesLonger(t *testing.T) {
	for _, longer := range []time.Duration{20 * ms, 60 * ms, 300 * ms} {
		u := newUplink(5)
		u.run(time.Minute)
		u.trip += longer
		u.run(patience + 30*time.Second)
		f := u.run(2 * time.Minute)
		if f.share() < 0.9 || f.percentile(50) > 50*ms {
			t.Errorf("by %v: %.0f %% used, a queue of %v", longer, 100*f.share(), f.percentile(50))
		}
		u.trip -= longer
		u.run(30 * time.Second)
		if f := u.run(2 * time.Minute); f.share() < 0.9 || f.percentile(50) > 50*ms {
			t.Errorf("by %v, and back: %.0f %% used, a queue of %v", longer, 100*f.share(), f.percentile(50))
		}
	}
}

// The acknowledgements of peers wait in lines of their own, by which none of ours becomes
// slower, and our own queue is short all the same.
func TestQueuesOfPeersAreNotOurs(t *testing.T) {
	for _, capacity := range []float64{37.5e3, 125e3, 1.25e6, 12.5e6} {
		u := newUplink(40)
		u.capacity = capacity
		r := rand.New(rand.NewPCG(1, 2))
		queues := make([]time.Duration, 40)
		u.extra = func(i int) time.Duration {
			if r.IntN(20) == 0 {
				queues[i] = time.Duration(r.Int64N(int64(500 * ms)))
			}
			return queues[i]
		}
		u.run(20 * time.Second)
		f := u.run(5 * time.Minute)
		if f.share() < 0.95 || f.percentile(50) > 50*ms+seconds(fewPackets/capacity) {
			t.Errorf("%.0f B/s: %.1f %% used, a queue of %v", capacity, 100*f.share(), f.percentile(50))
		}
	}
}

func TestALineThatNobodyShowsIsNotHeld(t *testing.T) {
	u := newUplink(5)
	u.run(time.Minute)
	if u.rate == 0 {
		t.Fatal("a full line is not held")
	}
	u.hidden = true
	for range 600 {
		if u.run(Tick); u.rate != 0 {
			t.Fatalf("held to %.0f B/s after %v", u.rate, u.now)
		}
	}
}

func TestALimitThatIsNotNeededEnds(t *testing.T) {
	u := newUplink(3)
	u.run(10 * time.Second)
	if u.rate == 0 {
		t.Fatal("a full line is not held")
	}
	u.demand = u.capacity / 2
	u.run(liftAfter + time.Minute)
	if u.rate != 0 {
		t.Errorf("still held to %.0f B/s", u.rate)
	}
}

// After a while in which nothing was sent, what was seen before does not count.
func TestAPauseIsNoQueue(t *testing.T) {
	u := newUplink(2)
	u.run(time.Minute)
	was := u.rate
	u.next, u.demand = u.now+time.Hour, 0
	u.run(time.Minute)
	u.next, u.demand = u.now, 1e9
	if u.run(Tick); u.rate != was && u.rate != was/2 {
		t.Errorf("held to %.0f before a pause of a minute, to %.0f after it", was, u.rate)
	}
	u.run(10 * time.Second)
	if f := u.run(time.Minute); f.share() < 0.95 || f.percentile(95) > 80*ms {
		t.Errorf("%.1f %% used, a queue of %v", 100*f.share(), f.percentile(95))
	}
}

// Whatever happens to a line, it is soon full again, with a short queue.
func TestRandomHistories(t *testing.T) {
	held := 0
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 15))
		u := newUplink(1 + r.IntN(20))
		for phase := range 10 {
			u.capacity = 200e3 * float64(uint(1)<<r.IntN(6))
			u.buffer = time.Duration(100+r.IntN(900)) * ms
			u.trip = time.Duration(5+r.IntN(200)) * ms
			u.rival = r.IntN(4) == 0
			about := fmt.Sprintf("history %d, phase %d: %.0f B/s, a queue of %v, %v, rival %t", seed, phase, u.capacity, u.buffer, u.trip, u.rival)
			u.run(70 * time.Second)
			f := u.run(30 * time.Second)
			if u.rate != 0 && u.rate < leastRate {
				t.Errorf("%s: held to %.0f B/s", about, u.rate)
			}
			if u.rival || u.rate == 0 { // TCP alone may leave a part
				continue
			}
			held++
			if f.share() < 0.85 || f.percentile(50) > 60*ms {
				t.Errorf("%s: %.0f %% used, a queue of %v", about, 100*f.share(), f.percentile(50))
			}
		}
	}
	if held < 50 {
		t.Errorf("only %d times the line was held", held)
	}
}
