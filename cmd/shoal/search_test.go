package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// found is a node whose searches find the same.
type found struct {
	*fakeNode
	index.Results
}

func (f *found) Search(context.Context, index.Query) (index.Results, error) { return f.Results, nil }

func TestSearchSaysWhatItLeavesOut(t *testing.T) {
	hits := []index.Hit{{Entry: index.Entry{ID: share.ID{1}, Name: "one"}}, {Entry: index.Entry{ID: share.ID{2}, Name: "two"}}}
	for _, x := range []struct {
		total int
		more  bool
		want  string
	}{
		{2, false, ""},
		{9, false, "2 of 9; --limit shows more, another word narrows the search\n"},
		{800, true, "2 of more than 800; --limit shows more, another word finds older ones\n"},
		{2, true, "there are older matches; add a word to find them\n"},
	} {
		out, stdout, stderr := onTerminal()
		f := &found{newFake(), index.Results{Hits: hits, Total: x.total, More: x.more}}
		if err := runSearch(t.Context(), f, index.Query{}, time.Now(), out); err != nil {
			t.Fatal(err)
		}
		if stderr.String() != x.want {
			t.Errorf("%d, more %v: %q, want %q", x.total, x.more, stderr, x.want)
		}
		checkScreen(t, stdout.String()+stderr.String(), columns)
	}
}

// What a stranger's channel says is shown without its tricks.
func TestSearchShowsHostileEntries(t *testing.T) {
	bad := "\x1b[2J\u202e" + strings.Repeat("漢", 200) + "\n\x07"
	f := &found{newFake(), index.Results{Total: 1, Hits: []index.Hit{{
		Entry:   index.Entry{ID: share.ID{1}, Name: bad, Bytes: 1<<62 - 1, Channel: index.ChannelID{7}, Time: time.Unix(1<<40, 0), Tags: []string{bad}},
		Snippet: bad + index.SnippetStart + "x" + index.SnippetEnd + bad,
	}}}}
	out, stdout, _ := onTerminal()
	if err := runSearch(t.Context(), f, index.Query{}, time.Now(), out); err != nil {
		t.Fatal(err)
	}
	checkScreen(t, stdout.String(), columns)
}
