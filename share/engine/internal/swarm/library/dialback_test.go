package library

import (
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
)

// The DHT may hear of others before the engine runs: it asks whether they were
// told to call.
func TestToldToCallNeedsNoRunningEngine(t *testing.T) {
	c := New(testConfig())
	n := dialback.NewNonce()
	if c.DialBacks().ToldToCall(n) {
		t.Error("told, but nobody was")
	}
	c.dialbacks.asked[n] = struct{}{}
	if !c.DialBacks().ToldToCall(n) {
		t.Error("not told")
	}
}
