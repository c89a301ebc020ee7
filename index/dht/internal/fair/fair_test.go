package fair

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAGlutGivesWay(t *testing.T) {
	gone := 0
	m := Map[int, string, int]{Max: 1000, Rand: rand.New(rand.NewPCG(1, 2)), Gone: func(int, int) { gone++ }}
	for i := range 5000 {
		m.Put(1, i, i, "glutton", time.Hour)
	}
	if m.Len() != 1000 {
		t.Fatalf("%d entries", m.Len())
	}
	for i := range 500 {
		if !m.Put(1, 10_000+i, i, string(rune('a'+i%20)), time.Hour) {
			t.Fatalf("no room for the %dth entry of others", i)
		}
	}
	if n := m.Owned("glutton"); n != 500 || gone != 500 {
		t.Errorf("the glutton has %d, %d gone", n, gone)
	}
	// When all have the same there is no room for more of them.
	if m.Put(1, 99_999, 0, "glutton", time.Hour) {
		t.Error("who has most took from those who have less")
	}
	// But a newcomer finds some.
	if !m.Put(1, 99_998, 0, "newcomer", time.Hour) {
		t.Error("no room for a newcomer")
	}
}

func TestExpiry(t *testing.T) {
	m := Map[int, int, int]{Max: 10, Rand: rand.New(rand.NewPCG(1, 2))}
	m.Put(1, 1, 1, 1, 10*time.Second)
	m.Put(1, 2, 2, 1, 20*time.Second)
	if _, ok := m.Get(15*time.Second, 1); ok {
		t.Error("expired, and there")
	}
	m.Sweep(15 * time.Second)
	if _, ok := m.Get(15*time.Second, 2); !ok || m.Len() != 1 || m.Owned(1) != 1 {
		t.Errorf("%d entries after the sweep", m.Len())
	}
}

// It agrees with a plain map as long as there is room.
func TestIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Map[int, int, int]{Max: 100, Rand: rand.New(rand.NewPCG(1, 2))}
		model := make(map[int]int)
		owned := make(map[int]int)
		owner := make(map[int]int)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := rapid.IntRange(0, 50).Draw(t, "key")
			if rapid.Bool().Draw(t, "put") {
				v, o := rapid.Int().Draw(t, "value"), rapid.IntRange(0, 3).Draw(t, "owner")
				m.Put(1, k, v, o, time.Hour)
				if _, ok := model[k]; ok {
					owned[owner[k]]--
				}
				model[k], owner[k] = v, o
				owned[o]++
			} else {
				m.Delete(k)
				if _, ok := model[k]; ok {
					owned[owner[k]]--
				}
				delete(model, k)
			}
		}
		if m.Len() != len(model) {
			t.Fatalf("%d entries, want %d", m.Len(), len(model))
		}
		for k, v := range model {
			if got, ok := m.Get(2, k); !ok || got != v {
				t.Fatalf("%d: %d, %v; want %d", k, got, ok, v)
			}
		}
		for o, n := range owned {
			if m.Owned(o) != n {
				t.Fatalf("owner %d has %d, want %d", o, m.Owned(o), n)
			}
		}
	})
}
