package engine

import (
	"maps"
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// What a second request changes of a transfer, by who makes it and what is there.
func TestAgain(t *testing.T) {
	info := threeFiles()
	for i := range info.Files {
		info.Files[i].Path = []string{string(rune('a' + i))}
	}
	fetch := func(by Owner, change func(*transfer)) *transfer {
		x := &transfer{row: row{kind: kindFetch, name: "three", path: "/first", files: 3, size: info.Size(), total: info.Files[0].Length}}
		x.options = options{Owners: owners{by}, Priorities: map[int]share.Priority{1: share.Skip, 2: share.Skip}}
		change(x)
		return x
	}
	asIs := func(*transfer) {}
	complete := func(x *transfer) { x.done = true }
	own := func(x *transfer) { x.kind, x.done, x.options.Priorities = kindOwn, true, nil }
	mirror := MirrorOwner("key")
	for _, test := range []struct {
		name       string
		t          *transfer
		by         Owner
		request    FetchRequest
		output     string
		want       share.Kind // of the error; 0 is none
		path       string
		owners     owners
		skipped    []int
		reselected bool
	}{
		{"the user selects more", fetch(User, complete), User, pick("b"), "/first", 0, "/first", owners{User}, []int{2}, true},
		{"the user selects the same", fetch(User, complete), User, pick("a"), "/first", 0, "/first", owners{User}, []int{1, 2}, false},
		{"the user selects what is not there", fetch(User, complete), User, pick("x"), "/first", share.Usage, "/first", owners{User}, []int{1, 2}, false},
		{"a complete one moves", fetch(User, complete), User, pick("a"), "/second", 0, "/second", owners{User}, []int{1, 2}, false},
		{"one under way does not", fetch(User, asIs), User, pick("a"), "/second", share.Usage, "/first", owners{User}, []int{1, 2}, false},
		{"nor when it selects more", fetch(User, asIs), User, pick("b"), "/second", share.Usage, "/first", owners{User}, []int{2}, true},
		{"one that has nothing yet moves", fetch(User, func(x *transfer) { x.options.Paused = true }), User, pick("a"), "/second", 0, "/second", owners{User}, []int{1, 2}, false},
		{"a mirror owns it, too", fetch(User, complete), mirror, pick("c"), "/mirror", 0, "/first", owners{User, mirror}, []int{1, 2}, false},
		{"the user takes over a mirror", fetch(mirror, asIs), User, pick("c"), "/mine", 0, "/mine", owners{mirror, User}, []int{0, 1}, true},
		{"who rested is owned again", fetch(resting, complete), User, pick("a"), "/first", 0, "/first", owners{User}, []int{1, 2}, false},
		{"a share stays where it is", fetch(User, own), User, pick(), "/second", share.Usage, "/first", owners{User}, nil, false},
		{"a share serves a mirror", fetch(User, own), mirror, pick(), "/mirror", 0, "/first", owners{User}, nil, false},
	} {
		a := again{FetchRequest: test.request, owner: test.by, info: info, t: &transfer{row: row{path: test.output}}}
		reselected, err := a.merge(test.t)
		if (err != nil) != (test.want != 0) || err != nil && share.KindOf(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
		skipped := slices.Sorted(maps.Keys(test.t.options.Priorities))
		if test.t.path != test.path || !slices.Equal(test.t.options.Owners, test.owners) || !slices.Equal(skipped, test.skipped) || reselected != test.reselected {
			t.Errorf("%s: at %s, owned by %q, skips %v, reselected %v", test.name, test.t.path, test.t.options.Owners, skipped, reselected)
		}
		if moved := test.path != "/first"; moved != test.t.options.Restart || moved && test.t.options.From != "/first" {
			t.Errorf("%s: restarts %v, copies from %q", test.name, test.t.options.Restart, test.t.options.From)
		}
	}
}

// pick is a request for some files.
func pick(files ...string) (r FetchRequest) {
	r.Files = files
	return r
}

// New trackers, web seeds and peers are added to those that are there, and what is new
// is told.
func TestAgainAddsSources(t *testing.T) {
	x := &transfer{row: row{kind: kindFetch, options: options{Trackers: []string{"a"}, WebSeeds: []string{"w"}, Peers: []string{"p"}}}}
	more := options{Trackers: []string{"a", "b"}, WebSeeds: []string{"w"}, Peers: []string{"q"}, Adopt: true}
	a := again{t: &transfer{row: row{options: more}}}
	if fresh := a.addSources(x); !fresh.trackers || fresh.webSeeds != nil || !fresh.adopt {
		t.Errorf("%+v", fresh)
	}
	if fresh := a.addSources(x); fresh.trackers || fresh.webSeeds != nil || fresh.adopt {
		t.Errorf("a second time: %+v", fresh)
	}
	if o := x.options; !slices.Equal(o.Trackers, []string{"a", "b"}) || !slices.Equal(o.Peers, []string{"p", "q"}) || !o.Adopt {
		t.Errorf("%+v", o)
	}
	x.kind, x.options.Adopt = kindOwn, false
	if a.addSources(x).adopt {
		t.Error("a share adopts files")
	}
}
