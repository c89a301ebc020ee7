package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

const (
	someKey    = "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
	sealedLink = "magnet:?xt=urn:btih:" + someHex + "&x.pe=[2001:db8::5]:51413&x.k=" + someKey
	noKeyLink  = "magnet:?xt=urn:btih:" + someHex + "&x.pe=[2001:db8::5]:51413"
)

// Each view of a sealed share says who can read it.
func TestViewsSayWhoCanRead(t *testing.T) {
	open := share.Transfer{ID: testID(t, "1"), Name: "letters", State: share.Seeding, Seal: share.SealOpen, Size: 12e9, Total: 12e9, Files: 3, Link: sealedLink}
	blind := share.Transfer{ID: testID(t, "2"), Name: strings.Repeat("0f", 16), State: share.Seeding, Seal: share.SealBlind, Size: 12e9, Total: 12e9, Files: 1, Link: noKeyLink}
	plain := share.Transfer{ID: testID(t, "3"), Name: "film.mkv", State: share.Seeding, Size: 12e9, Total: 12e9, Files: 1, Link: noKeyLink}
	f := &viewed{fakeNode: newFake(open, blind, plain)}
	f.files = []share.File{{Path: strings.Repeat("0f", 16), Bytes: 12e9, Total: 12e9}}
	out, stdout, _ := onTerminal()
	if err := runList(t.Context(), f, itsOwn, false, out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stdout.String(), "\n")
	for i, end := range []string{"", "letters (sealed)", "sealed, 12 GB", "film.mkv"} {
		found := false
		for _, l := range lines {
			found = found || end != "" && strings.HasSuffix(strings.TrimSpace(l), " "+end)
		}
		if i > 0 && !found {
			t.Errorf("the list has no %q:\n%s", end, stdout)
		}
	}
	checkScreen(t, stdout.String(), columns)
	for _, tt := range []struct {
		t       share.Transfer
		has, no []string
	}{
		{open, []string{"yes: only people with the full link can read it", sealedLink, "without key", noKeyLink}, nil},
		{blind, []string{"yes, and this node cannot read it", noKeyLink}, []string{"without key", someKey}},
		{plain, nil, []string{"sealed", "without key"}},
	} {
		out, stdout, _ := onTerminal()
		if err := runShow(t.Context(), f, itsOwn, tt.t, out); err != nil {
			t.Fatal(err)
		}
		for _, s := range tt.has {
			if !strings.Contains(stdout.String(), s) {
				t.Errorf("%s: no %q in\n%s", tt.t.Name, s, stdout)
			}
		}
		for _, s := range tt.no {
			if strings.Contains(stdout.String(), s) {
				t.Errorf("%s: %q in\n%s", tt.t.Name, s, stdout)
			}
		}
	}
	out, _, stderr := onTerminal()
	if err := runFiles(t.Context(), f, blind, out); err != nil || !strings.Contains(stderr.String(), "sealed, 12 GB: this node cannot read it") {
		t.Errorf("files said %q, %v", stderr, err)
	}
}

// What share prints of a sealed share: both links, and a command that takes the key from
// standard input.
func TestShareTellsBothLinks(t *testing.T) {
	tr := share.Transfer{ID: testID(t, "1"), Name: "letters", State: share.Seeding, Seal: share.SealOpen, Size: 100, Files: 3, Link: sealedLink}
	out, stdout, stderr := testOutput(false)
	s := &sharer{batch: newBatch(out, newFake(tr))}
	s.shared(tr)
	if strings.TrimSpace(stdout.String()) != sealedLink {
		t.Errorf("stdout has %q", stdout)
	}
	if !strings.Contains(stderr.String(), "\n  shoal get -\n") || !strings.Contains(stderr.String(), "shoal get --seed forever '"+noKeyLink+"'") || strings.Contains(stderr.String(), someKey) {
		t.Errorf("stderr has %q", stderr)
	}
	out, stdout, _ = testOutput(true)
	s = &sharer{batch: newBatch(out, newFake(tr)), opts: shareOptions{noAddresses: true}}
	s.shared(tr)
	var rec sharedRecord
	if err := json.Unmarshal(stdout.Bytes(), &rec); err != nil {
		t.Fatal(err)
	}
	without := "magnet:?xt=urn:btih:" + someHex
	if rec.Seal != share.SealOpen || rec.Link != without+"&x.k="+someKey || rec.BlindLink != without {
		t.Errorf("got %+v", rec)
	}
}
