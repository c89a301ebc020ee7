package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// heardOf notes what trackers and peers are told.
type heardOf struct{ calls []string }

func (h *heardOf) note(format string, args ...any) {
	h.calls = append(h.calls, fmt.Sprintf(format, args...))
}
func (h *heardOf) Offer(share.ID)    { h.note("offer") }
func (h *heardOf) Withdraw(share.ID) { h.note("withdraw") }
func (h *heardOf) Add(_ share.ID, tiers [][]string, p tracker.Progress) {
	h.note("add %d, left %d", len(tiers), p.Left)
}
func (h *heardOf) Remove(share.ID, tracker.Progress) { h.note("remove") }

// Everybody hears of a transfer that is complete, trackers alone of a private one
// or of one whose content is not known, and nobody of a tracker that is off.
func TestAnnouncer(t *testing.T) {
	id := share.ID{1}
	seed := func() *transfer {
		x := &transfer{row: row{id: id, kind: kindOwn, files: 1, size: 9, total: 9}, done: true}
		x.options.Trackers = []string{"one", "two"}
		return x
	}
	for _, test := range []struct {
		name   string
		change func(*transfer, *announcer)
		want   []string
		found  bool
	}{
		{"a seed", func(*transfer, *announcer) {}, []string{"add 2, left 0", "offer", "add 2, left 0", "offer", "remove", "withdraw"}, true},
		{"a private one", func(x *transfer, _ *announcer) { x.options.Private = true },
			[]string{"add 2, left 0", "offer", "add 2, left 0", "offer", "remove", "withdraw"}, false},
		{"an unknown one", func(x *transfer, _ *announcer) { x.kind, x.row.files, x.done = kindFetch, 0, false },
			[]string{"add 2, left -1", "add 2, left -1", "remove", "withdraw"}, false},
		{"an unknown one without trackers", func(x *transfer, _ *announcer) {
			x.kind, x.row.files, x.done, x.options.Trackers = kindFetch, 0, false, nil
		},
			nil, true},
		{"one that was not looked at", func(x *transfer, _ *announcer) { x.kind, x.done = kindFetch, false },
			[]string{"offer", "offer", "remove", "withdraw"}, true},
		{"without trackers", func(_ *transfer, a *announcer) { a.noTrackers = true }, []string{"offer", "offer", "remove", "withdraw"}, true},
	} {
		var h heardOf
		f := &finder{}
		a := announcer{finders: []Finder{f}, network: &h, trackers: &h}
		x := seed()
		test.change(x, &a)
		a.show(x)
		a.show(x)
		if f.announced[id] != test.found {
			t.Errorf("%s is announced to finders: %v", test.name, f.announced[id])
		}
		a.hide(x)
		if f.announced[id] {
			t.Errorf("%s is still announced to finders", test.name)
		}
		if !slices.Equal(h.calls, test.want) {
			t.Errorf("%s: %q, want %q", test.name, h.calls, test.want)
		}
	}
}

// What turns out to be private is announced no longer.
func TestAnnouncerLearnsThatItIsPrivate(t *testing.T) {
	f := &finder{}
	a := announcer{finders: []Finder{f}, network: &heardOf{}, trackers: &heardOf{}}
	x := &transfer{row: row{id: share.ID{1}, kind: kindFetch}}
	a.show(x)
	if !f.announced[x.id] {
		t.Error("it is not announced while nothing is known of it")
	}
	x.row.files, x.options.Private = 1, true
	if a.show(x); f.announced[x.id] {
		t.Error("it is still announced")
	}
}

// Content with two IDs is announced by both, also when the second becomes known later,
// and a name that another transfer has taken over is left to that.
func TestAnnouncerByAllNames(t *testing.T) {
	var h heardOf
	f := &finder{}
	a := announcer{finders: []Finder{f}, network: &h, trackers: &h}
	v2 := share.V2{2}
	x := &transfer{row: row{id: share.ID{1}, kind: kindOwn, files: 1, size: 9, total: 9}, done: true}
	x.options.Trackers = []string{"one"}
	a.show(x)
	x.options.Names = &names{V1: x.id, V2: v2}
	h.calls = nil
	a.show(x)
	if want := []string{"add 1, left 0", "add 1, left 0", "offer", "offer"}; !slices.Equal(h.calls, want) || !f.announced[x.id] || !f.announced[v2.ID()] {
		t.Errorf("%q, %v", h.calls, f.announced)
	}
	a.keep(x)
	if _, known := a.last(v2.ID()); !known {
		t.Error("nothing is kept for the second name")
	}
	h.calls = nil
	a.hide(x)
	a.hide(x)
	if want := []string{"remove", "withdraw", "remove", "withdraw"}; !slices.Equal(h.calls, want) || len(f.announced) != 0 {
		t.Errorf("%q, %v", h.calls, f.announced)
	}
}

// What was kept of a transfer with trackers is there when the loop has ended.
func TestLastFigures(t *testing.T) {
	var a announcer
	x := &transfer{row: row{id: share.ID{1}, kind: kindOwn, files: 1, uploaded: 5}, done: true}
	a.keep(x)
	if _, known := a.last(x.id); known {
		t.Error("it was kept for no tracker")
	}
	x.options.Trackers = []string{"one"}
	a.keep(x)
	if p, known := a.last(x.id); !known || p.Uploaded != 5 || p.Left != 0 {
		t.Errorf("%+v, %v", p, known)
	}
}
