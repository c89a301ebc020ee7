package flow

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucketHoldsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1 << 20)
		began := time.Now()
		var all sync.WaitGroup
		const each, bytes = 64, 16 << 10
		for range 10 {
			all.Go(func() {
				for range each {
					b.Wait(bytes, nil)
				}
			})
		}
		all.Wait()
		took := time.Since(began).Seconds()
		if rate := 10 * each * bytes / took; rate < 0.95*(1<<20) || rate > 1.15*(1<<20) {
			t.Errorf("%.0f bytes a second, not 1 MiB", rate)
		}
	})
}

func TestBucketFollowsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1000)
		b.Wait(1_000_000, nil) // the debt of 1000 s falls to who comes next
		passed := make(chan time.Duration)
		began := time.Now()
		go func() {
			b.Wait(1, nil)
			passed <- time.Since(began)
		}()
		time.Sleep(10 * time.Second)
		b.Set(10_000)
		if d := <-passed; d < 105*time.Second || d > 112*time.Second {
			t.Errorf("waited %s; 10 s at the old rate and 99 s at the new were due", d)
		}
		b.Wait(1_000_000, nil)
		go func() {
			began := time.Now()
			b.Wait(1, nil)
			passed <- time.Since(began)
		}()
		time.Sleep(time.Second)
		b.Set(0)
		if d := <-passed; d != time.Second {
			t.Errorf("waited %s after the limit was lifted", d-time.Second)
		}
	})
}

func TestBucketStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(1000)
		b.Wait(100_000, nil)
		stop := make(chan struct{})
		stopped := make(chan bool)
		go func() { stopped <- b.Wait(1_000_000, stop) }()
		synctest.Wait()
		next := make(chan time.Duration)
		began := time.Now()
		go func() {
			b.Wait(1, nil)
			next <- time.Since(began)
		}()
		synctest.Wait()
		close(stop)
		if <-stopped {
			t.Error("passed although stopped")
		}
		// Who comes next does not pay for what never passed.
		if d := <-next; d > 101*time.Second {
			t.Errorf("the next one waited %s", d)
		}
	})
}

func TestMeterSettles(t *testing.T) {
	var m Meter
	total := int64(0)
	for range 10 {
		total += 500
		m.Sample(total, 500*time.Millisecond)
	}
	if m.rate < 990 || m.rate > 1010 {
		t.Errorf("%f bytes a second", m.rate)
	}
	for range 4 {
		m.Sample(total, time.Second)
	}
	if m.rate != 0 {
		t.Errorf("%f bytes a second long after the last byte", m.rate)
	}
}

// The rate ends soon after the last byte, however high it was and however often it is
// sampled. A stream that pauses keeps one.
func TestMeterEnds(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
		var m Meter
		m.Sample(1<<40, every)
		m.Sample(2<<40, every)
		took := time.Duration(0)
		for m.Rate() > 0 && took < time.Minute {
			m.Sample(2<<40, every)
			took += every
		}
		if took < quietTime || took >= quietTime+every {
			t.Errorf("a sample each %s: the rate ended %s after the last byte", every, took)
		}
	}
	var m Meter
	for second := range 60 {
		m.Sample(int64(second/4)<<14, time.Second) // a block each four seconds
		if second > 4 && m.Rate() == 0 {
			t.Fatalf("after %d s a slow stream has no rate", second)
		}
	}
}

func TestAThrottleTellsWhetherThereIsALimit(t *testing.T) {
	for _, c := range []struct {
		own, node int64
		holds     bool
	}{{0, 0, false}, {1, 0, true}, {0, 1, true}} {
		throttle := Throttle{Own: NewBucket(c.own), Node: NewBucket(c.node)}
		if throttle.Holds() != c.holds {
			t.Errorf("%+v: %v", c, !c.holds)
		}
	}
	b := NewBucket(1)
	throttle := Throttle{Own: b, Node: NewBucket(0)}
	if b.Set(0); throttle.Holds() {
		t.Error("a limit that was lifted holds")
	}
}
