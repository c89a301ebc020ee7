package catalog

import (
	"context"
	"fmt"
	"time"
)

// Tend merges what changes have left in pieces, so that searches stay quick. It
// works in steps of some hundredths of a second, between which others may
// write, and returns when there is nothing left to do.
//
// It is not part of a change because its cost is not that of the change: now
// and then a small one would have to merge most of the index. It takes half of
// the time at most, since nobody waits for it.
func (c *Catalog) Tend(ctx context.Context) error {
	for {
		start := time.Now()
		done, err := c.tend(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("tending the catalogue: %w", err)
		case done:
			return nil
		}
		select {
		case <-time.After(time.Since(start)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Changed is told when there may be something to Tend to.
func (c *Catalog) Changed() <-chan struct{} { return c.changed }

// step is the pages that one step of Tend writes at most.
const step = 64

func (c *Catalog) tend(ctx context.Context) (done bool, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	conn, err := c.writes.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	var before, after int64
	if err := conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&before); err != nil {
		return false, err
	}
	if _, err := conn.ExecContext(ctx, "INSERT INTO words (words, rank) VALUES ('merge', ?)", step); err != nil {
		return false, err
	}
	if err := conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&after); err != nil {
		return false, err
	}
	return after-before < 2, nil // the statement itself counts as one
}
