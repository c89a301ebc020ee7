package engine

import (
	"database/sql"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/dialback"
)

// The DHT may hear of others before the engine runs: it asks whether they were
// told to call.
func TestToldToCallNeedsNoRunningEngine(t *testing.T) {
	e, err := New(Config{DB: new(sql.DB), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := dialback.NewNonce()
	if e.ToldToCall(n) {
		t.Error("told, but nobody was")
	}
	e.dialbacks.asked[n] = struct{}{}
	if !e.ToldToCall(n) {
		t.Error("not told")
	}
}
