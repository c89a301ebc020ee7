package core

import (
	"math"
	mathbits "math/bits"
	"time"
)

// bits is a set of pieces, laid out as in a bitfield message.
type bits []byte

func newBits(n int) bits { return make(bits, (n+7)/8) }

func (b bits) has(i int) bool { return i>>3 < len(b) && b[i>>3]&(0x80>>(i&7)) != 0 }
func (b bits) set(i int)      { b[i>>3] |= 0x80 >> (i & 7) }
func (b bits) clear(i int)    { b[i>>3] &^= 0x80 >> (i & 7) }

func (b bits) count(n int) int {
	sum := 0
	for _, x := range b {
		sum += mathbits.OnesCount8(x)
	}
	return min(sum, n)
}

// meter measures a rate, the last seconds counting most.
type meter struct {
	at   time.Duration
	rate float64 // bytes a second, at that time
}

// The times over which rates are measured.
const (
	shortTerm = 3 * time.Second
	longTerm  = 20 * time.Second
)

func (m *meter) add(now time.Duration, n int, term time.Duration) {
	m.rate = m.get(now, term) + float64(n)/term.Seconds()
	m.at = now
}

func (m *meter) get(now time.Duration, term time.Duration) float64 {
	if m.rate == 0 || now <= m.at {
		return m.rate
	}
	return m.rate * math.Exp(-float64(now-m.at)/float64(term))
}
