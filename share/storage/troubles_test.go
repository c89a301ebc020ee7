package storage

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The fault names the first file in trouble, whatever came and went before.
func TestTheFirstTroubleIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s troubles
		model := map[int]error{}
		file := rapid.IntRange(0, 5)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(*rapid.T) {
				i, kind := file.Draw(t, "file"), rapid.SampledFrom([]error{ErrMissing, ErrChanged}).Draw(t, "kind")
				s.add(i, &trouble{kind: kind, wrong: i == 3})
				model[i] = kind
			},
			"drop": func(*rapid.T) {
				i := file.Draw(t, "file")
				s.drop(i)
				delete(model, i)
			},
			"": func(*rapid.T) {
				if s.count() != len(model) || len(s.list()) != len(model) {
					t.Fatalf("%d, %v of %v", s.count(), s.list(), model)
				}
				for i := range 6 {
					if (s.of(i) != nil) != (model[i] != nil) || s.waits(i) != (model[i] != nil && i != 3) {
						t.Fatalf("file %d: %v of %v", i, s.of(i), model)
					}
				}
				if len(model) == 0 {
					return
				}
				if i, kind := s.worst(); i != slices.Min(s.list()) || kind != model[i] {
					t.Fatalf("file %d, %v of %v", i, kind, model)
				}
			},
		})
	})
}

func TestPausesGrowUntilSomethingMoves(t *testing.T) {
	var s troubles
	var got []time.Duration
	for _, moved := range []bool{false, false, true, false} {
		got = append(got, s.looked(moved))
	}
	if want := []time.Duration{firstPause, 2 * firstPause, firstPause, 2 * firstPause}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	for range 20 {
		s.looked(false)
	}
	if s.pause != lastPause {
		t.Errorf("at last %v", s.pause)
	}
}

// A fault is over only if the sync after the probe succeeds, too.
func TestAStandstillEndsAfterASync(t *testing.T) {
	var s standstill
	f, g := &fault{err: ErrFull}, &fault{err: ErrBroken}
	if s.err() != nil || s.stop(f) != firstPause || s.err() != ErrFull {
		t.Fatal("it did not stop")
	}
	if s.again() != 2*firstPause {
		t.Error("the pause does not grow")
	}
	if s.tryOut(f); s.err() != ErrFull {
		t.Error("over before the sync")
	}
	s.stop(g) // by the sync
	if s.end() || s.err() != ErrBroken {
		t.Error("over although the sync failed")
	}
	if s.tryOut(g); !s.end() || s.err() != nil {
		t.Error("not over after a good sync")
	}
	if s.calm(); s.again() != firstPause {
		t.Error("a good batch does not shorten the pause")
	}
}
