package schedule_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/share/schedule"
)

type job struct {
	schedule.Place
	due int
}

func (j *job) Before(o *job) bool { return j.due < o.due }

func TestTheFirstComesOutFirst(t *testing.T) {
	var q schedule.Queue[*job]
	for _, due := range []int{5, 3, 9, 3, 1, 7} {
		q.Set(&job{due: due})
	}
	var got []int
	for q.Len() > 0 {
		first := q.First()
		q.Remove(first)
		if first.Queued() {
			t.Fatalf("the job due at %d was removed and is queued", first.due)
		}
		got = append(got, first.due)
	}
	if want := []int{1, 3, 3, 5, 7, 9}; !slices.Equal(got, want) {
		t.Errorf("came out as %v, want %v", got, want)
	}
}

func TestAnEntryRemovedTwiceIsLeftAlone(t *testing.T) {
	var q schedule.Queue[*job]
	a, b := &job{due: 1}, &job{due: 2}
	q.Set(a)
	q.Set(b)
	q.Remove(a)
	q.Remove(a)
	if q.Len() != 1 || q.First() != b || !b.Queued() {
		t.Errorf("%d entries are left, want the other one", q.Len())
	}
}

// Whatever is added, moved and removed, the queue is what a sorted list would be.
func TestAQueueIsASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q schedule.Queue[*job]
		var model []*job
		some := func() *job { return model[rapid.IntRange(0, len(model)-1).Draw(t, "which")] }
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 3).Draw(t, "op"); {
			case op < 2 || len(model) == 0:
				j := &job{due: rapid.IntRange(0, 9).Draw(t, "due")}
				q.Set(j)
				model = append(model, j)
			case op == 2:
				j := some()
				j.due = rapid.IntRange(0, 9).Draw(t, "new due")
				q.Set(j)
			default:
				j := some()
				q.Remove(j)
				model = slices.DeleteFunc(model, func(o *job) bool { return o == j })
			}
			if q.Len() != len(model) {
				t.Fatalf("it has %d entries, want %d", q.Len(), len(model))
			}
			for j := range q.All() {
				if !j.Queued() || !slices.Contains(model, j) {
					t.Fatalf("it has the job due at %d, which is not in it", j.due)
				}
			}
			if len(model) > 0 {
				want := slices.MinFunc(model, func(a, b *job) int { return a.due - b.due })
				if q.First().due != want.due {
					t.Fatalf("first is due at %d, want %d", q.First().due, want.due)
				}
			}
		}
	})
}

func TestAllStopsWhenAsked(t *testing.T) {
	var q schedule.Queue[*job]
	q.Set(&job{})
	q.Set(&job{})
	n := 0
	for range q.All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("it yielded %d entries", n)
	}
}
