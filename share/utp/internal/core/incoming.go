package core

// incoming puts what arrives in order. It holds at most twice its limit: what
// waits to be read, and what waits for a packet before it. A peer that keeps to the
// window has it hold at most that.
type incoming struct {
	limit int
	full  func() bool // nothing more may wait for a packet before it; nil is never
	ack   uint16      // the last number that arrived with all before it

	ready      fifo
	early      [][]byte // by number modulo maxReorder; nil while all is in order
	earlyBytes int
	highest    int // distance from ack to the highest early number; 0 for none

	fin      uint16 // the number of the FIN
	finKnown bool
	ended    bool // the FIN arrived with all before it
}

// verdict is what became of a packet.
type verdict int

const (
	refused   verdict = iota // no room, or a number that cannot be
	repeated                 // it was here before
	outOfTurn                // it waits for others
	inTurn                   // it was next
	closedGap                // it was next, and others waited for it
)

// add takes a data packet or the FIN. It keeps no part of payload.
func (in *incoming) add(seq uint16, payload []byte, fin bool) verdict {
	ahead := int(int16(seq - in.ack))
	switch {
	case ahead <= 0:
		return repeated
	case ahead > maxReorder, in.ended, in.finKnown && before(in.fin, seq):
		return refused
	case fin && (in.highest > ahead || in.finKnown && in.fin != seq):
		return refused // data beyond the end
	case ahead == 1:
		return in.advance(payload, fin)
	}
	slot := int(seq) % maxReorder
	switch {
	case in.early != nil && in.early[slot] != nil:
		return repeated
	case in.ready.len()+in.earlyBytes+len(payload) > in.limit, in.full != nil && in.full():
		return refused
	case in.early == nil:
		in.early = make([][]byte, maxReorder)
	}
	if fin {
		in.fin, in.finKnown = seq, true
	}
	in.early[slot] = append(make([]byte, 0, len(payload)), payload...)
	in.earlyBytes += len(payload)
	in.highest = max(in.highest, ahead)
	return outOfTurn
}

// advance takes the packet that is next, and those that waited for it.
func (in *incoming) advance(payload []byte, fin bool) verdict {
	if in.ready.len()+len(payload) > in.limit {
		return refused
	}
	if fin {
		in.fin, in.finKnown = in.ack+1, true
	}
	in.ready.push(payload)
	in.step()
	if in.early == nil {
		return inTurn
	}
	for in.highest > 0 {
		slot := int(in.ack+1) % maxReorder
		next := in.early[slot]
		if next == nil {
			break
		}
		in.early[slot] = nil
		in.earlyBytes -= len(next)
		in.ready.push(next)
		in.step()
	}
	if in.highest == 0 {
		in.early = nil
	}
	return closedGap
}

func (in *incoming) step() {
	in.ack++
	in.highest = max(in.highest-1, 0)
	in.ended = in.finKnown && in.ack == in.fin
}

// gap reports whether a packet is missing before others that arrived.
func (in *incoming) gap() bool { return in.highest > 0 }

// forget drops what waits for a packet that will not come.
func (in *incoming) forget() { in.early, in.earlyBytes, in.highest = nil, 0, 0 }

// window is how many bytes there is room for. What waits for a packet before it takes
// room: what else a peer would send is refused, and libtorrent sends nothing four times.
func (in *incoming) window() int { return max(0, in.limit-in.ready.len()-in.earlyBytes) }

// selective is the mask of what arrived out of order, appended to b; nothing if
// all is in order.
func (in *incoming) selective(b []byte) []byte {
	if !in.gap() {
		return b[:0]
	}
	n := (in.highest + 30) / 32 * 4
	b = append(b[:0], make([]byte, n)...)
	for i := range in.highest - 1 {
		if in.early[int(in.ack+2+uint16(i))%maxReorder] != nil {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}
