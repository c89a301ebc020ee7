package engine

import "time"

const (
	// At most this many transfers are looked at in a second, so that the disk is not busy
	// with it after a start.
	glancesASecond = 200
	// A round over all complete transfers begins this long after the last one began, and
	// takes at least half as long.
	roundTime = 10 * time.Minute
)

// rounds decides whose files are looked at next: after a start those that are added, as
// fast as is allowed, and then all complete transfers in rounds.
type rounds struct {
	waiting []*transfer
	began   time.Time // the round that is under way, or was the last
	pace    int       // transfers a second; 0 is as many as are allowed
}

// add adds t to the round that is under way.
func (r *rounds) add(t *transfer) { r.waiting = append(r.waiting, t) }

// due tells whether the next round is to begin.
func (r *rounds) due(now time.Time) bool { return len(r.waiting) == 0 && now.Sub(r.began) >= roundTime }

// begin begins a round over all.
func (r *rounds) begin(now time.Time, all []*transfer) {
	r.began, r.waiting = now, all
	r.pace = max(1, 2*len(all)/int(roundTime/time.Second))
}

// next takes those whose turn it is in this second.
func (r *rounds) next() []*transfer {
	n := glancesASecond
	if r.pace > 0 {
		n = min(r.pace, glancesASecond)
	}
	rest := max(0, len(r.waiting)-n)
	turn := r.waiting[rest:]
	if r.waiting = r.waiting[:rest:rest]; rest == 0 {
		r.waiting = nil
	}
	return turn
}

// later puts back those that cannot be looked at now, behind all others.
func (r *rounds) later(all []*transfer) {
	if len(all) > 0 {
		r.waiting = append(all, r.waiting...)
	}
}
