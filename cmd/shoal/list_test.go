package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// The lists of channels are left out, but not when something is wrong with them.
func TestListLeavesListsOfChannelsOut(t *testing.T) {
	key := strings.Repeat("0a", 32)
	film := share.Transfer{ID: testID(t, "1"), Name: "film.mkv", State: share.Seeding}
	fine := share.Transfer{ID: testID(t, "2"), Name: "list.jsonl.zst", State: share.Seeding, Channel: key}
	stopped := share.Transfer{ID: testID(t, "3"), Name: "stopped.jsonl.zst", State: share.Stopped, Reason: "the disk is full", Channel: key}
	for name, c := range map[string]struct {
		have []share.Transfer
		all  bool
		want []string
		said string
	}{
		"default":      {[]share.Transfer{film, fine, stopped}, false, []string{"film.mkv", "stopped.jsonl.zst"}, ""},
		"all":          {[]share.Transfer{film, fine, stopped}, true, []string{"film.mkv", "list.jsonl.zst", "stopped.jsonl.zst"}, ""},
		"nothing else": {[]share.Transfer{fine}, false, nil, "no transfers except 1 list of channels (shoal list --all)"},
		"nothing":      {nil, true, nil, "no transfers yet"},
	} {
		t.Run(name, func(t *testing.T) {
			out, stdout, stderr := onTerminal()
			if err := runList(t.Context(), newFake(c.have...), itsOwn, c.all, out); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(stdout.String()) {
				if f := strings.Fields(line); !strings.HasPrefix(line, " ") && f[0] != "ID" {
					got = append(got, f[len(f)-1])
				}
			}
			if !slices.Equal(got, c.want) || !strings.Contains(stderr.String(), c.said) {
				t.Errorf("got %q, said %q", got, stderr)
			}
		})
	}
}
