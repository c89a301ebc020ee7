package node

import (
	"context"
	"path/filepath"
	"testing"
)

// What the storage calls durable is recorded in state.db: on every connection, a
// transaction must reach the disk before it is committed (promise 3).
func TestTheStateReachesTheDisk(t *testing.T) {
	db, err := openDB(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range 4 { // held, so that each is another one of the pool
		c, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var synchronous int
		var journal string
		if err := c.QueryRowContext(t.Context(), `PRAGMA synchronous`).Scan(&synchronous); err != nil {
			t.Fatal(err)
		}
		if err := c.QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&journal); err != nil {
			t.Fatal(err)
		}
		const full = 2
		if synchronous != full || journal != "wal" {
			t.Errorf("connection %d: synchronous %d, journal %s", i, synchronous, journal)
		}
	}
}
