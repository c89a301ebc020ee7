package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/share"
)

func TestShareFollowsTheProvisionalID(t *testing.T) {
	before, after := testID(t, "1"), testID(t, "a")
	hashing := share.Transfer{ID: before, Name: "photos", State: share.Hashing, Path: "/photos", Total: 10}
	link := "magnet:?xt=urn:btih:" + after.String() + "&dn=photos&xl=10&x.pe=[2001:db8::1]:7777"
	done := share.Transfer{ID: after, Name: "photos", State: share.Seeding, Path: "/photos", Size: 10, Files: 2, Link: link}
	for name, steps := range map[string][]share.Event{
		"by the event":            {{Type: share.EventShared, ID: after, Was: before, Transfer: &done}},
		"by a change after a gap": {{Type: share.EventRemoved, ID: before}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(hashing)
			f.steps = append([]share.Event{changed(hashing)}, steps...)
			if name != "by the event" {
				f.steps[0] = share.Event{Type: share.EventChanged, ID: before, Transfer: &hashing}
				f.steps = append(f.steps[:1], share.Event{Type: share.EventNote, ID: before, Transfer: &done}, f.steps[1])
			}
			out, stdout, _ := testOutput(true)
			if err := runShare(t.Context(), f, itsOwn, shareOptions{told: map[string]bool{}, paths: []string{"/photos"}}, out); err != nil {
				t.Fatal(err)
			}
			want := []map[string]any{{"event": "shared", "id": after.String(), "link": link, "name": "photos",
				"bytes": 10., "files": 2., "path": "/photos"}}
			if d := cmp.Diff(want, jsonLines(t, stdout.String())); d != "" {
				t.Error(d)
			}
		})
	}
}

// What the host lacks is the first that share and get say, once, also when the node
// changes meanwhile; of doctor it is the first line.
func TestWhatTheHostLacksComesFirst(t *testing.T) {
	id := testID(t, "a")
	done := finished(film(t, "a"))
	done.State, done.Link = share.Seeding, "magnet:?xt=urn:btih:"+id.String()
	const warning = "This machine has no IPv6 address."
	for name, run := range map[string]func(f *fakeNode, out *output) error{
		"share": func(f *fakeNode, out *output) error {
			opts := shareOptions{told: map[string]bool{}, paths: []string{done.Path}}
			if err := runShare(t.Context(), f, itsOwn, opts, out); err != nil {
				return err
			}
			return runShare(t.Context(), f, itsOwn, opts, out)
		},
		"get": func(f *fakeNode, out *output) error {
			opts := getOptions{told: map[string]bool{}, links: []string{id.String()}, output: "/tmp"}
			if err := runGet(t.Context(), f, ours, opts, out); err != nil {
				return err
			}
			return runGet(t.Context(), f, ours, opts, out)
		},
		"doctor": func(f *fakeNode, out *output) error {
			return runDoctor(t.Context(), f, itsOwn, doctorOptions{}, out)
		},
	} {
		for _, asJSON := range []bool{false, true} {
			f := newFake(done)
			f.reports = []share.Report{{Warning: warning, Answer: "Nobody can reach you.", Verdict: share.Unreachable}}
			out, stdout, stderr := testOutput(asJSON)
			if err := run(f, out); err != nil {
				t.Fatal(err)
			}
			text := stderr
			if asJSON || name == "doctor" {
				text = stdout
			}
			first, rest, _ := strings.Cut(text.String(), "\n")
			if asJSON {
				one := jsonLines(t, first)[0]
				first, _ = one["message"].(string)
				if name == "doctor" {
					first, _ = one["warning"].(string)
				}
			}
			if first != warning || strings.Contains(rest, warning) {
				t.Errorf("%s, JSON %v: %s", name, asJSON, text)
			}
			if name == "share" && !asJSON && strings.Contains(rest, "Nobody can reach you.") {
				t.Errorf("it warns of the same in other words: %s", text)
			}
		}
	}
}

func TestSharePrintsNothingButTheLink(t *testing.T) {
	id := testID(t, "a")
	link := "magnet:?xt=urn:btih:" + id.String() + "&dn=a%20b&x.pe=[2001:db8::1]:7777"
	f := newFake(share.Transfer{ID: id, Name: "a b", State: share.Seeding, Path: "/x", Size: 10, Files: 1, Link: link})
	for _, bare := range []bool{false, true} {
		out, stdout, stderr := testOutput(false)
		err := runShare(t.Context(), f, itsOwn, shareOptions{told: map[string]bool{}, paths: []string{"/x"}, noAddresses: bare, qr: true}, out)
		if err != nil {
			t.Fatal(err)
		}
		want := link
		if bare {
			want = strings.TrimSuffix(link, "&x.pe=[2001:db8::1]:7777")
		}
		if stdout.String() != want+"\n" {
			t.Errorf("stdout is %q", stdout)
		}
		if !strings.Contains(stderr.String(), "shoal get '"+want+"'") {
			t.Errorf("%q lacks the command for the other side", stderr)
		}
		for line := range strings.Lines(stderr.String()) {
			if strings.Contains(line, "█") && cells(strings.TrimRight(line, "\n")) > columns {
				t.Errorf("the code is %d columns wide", cells(line))
			}
		}
		if !strings.Contains(stderr.String(), "▀") {
			t.Error("there is no code")
		}
	}
}

func TestShareFailsWithTheDisk(t *testing.T) {
	id := testID(t, "1")
	hashing := share.Transfer{ID: id, Name: "photos", State: share.Hashing, Path: "/photos"}
	bad := hashing
	bad.State, bad.Reason = share.Stopped, "reading a.jpg: input/output error"
	f := newFake(hashing)
	f.steps = []share.Event{changed(bad)}
	out, stdout, _ := testOutput(false)
	err := runShare(t.Context(), f, ours, shareOptions{told: map[string]bool{}, paths: []string{"/photos"}}, out)
	checkKind(t, err, share.Disk)
	if stdout.Len() > 0 {
		t.Errorf("stdout is %q", stdout)
	}
}

func TestSeedingEndsAtTheGoal(t *testing.T) {
	a := share.Transfer{ID: testID(t, "a"), Name: "film", State: share.Seeding, Uploaded: 5}
	met := a
	met.State, met.Reason = share.Paused, "complete, ratio 2 reached"
	f := newFake(a)
	f.steps = []share.Event{changed(met)}
	out, _, stderr := testOutput(false)
	if err := seed(t.Context(), f, []share.ID{a.ID}, out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "film: complete, ratio 2 reached") {
		t.Errorf("got %q", stderr)
	}
}
