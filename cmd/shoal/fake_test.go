package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// fakeNode is a node whose transfers do what a test says, one step each time
// the verb has seen the one before.
type fakeNode struct {
	client // what a test does not expect to be called is nil

	mu        sync.Mutex
	transfers map[share.ID]share.Transfer
	files     []share.File
	stale     []share.Transfer // yielded by Events first
	steps     []share.Event    // yielded by Events in turn
	end       error            // what Events ends with; nil waits for ctx
	content   string
	present   *share.Transfer // what Preview finds
	fetched   []api.FetchRequest
	shared    []api.ShareRequest
	removed   []share.ID
	bulk      []api.BulkRequest
	outcome   api.BulkResult // of every bulk request
	resumed   []share.ID
	refuse    map[string]error // by link or path
	ways      []share.Way
	reports   []share.Report // of Network and TestNetwork in turn; the last stays
	tests     int
	room      api.Room
	rooms     int // how often Room was asked
	webLinks  []api.WebLink
	receiving []api.ReceiveLink
}

func (f *fakeNode) Room(context.Context, share.ID) (api.Room, error) {
	f.rooms++
	return f.room, nil
}

func (f *fakeNode) WebLinks(context.Context) ([]api.WebLink, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.webLinks), nil
}

func (f *fakeNode) Preview(context.Context, api.PreviewRequest) (api.Preview, error) {
	return api.Preview{Present: f.present}, nil
}

func (f *fakeNode) ReceiveLinks(context.Context) ([]api.ReceiveLink, error) { return f.receiving, nil }

func (f *fakeNode) Network(context.Context) (share.Report, error) {
	if len(f.reports) == 0 {
		return share.Report{Verdict: share.NotKnown}, nil
	}
	r := f.reports[0]
	if len(f.reports) > 1 {
		f.reports = f.reports[1:]
	}
	return r, nil
}

func (f *fakeNode) TestNetwork(ctx context.Context) (share.Report, error) {
	f.tests++
	return f.Network(ctx)
}

func (f *fakeNode) Discovery(context.Context, share.ID) ([]share.Way, error) { return f.ways, nil }

func newFake(ts ...share.Transfer) *fakeNode {
	f := &fakeNode{transfers: map[share.ID]share.Transfer{}, refuse: map[string]error{}}
	for _, t := range ts {
		f.transfers[t.ID] = t
	}
	return f
}

func (f *fakeNode) Lease(context.Context) (string, func(), error) { return "lease", func() {}, nil }

func (f *fakeNode) Transfer(_ context.Context, id share.ID) (share.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.transfers[id]
	if !ok {
		return t, share.Errorf(share.Failed, "%w", share.ErrUnknown)
	}
	return t, nil
}

// Transfers leaves out what was not asked for, as a node does.
func (f *fakeNode) Transfers(_ context.Context, fields ...string) ([]share.Transfer, error) {
	ids := slices.SortedFunc(maps.Keys(f.transfers), func(a, b share.ID) int { return strings.Compare(a.String(), b.String()) })
	var ts []share.Transfer
	for _, id := range ids {
		t := f.transfers[id]
		if len(fields) > 0 {
			var all map[string]any
			var some share.Transfer
			err := recode(t, &all)
			maps.DeleteFunc(all, func(name string, _ any) bool { return !slices.Contains(fields, name) })
			if err = errors.Join(err, recode(all, &some)); err != nil {
				return nil, err
			}
			t = some
		}
		ts = append(ts, t)
	}
	return ts, nil
}

func recode(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

func (f *fakeNode) Resolve(_ context.Context, prefix string) (share.Transfer, error) {
	for id, t := range f.transfers {
		if strings.HasPrefix(id.String(), prefix) {
			return t, nil
		}
	}
	return share.Transfer{}, share.Errorf(share.Failed, "%s: %w", prefix, share.ErrUnknown)
}

func (f *fakeNode) Files(context.Context, share.ID) ([]share.File, error) { return f.files, nil }

func (f *fakeNode) Fetch(_ context.Context, r api.FetchRequest) (share.Transfer, error) {
	f.fetched = append(f.fetched, r)
	if err := f.refuse[r.Link]; err != nil {
		return share.Transfer{}, err
	}
	l, err := share.ParseLink(r.Link)
	if err != nil {
		return share.Transfer{}, err
	}
	return f.transfers[l.ID], nil
}

func (f *fakeNode) Share(_ context.Context, r api.ShareRequest) (share.Transfer, error) {
	f.shared = append(f.shared, r)
	if err := f.refuse[r.Path]; err != nil {
		return share.Transfer{}, err
	}
	for _, t := range f.transfers {
		if t.Path == r.Path {
			return t, nil
		}
	}
	return share.Transfer{}, fmt.Errorf("no transfer of %s in this test", r.Path)
}

func (f *fakeNode) Bulk(_ context.Context, r api.BulkRequest) (api.BulkResult, error) {
	f.bulk = append(f.bulk, r)
	return f.outcome, nil
}

func (f *fakeNode) Remove(_ context.Context, id share.ID, _ bool) ([]share.Kept, error) {
	f.removed = append(f.removed, id)
	return nil, nil
}

func (f *fakeNode) Log(context.Context, share.ID) ([]api.LogLine, error) { return nil, nil }

// Resume makes a transfer that does not move fetch again.
func (f *fakeNode) Resume(_ context.Context, id share.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.transfers[id]
	t.State, t.Reason = share.Fetching, ""
	f.transfers[id] = t
	f.resumed = append(f.resumed, id)
	return nil
}

func (f *fakeNode) Verify(context.Context, share.ID) error { return nil }

func (f *fakeNode) Content(context.Context, share.ID, int) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(f.content)), nil
}

func (f *fakeNode) Events(ctx context.Context, ids ...share.ID) iter.Seq2[share.Event, error] {
	return func(yield func(share.Event, error) bool) {
		for _, t := range f.stale {
			if !yield(changed(t), nil) {
				return
			}
		}
		for _, id := range ids {
			if t, err := f.Transfer(ctx, id); err == nil {
				if !yield(share.Event{Type: share.EventChanged, ID: id, Transfer: &t}, nil) {
					return
				}
			}
		}
		for len(f.steps) > 0 {
			ev := f.steps[0]
			f.steps = f.steps[1:]
			// Nobody's event: once it is taken, the step before has been seen,
			// and only then may the transfer be what comes next.
			if !yield(share.Event{Type: share.EventChanged}, nil) {
				return
			}
			if ev.Transfer != nil {
				f.mu.Lock()
				f.transfers[ev.ID] = *ev.Transfer
				f.mu.Unlock()
			}
			if !yield(ev, nil) {
				return
			}
		}
		if f.end == nil {
			<-ctx.Done()
			f.end = share.Errorf(share.Interrupted, "watching: %w", ctx.Err())
		}
		yield(share.Event{}, f.end)
	}
}

func changed(t share.Transfer) share.Event {
	return share.Event{Type: share.EventChanged, ID: t.ID, Transfer: &t}
}

func testID(t *testing.T, digit string) share.ID {
	t.Helper()
	id, err := share.ParseID(strings.Repeat(digit, 40))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func checkKind(t *testing.T, err error, want share.Kind) {
	t.Helper()
	if got := kindOf(err); got != want {
		t.Errorf("error %v has kind %d, want %d", err, got, want)
	}
}
