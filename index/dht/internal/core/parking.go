package core

import (
	"net/netip"
	"time"
)

// parked is a query whose answer is larger than its unproven source may be sent,
// and useless when cut.
type parked struct {
	datagram []byte
	from     netip.AddrPort
	via      Via
	at       time.Duration
}

const (
	parkedMax  = 128
	parkedSize = 512 // bytes of a query; larger ones are puts
	parkedLife = 1500 * time.Millisecond
)

// parking holds queries until their source has proven its address, or parkedLife
// is over; then each is answered.
type parking struct {
	*clock
	answer func(*parked)
	list   []parked
	expiry timer
}

func newParking(c *clock, answer func(*parked)) *parking {
	p := &parking{clock: c, answer: answer}
	p.expiry.fire = p.expire
	return p
}

// takes reports whether there is room for a query of that size.
func (p *parking) takes(size int) bool { return len(p.list) < parkedMax && size <= parkedSize }

func (p *parking) add(datagram []byte, from netip.AddrPort, via Via) {
	p.list = append(p.list, parked{append([]byte(nil), datagram...), from, via, p.now})
	if len(p.list) == 1 {
		p.set(&p.expiry, parkedLife)
	}
}

// proven answers what from has waited for; it has proven its address.
func (p *parking) proven(from netip.AddrPort) {
	p.release(func(q *parked) bool { return q.from == from })
}

// expire answers what has waited long enough, in short.
func (p *parking) expire() {
	p.release(func(q *parked) bool { return p.now-q.at >= parkedLife })
	if len(p.list) > 0 {
		p.setAt(&p.expiry, p.list[0].at+parkedLife)
	}
}

func (p *parking) release(which func(*parked) bool) {
	if len(p.list) == 0 {
		return
	}
	var due []parked
	kept := p.list[:0]
	for i := range p.list {
		if which(&p.list[i]) {
			due = append(due, p.list[i])
		} else {
			kept = append(kept, p.list[i])
		}
	}
	clear(p.list[len(kept):])
	p.list = kept
	for i := range due {
		p.answer(&due[i])
	}
}
