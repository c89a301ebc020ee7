package core

import "time"

const (
	// Others ignore a packet whose acknowledgement is less by more than this than one
	// that came before, and its data with it: libtorrent and libutp.
	ackTolerance = 3
	// A packet is late by this at the most, mostly.
	lateness = 20 * time.Millisecond
	// What is told stays behind what arrived by no more than this.
	mostBehind = 16
)

// telling is the number that the packets from here acknowledge. Where the path changes
// their order it goes up by ackTolerance at the most while one can be late.
type telling struct {
	ack  uint16
	went [ackTolerance]time.Duration // when it went up; the oldest is at next
	next int
}

// may is what a packet may acknowledge where all up to ack arrived.
func (t *telling) may(now time.Duration, ack uint16) uint16 {
	behind := int(int16(ack - t.ack))
	n := max(0, behind-mostBehind)
	for i := range t.went {
		if n < behind && n <= i && now >= t.went[(t.next+i)%len(t.went)]+lateness {
			n++
		}
	}
	return t.ack + uint16(n)
}

// when is when more may be told, or all up to ack if that is no more than allowed.
func (t *telling) when(ack uint16) time.Duration {
	behind := max(1, int(int16(ack-t.ack)))
	return t.went[(t.next+min(behind, len(t.went))-1)%len(t.went)] + lateness
}

// told is called when a packet acknowledged all up to ack.
func (t *telling) told(now time.Duration, ack uint16) {
	for range min(max(0, int(int16(ack-t.ack))), len(t.went)) {
		t.went[t.next] = now
		t.next = (t.next + 1) % len(t.went)
	}
	t.ack = ack
}
