package engine

import (
	"slices"

	"github.com/shoalnet/shoal/share"
)

// maxSearches is how many searches one finder runs at once.
const maxSearches = 16

// finders are the queues of those who look for peers. Each finder has its own, first
// come, first served: on a local network an answer may take seconds, while the DHT
// is done at once. It is owned by the loop.
type finders []*finding

// finding is one finder with its queue.
type finding struct {
	Finder
	busy    int
	waiting []turn
}

// turn is the place of a transfer in a queue. It counts while its round is the
// latest of the transfer.
type turn struct {
	t     *transfer
	id    share.ID // one of its names
	round *round
}

// round is the searches that one transfer begins together.
type round struct {
	left int // not over
}

func (r *round) over() bool { return r == nil || r.left == 0 }

func newFinders(all []Finder) (q finders) {
	for _, f := range all {
		q = append(q, &finding{Finder: f})
	}
	return q
}

// ask queues t at every finder, once for each of its names.
func (q finders) ask(t *transfer, r *round) {
	for _, id := range t.ids() {
		for _, f := range q {
			r.left++
			f.waiting = append(f.waiting, turn{t, id, r})
		}
	}
}

// next takes the next search that can begin, and drops those that are not wanted
// any more. It is followed by over.
func (q finders) next(wanted func(turn) bool) (*finding, turn, bool) {
	for _, f := range q {
		for f.busy < maxSearches && len(f.waiting) > 0 {
			first := f.waiting[0]
			f.waiting[0] = turn{}
			if f.waiting = f.waiting[1:]; len(f.waiting) == 0 {
				f.waiting = nil
			}
			if wanted(first) {
				f.busy++
				return f, first, true
			}
			first.round.left--
		}
	}
	return nil, turn{}, false
}

// over ends a search that next has begun.
func (f *finding) over(at turn) {
	f.busy--
	at.round.left--
}

// full tells whether a finder runs as many searches as it may.
func (q finders) full() bool {
	return slices.ContainsFunc(q, func(f *finding) bool { return f.busy >= maxSearches })
}

// has tells whether there is a finder of a source.
func (q finders) has(s share.Source) bool {
	return slices.ContainsFunc(q, func(f *finding) bool { return f.Source() == s })
}
