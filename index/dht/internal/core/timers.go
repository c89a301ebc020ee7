package core

import "time"

// timer is something that happens at a time. It is embedded in what it is for.
type timer struct {
	at    time.Duration
	place int // in the heap, from 1; 0 when not in it
	fire  func()
}

// timers is a binary heap, earliest first.
type timers []*timer

func (h *timers) set(t *timer, at time.Duration) {
	t.at = at
	if t.place == 0 {
		*h = append(*h, t)
		t.place = len(*h)
	}
	h.up(t.place)
	h.down(t.place)
}

func (h *timers) stop(t *timer) {
	i := t.place
	if i == 0 {
		return
	}
	t.place = 0
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	if last != t {
		(*h)[i-1], last.place = last, i
		h.up(i)
		h.down(last.place)
	}
}

func (h timers) up(i int) {
	t := h[i-1]
	for i > 1 && t.at < h[i/2-1].at {
		h[i-1] = h[i/2-1]
		h[i-1].place = i
		i /= 2
	}
	h[i-1], t.place = t, i
}

func (h timers) down(i int) {
	t := h[i-1]
	for 2*i <= len(h) {
		child := 2 * i
		if child < len(h) && h[child].at < h[child-1].at {
			child++
		}
		if t.at <= h[child-1].at {
			break
		}
		h[i-1] = h[child-1]
		h[i-1].place = i
		i = child
	}
	h[i-1], t.place = t, i
}
