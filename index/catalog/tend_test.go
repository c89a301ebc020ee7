package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/index"
)

// Tend leaves fewer pieces, and the same is found.
func TestTend(t *testing.T) {
	ctx := context.Background()
	c := fresh(t)
	pieces := func() (n int) {
		t.Helper()
		if err := c.reads.QueryRowContext(ctx, "SELECT count(DISTINCT segid) FROM words_idx").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 12 {
		if err := c.Put(ctx, index.ChannelID{1}, entry(i, fmt.Sprintf("blue sky number%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Remove(ctx, index.ChannelID{1}, id(3)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Changed():
	default:
		t.Error("nobody was told that there is something to do")
	}
	found := func() []string {
		t.Helper()
		r, err := c.Search(ctx, index.Query{Text: "sky"})
		if err != nil {
			t.Fatal(err)
		}
		n := names(r)
		slices.Sort(n)
		return n
	}
	want, before := found(), pieces()
	if len(want) != 11 {
		t.Fatalf("found %q", want)
	}
	if err := c.Tend(ctx); err != nil {
		t.Fatal(err)
	}
	if after := pieces(); after >= before || before < 8 {
		t.Errorf("%d pieces before, %d after", before, after)
	}
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("found %q, before %q", got, want)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.Tend(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
