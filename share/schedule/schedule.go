// Package schedule keeps to itself how entries are kept in the order of their
// times: the one that is due first comes first, and one whose time changes is
// moved, not searched for. What an entry is, and which clock its time is from, is
// up to the caller.
package schedule

import "iter"

// Place is an entry's place in a Queue. An entry embeds it. The zero Place is in
// no queue.
type Place struct{ at int } // from 1

// Slot is for the Queue.
func (p *Place) Slot() *Place { return p }

// Queued reports whether the entry is in a queue.
func (p *Place) Queued() bool { return p.at != 0 }

// Entry is what a Queue holds: a pointer to a struct that embeds Place. An entry is
// in at most one queue at a time.
type Entry[E any] interface {
	// Before reports whether this entry is due before the other one.
	Before(E) bool
	Slot() *Place
}

// Queue holds entries, the one that is due first at the front. Entries that are
// due at the same time come in no particular order. The zero Queue is empty.
type Queue[E Entry[E]] struct {
	heap []E // binary: those at 2i and 2i+1, counted from 1, are not before the one at i
}

// Len is the number of entries.
func (q *Queue[E]) Len() int { return len(q.heap) }

// First is the entry that is due first. It panics if the queue is empty.
func (q *Queue[E]) First() E { return q.heap[0] }

// All yields the entries, in no particular order. The queue must not change
// meanwhile.
func (q *Queue[E]) All() iter.Seq[E] {
	return func(yield func(E) bool) {
		for _, e := range q.heap {
			if !yield(e) {
				return
			}
		}
	}
}

// Set adds e, or moves it to where it belongs now that its time has changed.
func (q *Queue[E]) Set(e E) {
	p := e.Slot()
	if p.at == 0 {
		q.heap = append(q.heap, e)
		p.at = len(q.heap)
	}
	q.up(p.at)
	q.down(p.at)
}

// Remove takes e out. An entry that is in no queue is left alone.
func (q *Queue[E]) Remove(e E) {
	p := e.Slot()
	i := p.at
	if i == 0 {
		return
	}
	p.at = 0
	n := len(q.heap)
	last := q.heap[n-1]
	clear(q.heap[n-1:])
	q.heap = q.heap[:n-1]
	if i < n {
		q.heap[i-1], last.Slot().at = last, i
		q.up(i)
		q.down(last.Slot().at)
	}
}

func (q *Queue[E]) up(i int) {
	e := q.heap[i-1]
	for i > 1 && e.Before(q.heap[i/2-1]) {
		q.put(q.heap[i/2-1], i)
		i /= 2
	}
	q.put(e, i)
}

func (q *Queue[E]) down(i int) {
	e := q.heap[i-1]
	for 2*i <= len(q.heap) {
		child := 2 * i
		if child < len(q.heap) && q.heap[child].Before(q.heap[child-1]) {
			child++
		}
		if !q.heap[child-1].Before(e) {
			break
		}
		q.put(q.heap[child-1], i)
		i = child
	}
	q.put(e, i)
}

func (q *Queue[E]) put(e E, i int) {
	q.heap[i-1] = e
	e.Slot().at = i
}
