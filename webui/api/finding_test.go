package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// searched is the latest query that a fake got.
type searched struct{ query index.Query }

// Search finds the transfers that have the text in their names.
func (f *fake) Search(_ context.Context, q index.Query) (index.Results, error) {
	if q.Text == "size:big" {
		return index.Results{}, share.Errorf(share.Usage, "%q is no size", "big")
	}
	f.query = q
	var r index.Results
	for _, t := range f.List() {
		if strings.Contains(t.Name, strings.TrimPrefix(q.Text, "channel:me ")) {
			r.Hits = append(r.Hits, index.Hit{Entry: testEntry(t), Snippet: index.SnippetStart + "transfer" + index.SnippetEnd, Rank: 2})
		}
	}
	r.Total = len(r.Hits)
	return r, nil
}

func (f *fake) Entries(_ context.Context, digits string) (all []index.Entry, err error) {
	for _, t := range f.List() {
		if strings.HasPrefix(t.ID.String(), digits) {
			all = append(all, testEntry(t))
		}
	}
	return all, nil
}

func testEntry(t share.Transfer) index.Entry {
	return index.Entry{ID: t.ID, Name: t.Name, Link: t.Link, Bytes: t.Size, Time: t.Added, Tags: []string{"x"}, Channel: index.ChannelID{7},
		Files: []index.File{{Path: "a", Size: 1}}}
}

func TestClientSearches(t *testing.T) {
	f := newFake(12)
	c, _, _ := serve(t, f)
	ctx := quietContext(t)
	r, err := c.Search(ctx, index.Query{Text: "transfer 1", Limit: 5, Offset: 0, Channel: index.ChannelID{7}})
	if err != nil || r.Total != 3 || len(r.Hits) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if d := cmp.Diff(testEntry(testTransfer(1)), r.Hits[0].Entry); d != "" {
		t.Error(d)
	}
	if !strings.Contains(r.Hits[0].Snippet, index.SnippetStart) || r.Hits[0].Rank != 2 {
		t.Errorf("%+v", r.Hits[0])
	}
	if want := (index.Query{Text: "transfer 1", Limit: 5, Channel: index.ChannelID{7}}); !cmp.Equal(f.query, want) {
		t.Errorf("the node was asked %+v", f.query)
	}
	if r, err := c.Search(ctx, index.Query{Text: "nothing"}); err != nil || r.Hits == nil || len(r.Hits) != 0 {
		t.Errorf("nothing: %+v, %v", r, err)
	}
	if _, err := c.Search(ctx, index.Query{Text: "size:big"}); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "no size") {
		t.Errorf("a wrong query: %v", err)
	}
	all, err := c.Entries(ctx, testID(3).String()[:39])
	if err != nil || len(all) != 12 {
		t.Errorf("entries: %d, %v", len(all), err)
	}
	if _, err := c.Entries(ctx, "ff"); !errors.Is(err, index.ErrUnknown) || share.KindOf(err) != share.Failed {
		t.Errorf("an unknown entry: %v", err)
	}
}

func TestSearchParameters(t *testing.T) {
	f := newFake(1)
	c, _, _ := serve(t, f)
	for query, want := range map[string]int{
		"q=transfer": 200, "": 200, "q=transfer&channel=me": 200, "q=x&limit=501": 422, "q=x&channel=zz": 422, "q=x&page=2": 422,
		"q=" + strings.Repeat("a", 1001): 422,
	} {
		resp, err := c.send(quietContext(t), http.MethodGet, Base+"/search?"+query, nil, nil)
		if err != nil {
			if want == 200 {
				t.Errorf("%.40s: %v", query, err)
			}
			continue
		}
		if want != 200 {
			t.Errorf("%.40s: %s, want %d", query, resp.Status, want)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if f.query.Text != "channel:me transfer" && f.query.Text != "transfer" && f.query.Text != "" {
		t.Errorf("asked for %q", f.query.Text)
	}
}
