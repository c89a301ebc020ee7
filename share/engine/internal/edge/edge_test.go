package edge

import (
	"math/rand/v2"
	"testing"
	"time"
)

const ms = time.Millisecond

// way is a way out, for a test: hop i answers after delay[i], or not at all.
type way struct {
	r     ruler
	now   time.Duration
	delay [farthest + 1]time.Duration
	on    []reply
	asked [farthest + 1]int
}

type reply struct {
	at  time.Duration
	seq uint16
}

// run lets d pass, with a call of next every 200 ms.
func (w *way) run(d time.Duration, urgent bool) {
	for end := w.now + d; w.now < end; w.now += ms {
		for len(w.on) > 0 && w.on[0].at <= w.now {
			w.r.answered(w.now, w.on[0].seq)
			w.on = w.on[1:]
		}
		if w.now%(200*ms) != 0 {
			continue
		}
		for _, p := range w.r.next(w.now, urgent) {
			w.asked[p.hop]++
			if d := w.delay[p.hop]; d > 0 {
				w.on = append(w.on, reply{w.now + d, p.seq})
			}
		}
	}
}

func TestTheQueueIsSeen(t *testing.T) {
	w := &way{delay: [farthest + 1]time.Duration{2: 9 * ms, 3: 20 * ms, 4: 21 * ms}}
	if w.r.look(0).Known {
		t.Error("something is known before anybody was asked")
	}
	w.run(3*time.Second, true)
	if s := w.r.look(w.now); !s.Known || !s.Fresh || s.Queue != 0 {
		t.Fatalf("%+v", s)
	}
	w.delay[2] = 209 * ms
	w.run(time.Second, true)
	if s := w.r.look(w.now); s.Queue != 200*ms {
		t.Errorf("a queue of 200 ms is seen as %v", s.Queue)
	}
	if w.asked[3] > 2 || w.asked[4] > 2 {
		t.Errorf("farther routers were asked %d and %d times though a near one answers", w.asked[3], w.asked[4])
	}
	// One that falls silent is given up for the next, whose least delay is its own.
	w.delay[2] = 0
	w.run(lost+5*time.Second, true)
	if s := w.r.look(w.now); !s.Known || s.Queue != 0 || w.r.at != 3 {
		t.Errorf("hop %d: %+v", w.r.at, s)
	}
	w.delay[3], w.delay[4] = 0, 0
	w.run(lost+5*time.Second, true)
	if s := w.r.look(w.now); s.Known {
		t.Errorf("nobody answers: %+v", s)
	}
}

// A line whose routers say nothing is asked seldom.
func TestSilentRoutersAreLeftAlone(t *testing.T) {
	w := &way{}
	w.run(time.Hour, true)
	all := w.asked[2] + w.asked[3] + w.asked[4]
	if all > 3*(rounds+int(time.Hour/seldom)+1) || w.asked[1] > 0 {
		t.Errorf("%d questions in an hour, %d to the router at home", all, w.asked[1])
	}
	w.delay[3] = 5 * ms
	if w.run(2*seldom, false); !w.r.look(w.now).Known {
		t.Error("one that answers now is not found")
	}
}

// A least delay that is not true any more is forgotten.
func TestALongerWayIsLearnt(t *testing.T) {
	w := &way{delay: [farthest + 1]time.Duration{2: 10 * ms}}
	w.run(time.Minute, false)
	w.delay[2] = 60 * ms
	if w.run(2*period+time.Minute, false); w.r.look(w.now).Queue != 0 {
		t.Errorf("a queue of %v", w.r.look(w.now).Queue)
	}
}

// Whatever answers come, also those that nobody asked for, twice, late or wrapped
// around, a queue is never negative and never longer than an answer took.
func TestAnyAnswers(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		var x ruler
		var now, longest time.Duration
		open := make(map[uint16]time.Duration)
		for range 2000 {
			now += time.Duration(r.Int64N(int64(400 * ms)))
			for _, p := range x.next(now, r.IntN(2) == 0) {
				open[p.seq] = now
			}
			if r.IntN(3) > 0 {
				seq := uint16(r.IntN(1 << 16))
				for s := range open {
					if r.IntN(2) == 0 {
						seq = s
					}
					break
				}
				if at, ok := open[seq]; ok {
					longest = max(longest, now-at)
				}
				x.answered(now, seq)
			}
			if s := x.look(now); s.Queue < 0 || s.Queue > longest || s.Fresh && !s.Known {
				t.Fatalf("seed %d: %+v, and no answer took longer than %v", seed, s, longest)
			}
		}
	}
}
