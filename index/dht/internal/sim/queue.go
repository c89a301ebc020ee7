package sim

import (
	"net/netip"
	"time"
)

// event is a datagram that arrives; without data it is the name of a host that
// is learnt from elsewhere, and without from the time to wake.
type event struct {
	at   time.Duration
	seq  uint64 // order of events at the same time
	to   *Node
	from netip.AddrPort
	data []byte
}

// queue is a heap of events, the earliest first. Its four-way nodes and its reused
// buffers make ten thousand hosts affordable.
type queue struct {
	heap  []event
	seq   uint64
	store [][]byte
}

func (q *queue) next() (time.Duration, bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

func (a *event) before(b *event) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&q.heap[up]) {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

func (q *queue) pop() event {
	top := q.heap[0]
	last := len(q.heap) - 1
	e := q.heap[last]
	q.heap[last] = event{}
	q.heap = q.heap[:last]
	if last == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= last {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, last); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&e) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = e
	return top
}

// copy keeps b until free.
func (q *queue) copy(b []byte) []byte {
	if n := len(q.store); n > 0 {
		c := q.store[n-1]
		q.store = q.store[:n-1]
		return append(c[:0], b...)
	}
	return append(make([]byte, 0, 512), b...)
}

func (q *queue) free(b []byte) { q.store = append(q.store, b) }
