package engine

import (
	"cmp"
	"slices"
)

// slots says which transfers may fetch: of those that want to, the ones that the user put
// first, and of these the oldest. It is owned by the loop.
type slots struct {
	most  int  // at once; 0 is no limit
	stale bool // they have to be assigned again
}

// note is told of t whenever it may have come to want a slot, or not to.
func (s *slots) note(t *transfer) {
	if wish := t.wantsSlot(); wish != t.wished {
		t.wished, s.stale = wish, true
	}
}

// assign gives out the slots, and returns the transfers that got or lost one while
// they want one.
func (s *slots) assign(all map[*transfer]struct{}) (changed []*transfer) {
	s.stale = false
	var want []*transfer
	for t := range all {
		if t.wantsSlot() {
			want = append(want, t)
		} else {
			t.slot = false
		}
	}
	sortByAge(want)
	slices.SortStableFunc(want, func(a, b *transfer) int { return cmp.Compare(b.options.Turn, a.options.Turn) })
	for i, t := range want {
		if slot := s.most <= 0 || i < s.most; slot != t.slot {
			t.slot = slot
			changed = append(changed, t)
		}
	}
	return changed
}

// wantsSlot tells whether t would fetch if it had a slot.
func (t *transfer) wantsSlot() bool {
	return t.kind == kindFetch && !t.done && t.known() && !t.options.Paused && t.removing == nil &&
		t.failure == nil && t.fault() == nil
}

// maxHashing is how many shares are hashed for the first time at once. Each reads as
// fast as the disk can and hashes on all cores.
const maxHashing = 2

// hashing lets so many shares be hashed at once. It is owned by the loop.
type hashing struct{ running int }

// begin reports false when too many are being hashed.
func (h *hashing) begin() bool {
	if h.running >= maxHashing {
		return false
	}
	h.running++
	return true
}

func (h *hashing) end() { h.running-- }

// next returns the share that has waited longest, nil where none waits.
func (h *hashing) next(all map[*transfer]struct{}) (next *transfer) {
	for t := range all {
		if t.job == nil && t.making.made == nil && t.mayHash() && (next == nil || t.added.Before(next.added)) {
			next = t
		}
	}
	return next
}

// mayHash tells whether t is a share that can be hashed now.
func (t *transfer) mayHash() bool {
	return t.kind == kindUnhashed && !t.making.parked && t.failure == nil && !t.options.Paused && t.removing == nil
}
