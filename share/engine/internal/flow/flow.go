// Package flow keeps to itself how the speed of a stream of bytes is measured and
// limited.
package flow

import (
	"sync"
	"time"
)

// Bucket limits a stream of bytes to a rate, first come, first served. Rate 0 is no
// limit. Those that move the bytes wait, so that connections fill up and their other ends
// wait, too.
type Bucket struct {
	mu      sync.Mutex
	rate    float64 // bytes a second
	burst   float64 // seconds of it that an idle bucket saves up
	passed  float64 // bytes let through since the bucket was made
	booked  float64 // bytes that were asked for
	at      time.Time
	changed chan struct{} // closed and replaced when waits get shorter or longer
}

// An idle bucket saves up the bytes of a tenth of a second, so that short bursts do not
// wait and timers do not limit high rates. Where a burst would wait in a queue that is to
// be short, it saves up less, but enough to make up for moments in which nobody came.
const (
	burstTime = 0.1
	paceTime  = 0.05
)

// NewBucket makes a bucket for a rate in bytes a second; 0 is no limit.
func NewBucket(rate int64) *Bucket {
	return &Bucket{rate: float64(rate), burst: burstTime, at: time.Now(), changed: make(chan struct{})}
}

// NewPace makes a bucket without limit that lets only small bursts through.
func NewPace() *Bucket {
	b := NewBucket(0)
	b.burst = paceTime
	return b
}

// Set changes the rate, also for those that wait.
func (b *Bucket) Set(rate int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if float64(rate) == b.rate {
		return
	}
	b.advance()
	b.rate = float64(rate)
	b.wake()
}

// wake lets those that wait work out again for how long. mu is held.
func (b *Bucket) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// advance counts what has passed until now. mu is held.
func (b *Bucket) advance() {
	now := time.Now()
	elapsed := now.Sub(b.at).Seconds()
	b.at = now
	if b.rate == 0 {
		b.passed = b.booked
		return
	}
	b.passed = min(b.passed+max(elapsed, 0)*b.rate, b.booked+b.burst*b.rate)
}

// Wait blocks until n bytes may pass, and reports false when stop closed first.
func (b *Bucket) Wait(n int, stop <-chan struct{}) bool {
	b.mu.Lock()
	if b.rate == 0 {
		b.mu.Unlock()
		return true
	}
	b.advance()
	ticket := b.booked
	b.booked += float64(n)
	for b.rate != 0 && b.passed < ticket {
		d := time.Duration((ticket - b.passed) / b.rate * float64(time.Second))
		changed := b.changed
		b.mu.Unlock()
		timer := time.NewTimer(max(d, time.Millisecond))
		stopped := false
		select {
		case <-timer.C:
		case <-changed:
		case <-stop:
			stopped = true
		}
		timer.Stop()
		b.mu.Lock()
		b.advance()
		if stopped {
			// Others do not wait for what never passes.
			b.passed += float64(n)
			b.wake()
			b.mu.Unlock()
			return false
		}
	}
	b.mu.Unlock()
	return true
}

// Throttle is the two limits on one direction of a transfer: its own and that of the node.
type Throttle struct{ Own, Node *Bucket }

// Wait blocks until n bytes may pass, and reports false when stop closed first.
func (t Throttle) Wait(n int, stop <-chan struct{}) bool {
	return t.Own.Wait(n, stop) && t.Node.Wait(n, stop)
}

// Holds tells whether either is a limit at present.
func (t Throttle) Holds() bool { return t.Own.Holds() || t.Node.Holds() }

// Holds tells whether there is a limit at present.
func (b *Bucket) Holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rate != 0
}

// Meter turns a running total into a rate over the last seconds.
type Meter struct {
	last  int64
	rate  float64
	begun bool
	quiet time.Duration // since the last byte
}

const (
	// The newest sample counts for a third: with one a second, the rate is steady after
	// three seconds.
	meterWeight = 1.0 / 3
	// After so long without a byte the rate is zero. What is left of a high one would
	// take half a minute to fade.
	quietTime = 4 * time.Second
)

// Sample takes the total, and the time since the last sample.
func (m *Meter) Sample(total int64, elapsed time.Duration) {
	if elapsed <= 0 {
		return
	}
	now := float64(total-m.last) / elapsed.Seconds()
	if m.quiet += elapsed; total != m.last {
		m.quiet = 0
	}
	m.last = total
	if !m.begun {
		m.begun, m.rate = true, now
	} else {
		m.rate += (now - m.rate) * meterWeight
	}
	if m.rate < 1 || m.quiet >= quietTime {
		m.rate = 0
	}
}

// Rate is in bytes per second.
func (m *Meter) Rate() int64 { return int64(m.rate) }
