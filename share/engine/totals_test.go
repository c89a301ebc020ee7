package engine

import (
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// The node's rates are of the bytes of the last seconds, every state is counted,
// and seeds go to rest at once when too many are idle.
func TestTotals(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := totals{sampled: now}
	n := face.NetworkFigures{Open: 3, Refused: 4}
	for range 30 {
		n.Down += 3000
		n.Up += 500
		now = now.Add(time.Second / 2)
		if elapsed := s.sample(now, n); elapsed != time.Second/2 {
			t.Errorf("%s elapsed", elapsed)
		}
	}
	st := s.stats(map[share.ID]*transfer{
		{1}: {row: row{kind: kindUnhashed}},
		{2}: {row: row{kind: kindOwn, files: 1}, done: true},
		{3}: {row: row{kind: kindOwn, files: 1}, done: true},
	}, n)
	if st.Down < 5900 || st.Down > 6100 || st.Up < 980 || st.Up > 1020 {
		t.Errorf("down %d, up %d, want 6000 and 1000", st.Down, st.Up)
	}
	if st.Downloaded != n.Down || st.Uploaded != n.Up || st.Connections != 3 || st.Refused != 4 || st.Transfers != 3 {
		t.Errorf("%+v", st)
	}
	if len(st.States) != len(share.States) || st.States[share.Hashing] != 1 || st.States[share.Seeding] != 2 || st.States[share.Paused] != 0 {
		t.Errorf("%v", st.States)
	}
	if s.idle = maxIdle; s.cool() != coolTime {
		t.Error("few idle seeds do not stay")
	}
	if s.idle++; s.cool() != 0 {
		t.Error("many idle seeds stay")
	}
}
