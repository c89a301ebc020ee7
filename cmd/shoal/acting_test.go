package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// One that cannot be changed does not stop the others, and the exit status is its.
func TestActedTellsEachFailure(t *testing.T) {
	a, b, c := film(t, "a"), film(t, "b"), film(t, "c")
	f := newFake(a, b, c)
	result := api.BulkResult{
		Done:   2,
		Failed: []api.BulkFailure{{ID: b.ID, Problem: api.Problem{Code: share.Disk.Code(), Detail: "the disk is full"}}},
		Kept:   []api.BulkKept{{ID: c.ID, Kept: []share.Kept{{Path: "/a/b", Reason: "changed"}}}},
	}
	kept := map[share.ID]int{}
	count := func(_ *output, t share.Transfer, k []share.Kept) { kept[t.ID] = len(k) }
	out, stdout, stderr := testOutput(false)
	err := out.acted(t.Context(), f, "removed", []share.Transfer{a, b, c}, result, count)
	checkKind(t, err, share.Disk)
	if !errors.Is(err, errReported) {
		t.Error("the failure would be told twice")
	}
	if d := cmp.Diff("removed aaaaaaaa filma\nshoal: the disk is full\nremoved cccccccc filmc\n", stderr.String()); d != "" || stdout.Len() > 0 {
		t.Errorf("it says %s and %q", d, stdout)
	}
	if d := cmp.Diff(map[share.ID]int{a.ID: 0, c.ID: 1}, kept); d != "" {
		t.Errorf("what stayed: %s", d)
	}
	out, _, stderr = testOutput(false)
	err = out.acted(t.Context(), f, "removed", []share.Transfer{b}, result, nil)
	if checkKind(t, err, share.Disk); errors.Is(err, errReported) || stderr.Len() > 0 {
		t.Errorf("the failure of one is told by main: %v, %q", err, stderr)
	}
	out, stdout, _ = testOutput(true)
	if err := out.acted(t.Context(), f, "paused", []share.Transfer{a}, api.BulkResult{Done: 1}, nil); err != nil || !strings.HasPrefix(stdout.String(), `{"event":"paused","id":"aaaa`) {
		t.Errorf("%v, %q", err, stdout)
	}
}
