// Package recent keeps to itself how recent events are remembered in bounded
// memory: as a map whose entries are forgotten by age, and earlier when there are
// too many.
package recent

import "time"

// Map keeps entries between Life and twice Life after they were last put, and
// at most twice Size of them. The zero Map with Life and Size set is ready.
type Map[K comparable, V any] struct {
	Life time.Duration
	Size int

	young, old map[K]V
	turned     time.Duration // when young was begun
	forced     time.Duration // when it last dropped entries for lack of room; 0 for never
}

// Get returns the value of k.
func (m *Map[K, V]) Get(now time.Duration, k K) (V, bool) {
	m.turn(now)
	if v, ok := m.young[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	return v, ok
}

// Put remembers v for k.
func (m *Map[K, V]) Put(now time.Duration, k K, v V) {
	m.turn(now)
	if m.young == nil {
		m.young = make(map[K]V)
	}
	if _, ok := m.young[k]; !ok && len(m.young) >= m.Size {
		m.old, m.young = m.young, make(map[K]V)
		m.turned, m.forced = now, now
	}
	m.young[k] = v
}

// Delete forgets k.
func (m *Map[K, V]) Delete(k K) {
	delete(m.young, k)
	delete(m.old, k)
}

// Len counts the entries, those put again twice.
func (m *Map[K, V]) Len() int { return len(m.young) + len(m.old) }

// Whole reports whether every entry put in the last Life is still there, that is,
// whether none was dropped for lack of room.
func (m *Map[K, V]) Whole(now time.Duration) bool {
	return m.forced == 0 || now-m.forced > m.Life
}

func (m *Map[K, V]) turn(now time.Duration) {
	switch age := now - m.turned; {
	case age < m.Life:
	case age < 2*m.Life:
		m.old, m.young, m.turned = m.young, nil, now
	default:
		m.old, m.young, m.turned = nil, nil, now
	}
}
