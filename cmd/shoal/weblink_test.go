package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// show says of each web link what it can do, whether strangers reach it, and which of its
// addresses are dead; list counts them.
func TestWebLinksAreTold(t *testing.T) {
	id, now := share.ID{1}, time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	old := api.FormerURL{URL: "http://[2001:db8:1::5]:7000/s/a"}
	dying := api.FormerURL{URL: "http://[2001:db8:2::5]:7000/s/a", Works: true}
	live := api.WebLink{ID: "aa", Transfer: id, URL: "http://[2001:db8::5]:7000/s/a", Downloads: 2, MaxDownloads: 3, Password: true,
		Expires: now.Add(50 * time.Hour), Reachable: share.Reachable, Former: []api.FormerURL{dying, old}}
	tls := api.WebLink{ID: "bb", Transfer: id, URL: "https://files.example.org/s/b", Encrypted: true, Reachable: share.NotKnown}
	shut := api.WebLink{ID: "cc", Transfer: id, URL: "http://[2001:db8::5]:7000/s/c", Reachable: share.Unreachable}
	over := api.WebLink{ID: "dd", Transfer: id, URL: "http://[2001:db8::5]:7000/s/d", Downloads: 1, MaxDownloads: 1, Ended: true, Former: []api.FormerURL{old}}
	all := []api.WebLink{live, tls, shut, over, {ID: "ee", Transfer: share.ID{2}, URL: "http://other"}, {ID: "ff", Transfer: id}}
	want := `http://[2001:db8::5]:7000/s/a
(aa: 2 of 3 downloads, password, expires 2 days from now, not encrypted, strangers reach it)
http://[2001:db8:2::5]:7000/s/a
(old, works until this node loses the address: give the new link)
http://[2001:db8:1::5]:7000/s/a
(old, dead: this node has another address now)
https://files.example.org/s/b
(bb: 0 downloads, encrypted, not known whether strangers reach it (shoal doctor))
http://[2001:db8::5]:7000/s/c
(cc: 0 downloads, not encrypted, strangers cannot reach it (shoal doctor))
http://[2001:db8::5]:7000/s/d
(dd: 1 of 1 download, ended: it leads nowhere now)
not served by this node now
(ff: 0 downloads)`
	if got := webLinksOf(all, id, now); got != want {
		t.Errorf("show says\n%s\nand not\n%s", got, want)
	}
	for want, of := range map[string][]api.WebLink{
		"": nil, "1 web link (": {live}, "2 web links, 1 ended (": {live, over}, "1 web link that ended (": {over}, "2 web links that ended (": {over, over},
	} {
		if got := webLinkNote(of, id); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("list says %q and not %q", got, want)
		}
	}
}

// The web link of a sealed share waits for a certificate, which is said, and its URL is
// printed once it is there. What ends meanwhile, or waits for longer than the command,
// keeps nothing waiting.
func TestWebLinksThatWaitForACertificate(t *testing.T) {
	id := share.ID{1}
	waits := api.WebLink{ID: "aa", Transfer: id}
	ready := waits
	ready.URL, ready.Encrypted = "https://[2001:db8::5]:7000/s/a", true
	for where, ends := range map[string]bool{"This command prints it": false, "shoal show " + id.Short() + " prints it": true} {
		if said := strings.Join(strings.Fields(awaitsWebLink(waits, ends)), " "); !strings.Contains(said, "Waiting for a certificate") || !strings.Contains(said, where) {
			t.Errorf("it says %q, without %q", said, where)
		}
	}
	for name, c := range map[string]struct {
		json bool
		want string
	}{
		"text": {false, ready.URL + "\n"},
		"JSON": {true, `{"event":"web-link","id":"` + id.String() + `","web_link":{"id":"aa",`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				now := func(all ...api.WebLink) {
					f.mu.Lock()
					defer f.mu.Unlock()
					f.webLinks = all
				}
				now(waits, api.WebLink{ID: "bb", Transfer: id})
				out, stdout, stderr := testOutput(c.json)
				over := make(chan struct{})
				go func() {
					defer close(over)
					tellWebLinks(t.Context(), f, []api.WebLink{waits, {ID: "bb", Transfer: id}}, time.Second, out)
				}()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if stdout.Len() > 0 {
					t.Errorf("without a certificate: %s", stdout)
				}
				now(ready) // and the other one was ended
				<-over
				if got := stdout.String(); !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != 1 {
					t.Errorf("printed %q, want %q", got, c.want)
				}
				if said := stderr.String(); !c.json && (!strings.Contains(said, "There is a certificate now") || strings.Contains(said, "plain HTTP")) {
					t.Errorf("it says %q", said)
				}
			})
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	out, _, _ := testOutput(false)
	tellWebLinks(ended, newFake(), []api.WebLink{waits}, time.Hour, out)
}

// A link for seven days does not expire in six as soon as it is made.
func TestExpiryIsRounded(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[time.Duration]string{
		3*24*time.Hour - time.Second: "3 days from now", 24*time.Hour - time.Second: "1 day from now", time.Hour - time.Second: "1 hour from now",
		10*time.Minute - time.Second: "10 minutes from now", 30 * time.Second: "30 seconds from now", -3*24*time.Hour + time.Second: "3 days ago",
	} {
		if said := untilWhen(now.Add(in), now); said != want {
			t.Errorf("%s is %q, want %q", in, said, want)
		}
	}
}
