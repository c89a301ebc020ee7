package wan

import "time"

// packet is on its way to a host.
type packet struct {
	data []byte
	to   int
	due  time.Duration
	seq  uint64 // packets that are due at the same time keep their order
	near bool   // it has passed the receiver's line, and is due at the receiver
}

// before orders packets by when they are due.
func (p *packet) before(q *packet) bool {
	return p.due < q.due || p.due == q.due && p.seq < q.seq
}

// pending are packets, the next one first (container/heap without interfaces,
// which cost more than the packets themselves).
type pending []*packet

func (h *pending) push(p *packet) {
	*h = append(*h, p)
	for i := len(*h) - 1; i > 0; {
		up := (i - 1) / 2
		if !(*h)[i].before((*h)[up]) {
			return
		}
		(*h)[i], (*h)[up] = (*h)[up], (*h)[i]
		i = up
	}
}

func (h *pending) pop() *packet {
	old := *h
	top, last := old[0], len(old)-1
	old[0], old[last] = old[last], nil
	*h = old[:last]
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < last; c++ {
			if old[c].before(old[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		old[i], old[least] = old[least], old[i]
		i = least
	}
}
