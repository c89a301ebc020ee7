package core

import (
	"sync"
	"time"
)

// So many packets that were sent later have to arrive before one is held to be
// lost: networks change the order a little.
const reorderTolerance = 3

// sent is a packet that was not acknowledged yet.
type sent struct {
	kind     kind
	payload  []byte
	at       time.Duration // of the last time it was sent
	order    uint64        // among all transmissions
	times    int           // that it was sent
	probe    int           // the datagram's size if it was padded to probe the path
	arrived  bool          // said a selective acknowledgement
	lost     bool          // and not sent again yet
	fragment bool          // may be fragmented on its way
}

var spare = sync.Pool{New: func() any { return new(sent) }}

// newSent is a packet with room for n bytes of data.
func newSent(k kind, n int) *sent {
	s := spare.Get().(*sent)
	b := s.payload
	if cap(b) < n {
		b = make([]byte, n)
	}
	*s = sent{kind: k, payload: b[:n]}
	return s
}

// wire is the size of its datagram without padding.
func (s *sent) wire() int { return headerSize + len(s.payload) }

// outgoing knows which packets were sent and not acknowledged, which of them are
// on their way, and which were lost.
type outgoing struct {
	next    uint16 // the number of the next new packet
	packets []*sent
	flight  int // bytes of datagrams on their way
	unacked int // bytes of data that were sent and are not known to have arrived

	orders  uint64 // transmissions so far
	arrived uint64 // the highest order known to have arrived
	holes   bool   // packets may be lost: something later arrived
	lost    int    // packets to send again

	// A packet is held to be lost only when its answer is late by this: none until
	// the path was seen to change the order of packets by more than a few.
	patience time.Duration
	overdue  time.Duration // when a packet's answer will be late by it; 0 for never
}

// first is the lowest number not acknowledged.
func (o *outgoing) first() uint16 { return o.next - uint16(len(o.packets)) }

// add gives the next number to a packet.
func (o *outgoing) add(s *sent) {
	o.packets = append(o.packets, s)
	o.unacked += len(s.payload)
	o.next++
}

// last is the size of the data of the packet with the highest number.
func (o *outgoing) last() int { return len(o.packets[len(o.packets)-1].payload) }

// transmit is called when a packet is sent, again or for the first time.
func (o *outgoing) transmit(s *sent, now time.Duration) {
	o.orders++
	s.order, s.at = o.orders, now
	s.times++
	if s.lost {
		s.lost = false
		o.lost--
	}
	o.flight += s.wire()
}

// nextLost is the first packet to send again.
func (o *outgoing) nextLost() (seq uint16, s *sent) {
	if o.lost == 0 {
		return 0, nil
	}
	for i, s := range o.packets {
		if s.lost {
			return o.first() + uint16(i), s
		}
	}
	return 0, nil
}

// answer is what an acknowledgement told.
type answer struct {
	packets int
	bytes   int           // of datagrams
	trip    time.Duration // of the last packet sent that arrived; 0 if it is not known
	passed  int           // the largest datagram that arrived
	moved   bool          // the lowest number not acknowledged went up
	late    int           // packets held to be lost that were only late
}

// acknowledge takes the acknowledged number and the mask of selective ones. The
// caller has checked that the number is one that was sent.
func (o *outgoing) acknowledge(ack uint16, selective []byte, now, lowest time.Duration) answer {
	var a answer
	first := o.first()
	if n := int(int16(ack - first + 1)); n > 0 {
		for _, s := range o.packets[:n] {
			o.arrive(s, now, lowest, &a)
			spare.Put(s)
		}
		clear(o.packets[:n])
		o.packets = o.packets[n:]
		a.moved = true
	}
	// Bit i is number ack+2+i. An old acknowledgement's mask begins before ours.
	skip := int(int16(o.first() - ack - 1)) // >= 0
	for i, s := range o.packets {
		bit := skip + i - 1
		if bit < 0 {
			continue
		}
		if bit/8 >= len(selective) {
			break
		}
		if selective[bit/8]&(1<<(bit%8)) != 0 && !s.arrived {
			o.arrive(s, now, lowest, &a)
			o.holes = true
		}
	}
	if len(o.packets) == 0 {
		o.packets, o.holes = nil, false
	}
	return a
}

func (o *outgoing) arrive(s *sent, now, lowest time.Duration, a *answer) {
	if s.arrived {
		return
	}
	s.arrived = true
	// The answer to the second transmission cannot have come yet.
	if s.lost || s.times > 1 && now-s.at < lowest {
		a.late++
	}
	if s.lost {
		s.lost = false
		o.lost--
	} else {
		o.flight -= s.wire()
	}
	o.unacked -= len(s.payload)
	a.packets++
	a.bytes += s.wire()
	if s.times == 1 {
		a.trip = max(now-s.at, 1)
		a.passed = max(a.passed, s.probe, s.wire())
	}
	// Of a packet that was sent again, it may be the first one that arrived, if
	// the answer came sooner than it could to the second.
	if s.times == 1 || now-s.at >= lowest {
		o.arrived = max(o.arrived, s.order)
	}
}

// wait makes the patience longer: a packet came later than it allows.
func (o *outgoing) wait(trip time.Duration) { o.patience = min(o.patience+trip/4, trip) }

// detect marks as lost what was sent well before something that arrived, and tells
// of each packet.
func (o *outgoing) detect(now, trip time.Duration, tell func(*sent)) {
	o.overdue = 0
	if !o.holes {
		return
	}
	open := false
	for _, s := range o.packets {
		if s.arrived || s.lost {
			continue
		}
		open = true
		if s.order+reorderTolerance > o.arrived {
			continue
		}
		if late := s.at + trip + o.patience; o.patience == 0 || now >= late {
			o.lose(s)
			tell(s)
		} else if o.overdue == 0 || late < o.overdue {
			o.overdue = late
		}
	}
	o.holes = open
}

// loseFirst marks the first packet as lost; it tells of it, if it was on its way.
func (o *outgoing) loseFirst(tell func(*sent)) {
	if len(o.packets) > 0 && !o.packets[0].lost && !o.packets[0].arrived {
		o.lose(o.packets[0])
		tell(o.packets[0])
	}
}

// doubtFirst has the first packet sent again if all that is on its way is said to have
// arrived: the acknowledgement of it was lost, and only a packet brings another one.
func (o *outgoing) doubtFirst() {
	if o.flight > 0 || o.lost > 0 || len(o.packets) == 0 {
		return
	}
	s := o.packets[0] // arrived: or else it would be on its way, or lost
	s.arrived, s.lost = false, true
	o.unacked += len(s.payload)
	o.lost++
}

// loseAll marks all that is on its way as lost.
func (o *outgoing) loseAll(tell func(*sent)) {
	for _, s := range o.packets {
		if !s.lost && !s.arrived {
			o.lose(s)
			tell(s)
		}
	}
}

func (o *outgoing) lose(s *sent) {
	s.lost = true
	o.lost++
	o.flight -= s.wire()
}
