package wan

import "time"

// Line is one direction of a host's line.
type Line struct {
	Rate  float64 // bytes per second; 0 is no limit
	Queue int     // bytes that may wait; ignored without a Rate
}

// Mbit is a line of n Mbit/s whose queue drains in wait.
func Mbit(n float64, wait time.Duration) Line {
	rate := n * 1e6 / 8
	return Line{Rate: rate, Queue: int(rate * wait.Seconds())}
}

// Count is what has passed one direction of a line.
type Count struct {
	Bytes, Packets int64
	Dropped        int64         // packets for which the queue had no room
	Longest        time.Duration // that a packet has waited
}

// queue emulates one direction: it knows when the last packet will have left.
type queue struct {
	line Line
	free time.Duration // the line is idle from then on
	Count
}

// pass takes a packet of n bytes at now. It returns when the packet has left the
// line, or false if it was dropped.
func (q *queue) pass(now time.Duration, n int) (left time.Duration, ok bool) {
	if q.line.Rate <= 0 {
		q.Bytes += int64(n)
		q.Packets++
		return now, true
	}
	at := max(q.free, now)
	wait := at - now
	if wait.Seconds()*q.line.Rate+float64(n) > float64(q.line.Queue) {
		q.Dropped++
		return 0, false
	}
	q.Longest = max(q.Longest, wait)
	q.free = at + time.Duration(float64(n)/q.line.Rate*float64(time.Second))
	q.Bytes += int64(n)
	q.Packets++
	return q.free, true
}
