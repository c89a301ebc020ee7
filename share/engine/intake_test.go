package engine

import (
	"context"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// What people send keeps to the limit on the node's downloads, which it shares with what
// comes from peers, and counts in the totals and the rate of the node.
func TestIntakeSharesTheLimitAndIsCounted(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel() // who has to wait does not pass
	n := newNode(t)
	in := n.Intake()
	if err := in.Pass(over, 1<<40); in.Holds() || err != nil {
		t.Fatalf("without a limit it is held: %v", err)
	}
	if err := n.SetGlobalLimits(share.Limits{Down: 1000}); err != nil {
		t.Fatal(err)
	}
	if !in.Holds() {
		t.Fatal("nothing is held")
	}
	if err := in.Pass(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := in.Pass(over, 1); share.KindOf(err) != share.Interrupted {
		t.Errorf("another sender passes: %v", err)
	}
	n.call(func(lp *loop) {
		if lp.down.Wait(1, over.Done()) {
			t.Error("a peer passes")
		}
		if !lp.up.Wait(1, over.Done()) {
			t.Error("what is uploaded is held")
		}
	})
	const sent = 5 << 20
	in.Got(sent)
	if s := n.Stats(); s.Downloaded != sent || s.Uploaded != 0 {
		t.Errorf("the node has downloaded %d and uploaded %d, want %d", s.Downloaded, s.Uploaded, sent)
	}
	n.call(func(lp *loop) { lp.everySecond() })
	if s := n.Stats(); s.Down == 0 {
		t.Error("the node has no rate")
	}
}
