package catalog

import (
	"context"
	"fmt"
	"time"
)

// Tend merges the segments of the word index, so that searches stay fast. It works
// in steps of a few hundredths of a second, lets others write in between, and
// returns when nothing is left to merge.
//
// Changes do not merge by themselves, because occasionally a small change would have to
// merge most of the index. No caller waits for Tend, so it works at most half of the
// time.
func (c *Catalog) Tend(ctx context.Context) error {
	for {
		start := time.Now()
		done, err := c.tend(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("merging the search index: %w", err)
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

// Changed signals that there may be segments to merge.
func (c *Catalog) Changed() <-chan struct{} { return c.changed }

// step is the most pages that one step of Tend writes.
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
