// Package fair keeps to itself who gives way when a map is full: its room is shared
// fairly by owners, so a newcomer replaces an entry of an owner that has more
// entries than the newcomer's.
package fair

import (
	"math/rand/v2"
	"time"
)

// samples is the number of random entries among which one to evict is sought.
// An owner of a fifth of the entries is found with 97 % certainty.
const samples = 16

// Map holds at most Max entries. The zero Map with Max and Rand set is ready;
// Gone, if set, is called with every entry that is removed other than by Delete.
type Map[K, O comparable, V any] struct {
	Max  int
	Rand *rand.Rand
	Gone func(K, V)

	index   map[K]int
	entries []entry[K, O, V]
	owned   map[O]int
}

type entry[K, O comparable, V any] struct {
	key   K
	owner O
	until time.Duration
	value V
}

// Len counts the entries, expired ones that Sweep has not removed yet included.
func (m *Map[K, O, V]) Len() int { return len(m.entries) }

// Owned counts the entries of o.
func (m *Map[K, O, V]) Owned(o O) int { return m.owned[o] }

// Get finds what was put for k and has not expired.
func (m *Map[K, O, V]) Get(now time.Duration, k K) (V, bool) {
	if i, ok := m.index[k]; ok && now < m.entries[i].until {
		return m.entries[i].value, true
	}
	var none V
	return none, false
}

// Put keeps v for k until then, as o's. It reports whether there was room.
func (m *Map[K, O, V]) Put(now time.Duration, k K, v V, o O, until time.Duration) bool {
	if m.index == nil {
		m.index, m.owned = make(map[K]int), make(map[O]int)
	}
	if i, ok := m.index[k]; ok {
		e := &m.entries[i]
		m.disown(e.owner)
		m.owned[o]++
		e.owner, e.value, e.until = o, v, until
		return true
	}
	if len(m.entries) >= m.Max && !m.evict(now, o) {
		return false
	}
	m.index[k] = len(m.entries)
	m.entries = append(m.entries, entry[K, O, V]{k, o, until, v})
	m.owned[o]++
	return true
}

func (m *Map[K, O, V]) evict(now time.Duration, o O) bool {
	worst := -1
	for range min(samples, len(m.entries)) {
		i := m.Rand.IntN(len(m.entries))
		if m.entries[i].until <= now {
			worst = i
			break
		}
		if worst < 0 {
			worst = i
			continue
		}
		a, b := &m.entries[i], &m.entries[worst]
		if x, y := m.owned[a.owner], m.owned[b.owner]; x > y || x == y && a.until < b.until {
			worst = i
		}
	}
	e := &m.entries[worst]
	if e.until > now && m.owned[e.owner] <= m.owned[o] {
		return false
	}
	m.leave(worst)
	return true
}

// Delete forgets k.
func (m *Map[K, O, V]) Delete(k K) {
	if i, ok := m.index[k]; ok {
		m.remove(i)
	}
}

// Sweep forgets everything that has expired.
func (m *Map[K, O, V]) Sweep(now time.Duration) {
	for i := 0; i < len(m.entries); {
		if m.entries[i].until <= now {
			m.leave(i)
		} else {
			i++
		}
	}
}

func (m *Map[K, O, V]) leave(i int) {
	k, v := m.entries[i].key, m.entries[i].value
	m.remove(i)
	if m.Gone != nil {
		m.Gone(k, v)
	}
}

func (m *Map[K, O, V]) remove(i int) {
	m.disown(m.entries[i].owner)
	delete(m.index, m.entries[i].key)
	last := len(m.entries) - 1
	if i != last {
		m.entries[i] = m.entries[last]
		m.index[m.entries[i].key] = i
	}
	m.entries[last] = entry[K, O, V]{}
	m.entries = m.entries[:last]
}

func (m *Map[K, O, V]) disown(o O) {
	if m.owned[o]--; m.owned[o] == 0 {
		delete(m.owned, o)
	}
}
