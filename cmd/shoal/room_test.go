package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Before a fetch that cannot fit on the disk: a warning, once, as soon as the
// size is known from the torrent, from the link, or when the info dictionary
// arrives; and it goes on.
func TestGetWarnsBeforeWhatCannotFit(t *testing.T) {
	known := film(t, "a")
	finding := known
	finding.State, finding.Size, finding.Total, finding.Bytes, finding.Name = share.Finding, 0, 0, 0, ""
	checking := known
	checking.State = share.Checking
	done := changed(finished(known))
	bare, stated := known.ID.String(), "magnet:?xt=urn:btih:"+known.ID.String()+"&xl=90"
	for name, c := range map[string]struct {
		first  share.Transfer
		link   string
		steps  []share.Event
		files  []string
		room   api.Room
		needed float64 // in the warning; 0 wants none
	}{
		"torrent":            {known, bare, []share.Event{changed(known), done}, nil, api.Room{Needed: 90, Free: 80}, 90},
		"link":               {finding, stated, []share.Event{changed(finding), done}, nil, api.Room{Free: 80}, 90},
		"info dictionary":    {finding, bare, []share.Event{changed(known), changed(known), done}, nil, api.Room{Needed: 90, Free: 80}, 90},
		"after a check":      {checking, bare, []share.Event{changed(known), done}, nil, api.Room{Needed: 90, Free: 80}, 90},
		"min-free":           {known, bare, []share.Event{done}, nil, api.Room{Needed: 90, Free: 100, MinFree: 20}, 90},
		"fits":               {known, bare, []share.Event{changed(known), done}, nil, api.Room{Needed: 90, Free: 90}, 0},
		"not known":          {known, bare, []share.Event{done}, nil, api.Room{Needed: 90, Free: -1}, 0},
		"link, some files":   {finding, stated, []share.Event{done}, []string{"*.a"}, api.Room{Free: 80}, 0},
		"complete":           {finished(known), stated, nil, nil, api.Room{Needed: 90, Free: 80}, 0},
		"link puts it lower": {finding, stated, []share.Event{changed(known), done}, nil, api.Room{Needed: 200, Free: 100}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, json := range []bool{true, false} {
				f := newFake(c.first)
				f.steps, f.room = c.steps, c.room
				out, stdout, stderr := testOutput(json)
				opts := getOptions{told: map[string]bool{}, links: []string{c.link}, output: "/tmp", files: c.files}
				if err := runGet(t.Context(), f, ours, opts, out); err != nil {
					t.Fatal(err)
				}
				want := 0
				if c.needed > 0 {
					want = 1
				}
				if n := strings.Count(stderr.String(), "shoal: warning: "); n != want {
					t.Errorf("%d warnings in %q, want %d", n, stderr, want)
				}
				if c.room.MinFree > 0 && !strings.Contains(stderr.String(), ", of which --min-free keeps 20 B") {
					t.Errorf("what stays free is not named: %q", stderr)
				}
				if !json {
					continue
				}
				var needed []any
				lines := jsonLines(t, stdout.String())
				for _, l := range lines {
					if l["event"] == "warning" {
						needed = append(needed, l["needed"])
					}
				}
				wanted := []any{c.needed}
				if c.needed == 0 {
					wanted = nil
				}
				if d := cmp.Diff(wanted, needed); d != "" {
					t.Error(d)
				}
				if last := lines[len(lines)-1]; last["event"] != "done" {
					t.Errorf("it did not go on: %v", last)
				}
			}
		})
	}
}

// Who selects more meanwhile, here or in the page, is warned again; once.
func TestGetWarnsAgainOfALargerSelection(t *testing.T) {
	small := film(t, "a")
	large, checking := small, small
	large.Total, large.Size = 10*small.Total, 10*small.Total
	checking.State, checking.Total = share.Checking, 20*small.Total // bytes to be hashed
	f := newFake(small)
	f.steps = []share.Event{changed(small), changed(checking), changed(small), changed(large), changed(large), changed(finished(large))}
	f.room = api.Room{Needed: 90, Free: 80}
	out, _, stderr := testOutput(false)
	opts := getOptions{told: map[string]bool{}, links: []string{small.ID.String()}, output: "/tmp"}
	if err := runGet(t.Context(), f, ours, opts, out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(stderr.String(), "shoal: warning: "); n != 2 {
		t.Errorf("%d warnings in %q, want 2", n, stderr)
	}
	if f.rooms != 2 {
		t.Errorf("the node was asked %d times", f.rooms)
	}
}

// One that is handed over is warned of before the command returns.
func TestGetDetachedWarnsBeforeWhatCannotFit(t *testing.T) {
	a := film(t, "a")
	f := newFake(a)
	f.room = api.Room{Needed: 90, Free: 80}
	out, _, stderr := testOutput(false)
	opts := getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp", detach: true}
	if err := runGet(t.Context(), f, itsOwn, opts, out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(stderr.String(), "shoal: warning: ") != 1 {
		t.Errorf("stderr is %q", stderr)
	}
}

// What arrived since the transfer was looked at is not missing any more.
func TestRoomIsNotToldOfATransferThatHasChanged(t *testing.T) {
	known := film(t, "a")
	finding := known
	finding.State, finding.Size, finding.Total, finding.Bytes = share.Finding, 0, 0, 0
	f := newFake(finished(known))
	f.room = api.Room{Free: 40}
	out, _, stderr := testOutput(false)
	if settled := warnRoom(t.Context(), f, finding, 90, out); settled || stderr.Len() > 0 {
		t.Errorf("settled: %v, stderr %q", settled, stderr)
	}
}
