package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

// The events may begin with how a transfer was that had the same ID and was
// removed: nothing it says is taken for what the one says that is there now.
func TestFollowTakesNothingFromATransferThatWasRemoved(t *testing.T) {
	now := film(t, "a")
	now.Added, now.Bytes = time.Unix(2e9, 0), 10
	gone := finished(now)
	gone.Added = time.Unix(1e9, 0)
	failed := gone
	failed.State, failed.Reason, failed.Completed = share.Stopped, "the disk is full", time.Time{}
	fetching := gone
	fetching.State, fetching.Bytes, fetching.Completed = share.Fetching, 90, time.Time{}
	end := finished(now)
	for name, stale := range map[string]share.Transfer{"complete": gone, "failed": failed, "fetching": fetching} {
		f := newFake(now)
		f.stale, f.steps = []share.Transfer{stale, stale}, []share.Event{changed(end)}
		out, stdout, _ := testOutput(true)
		opts := getOptions{told: map[string]bool{}, links: []string{now.ID.String()}, output: "/tmp"}
		if err := runGet(t.Context(), f, ours, opts, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var bytes []any
		for _, l := range jsonLines(t, stdout.String()) {
			bytes = append(bytes, l["bytes"])
		}
		if d := cmp.Diff([]any{10., 10., 10., 100.}, bytes); d != "" || len(f.steps) > 0 {
			t.Errorf("%s: %s%d steps left", name, d, len(f.steps))
		}
	}

	// Into a pipe.
	f := newFake(now)
	f.stale, f.files, f.content = []share.Transfer{failed}, []share.File{{Path: "film", Total: 5}}, "bytes"
	out, stdout, _ := testOutput(false)
	if err := runGet(t.Context(), f, ours, getOptions{told: map[string]bool{}, links: []string{now.ID.String()}}, out); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(stdout.String(), "bytes") {
		t.Errorf("got %q", stdout)
	}
}

// One that is there neither is what was meant: no event of it counts, and the
// clock finds out that all are gone.
func TestFollowOfWhatWasRemovedMeanwhile(t *testing.T) {
	now := film(t, "a")
	now.Added = time.Unix(2e9, 0)
	gone := finished(now)
	gone.Added = time.Unix(1e9, 0)
	f := newFake() // removed right after the answer
	f.stale = []share.Transfer{gone}
	var seen []share.Transfer
	err := follow(t.Context(), f, []share.Transfer{now}, func(ev share.Event) (bool, error) {
		if ev.Transfer != nil {
			seen = append(seen, *ev.Transfer)
		}
		return ev.Type == "", nil
	})
	if err != nil || len(seen) > 0 {
		t.Errorf("%v %v", seen, err)
	}
}
