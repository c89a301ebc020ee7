package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Channels and the network are parts of the document: a reader need not request them.
func TestChannelsAndNetworkAreInTheDocument(t *testing.T) {
	f := newFake(1)
	a, b := testChannel(), testChannel()
	b.ID = index.ChannelID{0xbb}
	f.listed = []index.Channel{a, b}
	_, _, base := serve(t, f)
	s := openStream(t, base, "", "")
	var doc struct {
		Channels map[string]index.Channel
		Network  share.Report
	}
	var whole json.RawMessage
	apply := func(ev sse) {
		t.Helper()
		var err error
		if ev.kind == "reset" {
			whole = nil
		}
		if whole, err = mergePatch(whole, ev.data); err != nil {
			t.Fatal(err)
		}
		doc.Channels, doc.Network = nil, share.Report{}
		if err := json.Unmarshal(whole, &doc); err != nil {
			t.Fatal(err)
		}
	}
	apply(s.next("reset"))
	if len(doc.Channels) != 2 || doc.Channels[a.ID.String()].Error != a.Error || doc.Network.Verdict != share.Reachable {
		t.Fatalf("at first: %+v", doc)
	}
	a.Error, a.Entries = "", 3
	f.listing.Lock()
	f.listed = []index.Channel{a}
	f.listing.Unlock()
	f.mu.Lock()
	f.report = &share.Report{Verdict: share.NotKnown, Next: "wait"}
	f.mu.Unlock()
	for len(doc.Channels) != 1 || doc.Network.Next != "wait" {
		apply(s.next("patch"))
	}
	if diff := cmp.Diff(a, doc.Channels[a.ID.String()]); diff != "" || doc.Network.Verdict != share.NotKnown || doc.Network.Answer != "" {
		t.Errorf("later: %+v\n%s", doc.Network, diff)
	}
	// A reader of some transfers does not get them.
	narrow := openStream(t, base, "?transfers="+testID(0).String(), "")
	if ev := narrow.next("reset"); strings.Contains(string(ev.data), "channels") {
		t.Errorf("a narrow stream: %s", ev.data)
	}
}

// A patch that is applied gives the value that it was made from.
func TestMergeDiffIsUndoneByMergePatch(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[any] {
		var gen func(depth int) *rapid.Generator[any]
		gen = func(depth int) *rapid.Generator[any] {
			leaf := rapid.OneOf(rapid.Just[any]("x"), rapid.Just[any](1.5), rapid.Just[any](true), rapid.Just[any]([]any{"a", 1.0}))
			if depth == 0 {
				return leaf
			}
			object := rapid.Map(rapid.MapOfN(rapid.StringMatching("[a-c]"), gen(depth-1), 0, 3), func(m map[string]any) any { return m })
			return rapid.OneOf(leaf, object)
		}
		return rapid.Map(rapid.MapOfN(rapid.StringMatching("[a-c]"), gen(2), 0, 3), func(m map[string]any) any { return m })
	})
	rapid.Check(t, func(t *rapid.T) {
		old, is := value.Draw(t, "old"), value.Draw(t, "is")
		raw := func(v any) json.RawMessage {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		patch, changed := mergeDiff(old, is)
		if !changed {
			patch = map[string]any{}
		}
		got, err := mergePatch(raw(old), raw(patch))
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := json.Unmarshal(got, &back); err != nil || !cmp.Equal(back, is) {
			t.Errorf("%s and %s make %s, not %s", raw(old), raw(patch), got, raw(is))
		}
	})
}
