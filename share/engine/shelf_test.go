package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// The oldest ended shares are removed when there are too many, or when what is kept
// of them takes too much of the disk.
func TestShelfDropsTheOldest(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	ended := func(i int, files int) row {
		return row{id: share.ID{byte(i)}, kind: kindEnded, completed: now.Add(time.Duration(i) * time.Second), size: 1 << 20, files: files}
	}
	s := shelf{rows: make(map[share.ID]row), most: 3, bytes: 1 << 20}
	for _, i := range []int{4, 2, 5, 1, 3} {
		s.add(ended(i, 1))
	}
	if got, want := s.excess(), []share.ID{{1}, {2}}; !slices.Equal(got, want) {
		t.Errorf("%v are too many, want %v", got, want)
	}
	s.drop(share.ID{1})
	s.drop(share.ID{2})
	if got := s.excess(); len(got) != 0 {
		t.Errorf("%v are too many of three", got)
	}
	s.add(ended(4, 10_000))
	if got, want := s.excess(), []share.ID{{3}, {4}}; !slices.Equal(got, want) {
		t.Errorf("%v take too much, want %v", got, want)
	}
}

// A share is like an ended one of the same path and name that was made with the same
// options; of several the latest.
func TestShelfFindsWhatIsAlike(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := shelf{rows: make(map[share.ID]row), most: 10, bytes: 1 << 30}
	for i := range 3 {
		s.add(row{id: share.ID{byte(i)}, path: "/a", name: "a", completed: now.Add(time.Duration(i) * time.Second)})
	}
	for name, test := range map[string]struct {
		change func(*row)
		like   bool
	}{
		"as it was":    {func(*row) {}, true},
		"another path": {func(r *row) { r.path = "/b" }, false},
		"another name": {func(r *row) { r.name = "b" }, false},
		"other pieces": {func(r *row) { r.options.PieceLength = 1 << 20 }, false},
		"links":        {func(r *row) { r.options.FollowSymlinks = true }, false},
		"private":      {func(r *row) { r.options.Private = true }, false},
		"hybrid":       {func(r *row) { r.options.Hybrid = true }, false},
		"without some": {func(r *row) { r.options.Exclude = []string{"*.tmp"} }, false},
		"another goal": {func(r *row) { r.options.Goal = share.Goal{None: true} }, true},
	} {
		x := &transfer{row: row{path: "/a", name: "a"}}
		test.change(&x.row)
		if r, ok := s.like(x); ok != test.like || ok && r.id != (share.ID{2}) {
			t.Errorf("%s: %v, %v", name, r.id, ok)
		}
	}
}

// A claim is over once, for all who wait for it, and only for its holder.
func TestClaims(t *testing.T) {
	c := make(claims)
	id, other := share.ID{1}, share.ID{2}
	first := c.take(id, other)
	ran := 0
	first.after = append(first.after, func() {
		if ran++; c[id] != nil {
			t.Error("it is still claimed when the next may go on")
		}
	})
	c.free(nil)
	c.free(&claim{})
	if c.on(share.ID{3}, other) != first || c.on(share.ID{3}) != nil {
		t.Error("it is not held on all names")
	}
	select {
	case <-first.over:
		t.Fatal("somebody else ended it")
	default:
	}
	c.free(first)
	<-first.over
	second := c.take(id)
	c.free(first)
	if ran != 1 || c[id] != second || c[other] != nil {
		t.Errorf("ended %d times, and the next one is gone: %v", ran, c[id] != second)
	}
}
