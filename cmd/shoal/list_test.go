package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
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

// The links with which people send files come after the transfers, and alone where there
// are none. In JSON they are told from transfers by their event.
func TestListShowsLinksForReceiving(t *testing.T) {
	film := share.Transfer{ID: testID(t, "1"), Name: "film.mkv", State: share.Seeding}
	takes := api.ReceiveLink{ID: "aa11", Name: "inbox", Folder: "/home/me/inbox", URL: "http://[2001:db8::5]:7000/s/a", Files: 3, Bytes: 2_000_000, Expires: time.Now().Add(7 * 24 * time.Hour)}
	over := api.ReceiveLink{ID: "bb22", Folder: "/home/me/old", Ended: true}
	for name, c := range map[string]struct {
		have []share.Transfer
		want []string
		said string
	}{
		"beside transfers": {[]share.Transfer{film}, []string{"film.mkv", "RECEIVING", "aa11  takes files  3 2.0 MB", "/home/me/inbox", "bb22  ended", "/home/me/old"}, ""},
		"alone":            {nil, []string{"RECEIVING", "aa11  takes files"}, "no transfers yet"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(c.have...)
			f.receiving = []api.ReceiveLink{takes, over}
			out, stdout, stderr := onTerminal()
			if err := runList(t.Context(), f, itsOwn, false, out); err != nil {
				t.Fatal(err)
			}
			flat, from := strings.Join(strings.Fields(stdout.String()), " "), 0
			for _, w := range c.want {
				w = strings.Join(strings.Fields(w), " ")
				i := strings.Index(flat[from:], w)
				if i < 0 {
					t.Fatalf("no %q where it should be in\n%s", w, stdout)
				}
				from += i
			}
			if !strings.Contains(stderr.String(), c.said) {
				t.Errorf("said %q", stderr)
			}
			checkScreen(t, stdout.String(), columns)

			out, stdout, _ = testOutput(true)
			if err := runList(t.Context(), f, itsOwn, false, out); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
			if len(lines) != len(c.have)+2 {
				t.Fatalf("%d lines:\n%s", len(lines), stdout)
			}
			for i, l := range lines {
				if is := strings.HasPrefix(l, `{"event":"receiving","id":"`); is != (i >= len(c.have)) {
					t.Errorf("line %d is %s", i, l)
				}
			}
		})
	}
}
