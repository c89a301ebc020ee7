package main

// Links and torrents as people have them. Instances that were met:
//
//   - a link that the shell cut at &: TestGetTellsOfALinkThatWasCut
//   - <magnet:…> pasted from mail, a link broken over lines, &amp;, a stray %,
//     an odd second xt, x.pe without brackets: share/testdata/vectors/links.json,
//     TestSourceOfPastedLinks
//   - a .torrent URL that redirects to a magnet link, a body that is one, gzip, a
//     sign-in page: TestDownload in cmd/internal/node
//   - --timeout and a server that never answers: TestTimeoutBoundsTheDownload
//   - an empty .torrent file, a v2-only link in shoal link: TestSourceOfPastedLinks,
//     testdata/script/link.txtar
//   - "nobody was found" that told nothing: TestNobodyNamesWhatWasSaid

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const someHex = "0123456789abcdef0123456789abcdef01234567"

func TestSourceOfPastedLinks(t *testing.T) {
	for _, arg := range []string{
		"magnet:?xt=urn:btih:" + someHex,
		"<magnet:?xt=urn:btih:" + someHex + "&dn=a>",
		"magnet:?xt=urn:btih:" + someHex[:20] + "\n  " + someHex[20:],
		"magnet:?dn=a&amp;xt=urn:btih:" + someHex,
		"magnet%3A%3Fxt%3Durn%3Abtih%3A" + someHex,
		" " + someHex + "\n",
		"<" + someHex + ">",
	} {
		s, err := parseSource(arg)
		if err != nil || s.link.ID.String() != someHex {
			t.Errorf("%q: %v, %v", arg, s.link, err)
		}
	}
	if s, err := parseSource(" https://host.example/a.torrent\n"); err != nil || s.url != "https://host.example/a.torrent" {
		t.Errorf("a URL: %+v, %v", s, err)
	}
	empty := filepath.Join(t.TempDir(), "raw_empty.torrent")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := parseSource(empty)
	checkKind(t, err, share.Refused)
}

func TestGetTellsOfALinkThatWasCut(t *testing.T) {
	for arg, want := range map[string]bool{
		"magnet:?xt=urn:btih:" + someHex:                                     true,
		"magnet:?xt=urn:btih:" + someHex + "&dn=a":                           false,
		"magnet:?xt=urn:btih:" + someHex + "&x.k=" + strings.Repeat("a", 64): false,
		"magnet:?xt=urn:btih:" + someHex + "&x.pe=[::1]:1":                   false,
		"magnet:?xt=urn:btih:" + someHex + "&tr=udp://t:80":                  false,
		"magnet:?xt=urn:btih:" + someHex + "&ws=http://t.ex/a/":              false,
		someHex: false, // whoever types this knows what it is
	} {
		now := time.Unix(0, 0)
		tr := film(t, "a")
		tr.State, tr.Peers, tr.Total, tr.Bytes = share.Finding, 0, 0, 0
		out, _, stderr := testOutput(false)
		g := &getter{batch: newBatch(out, newFake(tr)), named: map[*job]bool{}, cut: map[*job]bool{}, renamed: map[*job]bool{}, opts: getOptions{timeout: time.Minute}}
		g.look, g.now = g.fetched, func() time.Time { return now }
		j := &job{arg: arg, started: now, moved: now}
		if _, err := g.fetch(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		g.see(t.Context(), j, tr)
		if stderr.Len() > 0 {
			t.Errorf("%s: at once: %s", arg, stderr)
		}
		for range 2 {
			now = now.Add(lonely)
			g.see(t.Context(), j, tr)
		}
		if got := strings.Count(stderr.String(), cutHint); got > 1 || (got == 1) != want {
			t.Errorf("%s: told %d times: %s", arg, got, stderr)
		}
		now = now.Add(time.Minute)
		g.see(t.Context(), j, tr)
		checkKind(t, j.err, share.Nobody)
		if got := strings.Contains(j.err.Error(), cutHint); got != want {
			t.Errorf("%s: at the end: %v", arg, j.err)
		}
	}
}

func TestNobodyNamesWhatWasSaid(t *testing.T) {
	tr := film(t, "a")
	tr.State, tr.Peers, tr.Bytes = share.Finding, 0, 0
	f := newFake(tr)
	at := time.Unix(1e9, 0)
	f.ways = []share.Way{
		{Source: share.FromDHT, On: true, Error: "no node answers"},
		{Source: share.FromLAN, On: true},
		{Source: share.FromPEX, Error: "unused"},
		{Source: share.FromTracker, Name: "http://one/a", On: true, Error: `the tracker refuses: "not registered"`},
		{Source: share.FromTracker, Name: "http://two/a", On: true, Last: at},
		{Source: share.FromTracker, Name: "http://three/a", On: true},
		{Source: share.FromWebSeed, Name: "http://seed/", On: true, Error: "503 Service Unavailable"},
		{Source: share.FromWebSeed, Name: "http://good/", On: true, Last: at},
	}
	err := nobody(t.Context(), f, tr, 90*time.Second)
	checkKind(t, err, share.Nobody)
	want := `; dht: no node answers; http://one/a: the tracker refuses: "not registered"; http://two/a: returned 0 peers` +
		`; http://three/a: no answer yet; http://seed/: 503 Service Unavailable`
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// blocked is a node whose download never ends by itself.
type blocked struct{ *fakeNode }

func (b blocked) Fetch(ctx context.Context, r api.FetchRequest) (share.Transfer, error) {
	<-ctx.Done()
	return share.Transfer{}, ctx.Err()
}

func TestTimeoutBoundsTheDownload(t *testing.T) {
	_, err := fetch(t.Context(), blocked{newFake()}, "http://host.example/a.torrent", api.FetchRequest{}, time.Nanosecond)
	checkKind(t, err, share.Nobody)
	if err == nil || !strings.Contains(err.Error(), "host.example") {
		t.Errorf("%v does not name the host", err)
	}
}

func TestGetTellsWhichNamesWereChanged(t *testing.T) {
	a := finished(film(t, "a"))
	f := newFake(a)
	f.files = []share.File{{Path: "con.txt", Disk: "_con.txt"}, {Path: "plain"}, {Path: "skipped?", Disk: "skipped_", Priority: share.Skip}}
	out, _, stderr := testOutput(false)
	opts := getOptions{told: map[string]bool{}, links: []string{a.ID.String()}, output: "/tmp"}
	if err := runGet(t.Context(), f, ours, opts, out); err != nil {
		t.Fatal(err)
	}
	if s := stderr.String(); strings.Count(s, "con.txt -> _con.txt") != 1 || strings.Contains(s, "plain") || strings.Contains(s, "skipped") {
		t.Errorf("stderr is %q", s)
	}
}
