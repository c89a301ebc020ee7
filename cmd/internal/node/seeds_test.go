package node

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// A complete transfer is a seed by each of its names, and by none when it is gone.
func TestSeedsByAllNames(t *testing.T) {
	s := newSeeds()
	one := share.Transfer{ID: share.ID{1}, Completed: time.Unix(1, 0)}
	two := share.Transfer{ID: share.ID{2}, V1: share.ID{3}, V2: share.V2{2}, Completed: time.Unix(1, 0)}
	check := func(what string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if id := (share.ID{byte(i + 1)}); s.has(id) != want {
				t.Errorf("%s: %s is not %v", what, id.Short(), want)
			}
		}
	}
	s.set(&one)
	s.set(&two)
	check("complete", true, true, true)
	s.drop(two.ID)
	check("one is gone", true, false, false)
	s.set(&two)
	two.Completed = time.Time{}
	s.set(&two)
	check("one is incomplete", true, false, false)
}
