package native

import (
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

func TestWishesBecomeLevelsAndDeadlines(t *testing.T) {
	w := newWishes(10, 100, false)
	for i := range w.known {
		w.known[i] = i != 4
	}
	now := time.Unix(1e9, 0)
	if w.set(now, face.Change{From: 0, To: 10, Is: face.Normal}) {
		t.Error("nothing is read")
	}
	w.set(now, face.Change{From: 9, To: 12, Is: face.Never})
	if got := w.levels(3, 10); !slices.Equal(got, []uint8{core.Normal, core.Unwanted, core.Normal, core.Normal, core.Normal, core.Normal, core.Unwanted}) {
		t.Errorf("%v", got)
	}
	if !w.set(now, face.Change{From: 2, To: 5, Is: face.Soon}) {
		t.Error("what is soon is not read")
	}
	now = now.Add(time.Second)
	w.set(now, face.Change{From: 2, To: 3, Is: face.Now})
	w.set(now, face.Change{From: 3, To: 5, Is: face.Soon}) // as before
	want := []swarm.Reading{{From: 200, To: 300}, {From: 300, To: 500, By: soonTime - time.Second}}
	if got := w.readings(now); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if !w.set(now, face.Change{From: 0, To: 10, Is: face.Normal}) || len(w.readings(now)) != 0 {
		t.Error("nothing is read any more")
	}
}

func TestWhatIsOnlyReadIsNotWanted(t *testing.T) {
	w := newWishes(2, 100, true)
	w.learn(0, []bool{true, true})
	w.set(time.Now(), face.Change{From: 0, To: 2, Is: face.Now})
	if got := w.levels(0, 2); !slices.Equal(got, []uint8{core.Unwanted, core.Unwanted}) || w.readings(time.Now()) != nil {
		t.Errorf("%v", got)
	}
}

// While something of one transfer is wanted Now and not here, the node's other
// transfers ask for nothing.
func TestWhatIsWantedNowOvertakesOtherTransfers(t *testing.T) {
	a, addr := testNetwork(t, nil)
	b, _ := testNetwork(t, nil)
	seed, _ := testContent(5, true)
	attach(t, a, seed)
	film, _ := testContent(3, false) // which nobody has
	player := attach(t, b, film)
	player.SetPriorities(face.Change{From: 0, To: 1, Is: face.Now})
	want, disk := testContent(5, false)
	s := attach(t, b, want)
	s.SetPriorities(face.Change{From: 0, To: 5, Is: face.Normal})
	s.AddPeers([]face.Peer{{Addr: addr, Source: share.FromTracker}})
	until(t, "peer", func() bool {
		p := s.Peers()
		return len(p) == 1 && p[0].Client != ""
	})
	if down := s.Figures().Down; down != 0 {
		t.Errorf("%d bytes came all the same", down)
	}
	player.SetPriorities(face.Change{From: 0, To: 1, Was: face.Now, Is: face.Never})
	await(t, "content", disk.done)
}
