package utp

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

const never = time.Duration(math.MaxInt64)

// timers wakes connections when their time has come, all in one goroutine.
type timers struct {
	mu   sync.Mutex
	heap alarms
	poke chan struct{} // the first one has changed
}

// alarm is the place of a connection in the heap.
type alarm struct {
	of    *Conn
	at    time.Duration
	index int // 0 for none, else its place in the heap plus one
}

// set has a connection woken at a time, and not at that of before.
func (t *timers) set(a *alarm, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.at = at
	if a.index == 0 {
		heap.Push(&t.heap, a)
	} else {
		heap.Fix(&t.heap, a.index-1)
	}
	if t.heap[0] == a {
		select {
		case t.poke <- struct{}{}:
		default:
		}
	}
}

func (t *timers) remove(a *alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.index > 0 {
		heap.Remove(&t.heap, a.index-1)
	}
}

// next takes out a connection whose time has come; or else it is when to look
// again.
func (t *timers) next(now time.Duration) (*Conn, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return nil, never
	}
	if first := t.heap[0]; first.at > now {
		return nil, first.at
	}
	return heap.Pop(&t.heap).(*alarm).of, 0
}

// run wakes until stop is closed.
func (t *timers) run(clock func() time.Duration, wake func(*Conn), stop <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.poke:
		case <-timer.C:
		}
		for {
			now := clock()
			c, at := t.next(now)
			if c == nil {
				timer.Reset(at - now)
				break
			}
			wake(c)
		}
	}
}

// alarms is a heap by time.
type alarms []*alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at < h[j].at }
func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}
func (h *alarms) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.index = len(*h)
}
func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.index = 0
	return a
}
