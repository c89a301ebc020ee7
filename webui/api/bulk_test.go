package api

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

func TestBulk(t *testing.T) {
	f := newFake(3)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	high, one := share.First, int64(1)
	for _, r := range []BulkRequest{
		{Action: BulkPause}, {Action: BulkResume}, {Action: BulkVerify}, {Action: BulkRemove}, {Action: BulkRemove, Data: true},
		{Action: BulkChange, Change: &Change{Limits: &share.LimitChange{Up: &one}, Goal: &share.Goal{Ratio: 2}, Priority: &high}},
	} {
		f.calls = nil
		// A second mention, and one that the node does not have.
		r.IDs = []share.ID{testID(0), testID(1), testID(0), testID(77), testID(2)}
		got, err := c.Bulk(ctx, r)
		if err != nil {
			t.Fatalf("%s: %v", r.Action, err)
		}
		want := 1
		if r.Action == BulkRemove {
			want = 0 // it is gone, as it should be
		}
		if got.Done != 4-want || len(got.Failed) != want {
			t.Errorf("%s: %d are done, failed: %+v", r.Action, got.Done, got.Failed)
		}
		for _, x := range got.Failed {
			if x.ID != testID(77) || !errors.Is(x.Err(), share.ErrUnknown) || x.Problem.Code != "failed" || x.Problem.Status != http.StatusNotFound {
				t.Errorf("%s: %+v, %v", r.Action, x, x.Err())
			}
		}
		what := map[BulkAction][]string{BulkRemove: {fmt.Sprintf("remove %t", r.Data)}, BulkChange: {"limits -7 1", "goal 2", "precedence 1"}}[r.Action]
		if what == nil {
			what = []string{string(r.Action)}
		}
		var all []string
		for _, i := range []int{0, 1, 2} {
			for _, w := range what {
				all = append(all, w+" "+testID(i).Short())
			}
		}
		called := f.called()
		slices.Sort(all)
		slices.Sort(called)
		if d := cmp.Diff(all, called); d != "" {
			t.Errorf("%s: %s", r.Action, d)
		}
	}
	f.calls, f.fail = nil, share.Errorf(share.Disk, "the disk is gone")
	got, err := c.Bulk(ctx, BulkRequest{Action: BulkVerify, IDs: []share.ID{testID(1)}})
	if err != nil || got.Done != 0 || share.KindOf(got.Failed[0].Err()) != share.Disk || got.Failed[0].Err().Error() != "the disk is gone" {
		t.Errorf("a failure: %+v, %v", got, err)
	}
	f.kept = []share.Kept{{Path: "/a", Reason: "changed since"}}
	got, err = c.Bulk(ctx, BulkRequest{Action: BulkRemove, IDs: []share.ID{testID(2), testID(1)}})
	if d := cmp.Diff([]BulkKept{{testID(2), f.kept}, {testID(1), f.kept}}, got.Kept); err != nil || d != "" {
		t.Errorf("what stayed: %v %s", err, d)
	}
	f.kept = nil
	if l, err := c.Transfers(ctx); err != nil || len(l) != 3 {
		t.Errorf("the transfers: %v %v", l, err)
	}
}

func TestBulkRefusesBeforeAnythingIsDone(t *testing.T) {
	f := newFake(2)
	c, _, url := serve(t, f)
	ctx := quietContext(t)
	ids, down, low := []share.ID{testID(0)}, int64(-1), share.Precedence(-3)
	for _, r := range []BulkRequest{
		{Action: BulkPause}, {Action: BulkPause, IDs: []share.ID{}}, {Action: "explode", IDs: ids}, {Action: BulkChange, IDs: ids},
		{Action: BulkChange, IDs: ids, Change: &Change{}}, {Action: BulkPause, IDs: ids, Data: true},
		{Action: BulkPause, IDs: ids, Change: &Change{Goal: &share.Goal{Ratio: 1}}},
		{Action: BulkChange, IDs: ids, Change: &Change{Limits: &share.LimitChange{Down: &down}}},
		{Action: BulkChange, IDs: ids, Change: &Change{Priority: &low}},
		{Action: BulkPause, IDs: make([]share.ID, maxBulk+1)},
	} {
		if _, err := c.Bulk(ctx, r); share.KindOf(err) != share.Usage {
			t.Errorf("%s with %d IDs: %v", r.Action, len(r.IDs), err)
		}
	}
	for _, text := range []string{`{"action":"pause","ids":["abcd"]}`, `{"action":"pause","ids":[5]}`, `{"action":"pause","ids":"all"}`, `[]`, `{"action":"pause","ids":["` + strings.Repeat("a", maxBulkBody) + `"]}`} {
		resp, err := http.Post(url+Base+"/transfers/bulk", "application/json", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%.40s: %s", text, resp.Status)
		}
	}
	if calls := f.called(); len(calls) > 0 {
		t.Errorf("something was done: %v", calls)
	}
}

func TestBulkTakesAsManyAsItSays(t *testing.T) {
	f := newFake(maxBulk)
	c, _, _ := serve(t, f)
	r := BulkRequest{Action: BulkPause}
	for i := range maxBulk {
		r.IDs = append(r.IDs, testID(i))
	}
	got, err := c.Bulk(quietContext(t), r)
	if err != nil || got.Done != maxBulk || len(got.Failed) > 0 {
		t.Errorf("%d are done, %d failed: %v", got.Done, len(got.Failed), err)
	}
}

// What is left when the client goes is not done, and said to be so.
func TestBulkEndsWithItsRequest(t *testing.T) {
	f := newFake(3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := BulkRequest{Action: BulkPause, IDs: []share.ID{testID(0), testID(1)}}
	got := r.run(ctx, f)
	if got.Done != 0 || len(got.Failed) != 2 || share.KindOf(got.Failed[1].Err()) != share.Interrupted {
		t.Errorf("%+v", got)
	}
	if calls := f.called(); len(calls) > 0 {
		t.Errorf("something was done: %v", calls)
	}
}

func TestTorrentsInOneFile(t *testing.T) {
	f := newFake(4)
	f.transfers[testID(1)].Name = "transfer 0"
	f.transfers[testID(2)].Name = `../a\b`
	_, _, url := serve(t, f)
	ask, err := json.Marshal(torrentsOf{[]share.ID{testID(0), testID(1), testID(2), testID(77), testID(0)}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+Base+"/transfers/torrents", "application/json", bytes.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	got := map[string]string{}
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[file.Name] = string(text)
	}
	id := testID(77)
	want := map[string]string{
		"transfer 0.torrent": "d4:infodee", "transfer 0-" + testID(1).String() + ".torrent": "d4:infodee", ".._a_b.torrent": "d4:infodee",
		"missing.txt": id.String() + ": no such transfer: " + id.String() + "\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
