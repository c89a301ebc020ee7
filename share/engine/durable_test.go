package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// What was answered is on disk: a crash right after it undoes nothing.
func TestAnsweredChangesAreOnDisk(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	db := openAt(t, a.state)
	defer db.Close()
	onDisk := func() map[share.ID]row {
		t.Helper()
		_, rows, err := openState(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[share.ID]row)
		for _, r := range rows {
			all[r.id] = r
		}
		return all
	}
	var shared []share.Transfer
	for range 3 {
		s := a.share(someFiles(t))
		if r, ok := onDisk()[s.ID]; !ok || r.kind != kindOwn || !r.options.Owners.has(User) {
			t.Fatalf("a share is told, and on disk is %v, %+v", ok, r)
		}
		shared = append(shared, s)
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for step := range 60 {
		s := shared[r.IntN(len(shared))]
		n := 1 + r.IntN(1000)
		var what string
		var err error
		var good func(options) bool
		switch r.IntN(5) {
		case 0:
			what, err = "pause", a.Pause(s.ID)
			good = func(o options) bool { return o.Paused }
		case 1:
			what, err = "resume", a.Resume(s.ID)
			good = func(o options) bool { return !o.Paused }
		case 2:
			what, err = "limits", a.SetLimits(s.ID, share.Limits{Up: int64(n)})
			good = func(o options) bool { return o.Limits.Up == int64(n) }
		case 3:
			what, err = "goal", a.SetGoal(s.ID, share.Goal{Ratio: float64(n)})
			good = func(o options) bool { return o.Goal.Ratio == float64(n) }
		case 4:
			turn := []share.Precedence{share.First, share.Last}[n%2]
			what, err = "precedence", a.SetPrecedence(s.ID, turn)
			good = func(o options) bool { return o.Turn == turn }
		}
		if err != nil {
			t.Fatalf("step %d, %s: %v", step, what, err)
		}
		if o := onDisk()[s.ID].options; !good(o) {
			t.Fatalf("seed %d, step %d: after %s, on disk is %+v", seed, step, what, o)
		}
	}
}
