package native

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// soonTime is by when a piece is due that is wanted Soon. What is wanted Now is due
// at once.
const soonTime = 5 * time.Second

// wishes is how soon each piece is wanted, in the engine's words and in those of
// the core: a level, and for what is read a time.
type wishes struct {
	pieceLength int64
	readOnly    bool // nothing is wanted
	want        []face.Priority
	known       []bool // the storage knows whether the piece is right
	due         map[int]time.Time
}

func newWishes(pieces int, pieceLength int64, readOnly bool) *wishes {
	return &wishes{
		pieceLength: pieceLength, readOnly: readOnly,
		want: make([]face.Priority, pieces), known: make([]bool, pieces), due: make(map[int]time.Time),
	}
}

// set takes a change. It reports whether that is one of what is read.
func (w *wishes) set(now time.Time, c face.Change) (reading bool) {
	for i := max(0, c.From); i < min(c.To, len(w.want)); i++ {
		if w.want[i] == c.Is {
			continue
		}
		w.want[i] = c.Is
		if _, was := w.due[i]; was {
			delete(w.due, i)
			reading = true
		}
		switch c.Is {
		case face.Now:
			w.due[i] = now
		case face.Soon:
			w.due[i] = now.Add(soonTime)
		default:
			continue
		}
		reading = true
	}
	return reading
}

// learn takes of which pieces, from one on, the storage knows whether they are
// right.
func (w *wishes) learn(from int, known []bool) { copy(w.known[from:], known) }

// levels is how much each of some pieces is wanted, in the core's words.
func (w *wishes) levels(from, to int) []uint8 {
	from, to = max(0, from), min(to, len(w.want))
	out := make([]uint8, max(0, to-from))
	for i := range out {
		out[i] = w.level(from + i)
	}
	return out
}

func (w *wishes) level(i int) uint8 {
	switch {
	case w.readOnly || !w.known[i]:
		return core.Unwanted
	case w.want[i] == face.Normal:
		return core.Normal
	case w.want[i] > face.Normal:
		return core.High
	}
	return core.Unwanted
}

// readings are what is read: runs of pieces that are due at the same time.
func (w *wishes) readings(now time.Time) (all []swarm.Reading) {
	if w.readOnly {
		return nil
	}
	pieces := make([]int, 0, len(w.due))
	for i := range w.due {
		pieces = append(pieces, i)
	}
	slices.Sort(pieces)
	for n, i := range pieces {
		from := int64(i) * w.pieceLength
		if n > 0 && pieces[n-1] == i-1 && w.due[i-1].Equal(w.due[i]) {
			all[len(all)-1].To = from + w.pieceLength
			continue
		}
		all = append(all, swarm.Reading{From: from, To: from + w.pieceLength, By: w.due[i].Sub(now)})
	}
	slices.SortStableFunc(all, func(a, b swarm.Reading) int { return cmp.Compare(a.By, b.By) })
	return all
}
