package core

import (
	"math/bits"
	"sync"
)

const smallestFifo = 2 << 10

// rings are spare ones, by the logarithm of their size: a queue that is emptied and
// filled again all the time is not to allocate each time.
var rings [22]sync.Pool

func newRing(size int) []byte {
	if class := bits.TrailingZeros(uint(size)); class < len(rings) {
		if r, ok := rings[class].Get().(*[]byte); ok {
			return *r
		}
	}
	return make([]byte, size)
}

func freeRing(r []byte) {
	if class := bits.TrailingZeros(uint(len(r))); len(r) > 0 && class < len(rings) {
		rings[class].Put(&r)
	}
}

// fifo is a queue of bytes: a ring that grows as needed and is given back when it
// is empty.
type fifo struct {
	ring []byte // its length is a power of two
	from int    // where the first byte is
	n    int
}

func (f *fifo) len() int { return f.n }

// push adds bytes at the end.
func (f *fifo) push(b []byte) {
	if need := f.n + len(b); need > len(f.ring) {
		size := max(smallestFifo, len(f.ring))
		for size < need {
			size *= 2
		}
		ring := newRing(size)
		f.copyTo(ring)
		freeRing(f.ring)
		f.ring, f.from = ring, 0
	}
	if len(b) == 0 {
		return
	}
	end := (f.from + f.n) & (len(f.ring) - 1)
	copy(f.ring, b[copy(f.ring[end:], b):])
	f.n += len(b)
}

// pop moves bytes from the front to b, and says how many.
func (f *fifo) pop(b []byte) int {
	n := f.copyTo(b[:min(len(b), f.n)])
	f.n -= n
	if f.n == 0 {
		f.clear()
	} else {
		f.from = (f.from + n) & (len(f.ring) - 1)
	}
	return n
}

func (f *fifo) clear() {
	freeRing(f.ring)
	*f = fifo{}
}

func (f *fifo) copyTo(b []byte) int {
	b = b[:min(len(b), f.n)]
	n := copy(b, f.ring[f.from:])
	return n + copy(b[n:], f.ring)
}
