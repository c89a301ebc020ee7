package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// askWebPassword asks for the password of a web link.
func askWebPassword(ctx context.Context, in *os.File, out *output) (string, error) {
	password, err := askPassword(ctx, in, out, "Password of the web link: ")
	if err == nil && password == "" {
		err = usageErrorf("--web-password needs a password, and this one is empty")
	}
	return password, err
}

// canWebLink refuses a web link before anything is shared that would not get one.
func canWebLink(ctx context.Context, n client, opts shareOptions) error {
	i, err := n.Info(ctx)
	switch {
	case err != nil:
		return err
	case i.Door == "http" && !i.ACME && opts.sealed != nil && *opts.sealed:
		return share.Errorf(share.Refused, "--sealed and --web-link cannot be combined where web links are not encrypted: the browser would get the content in the clear (--acme gets a certificate, --web-link-cert uses yours)")
	}
	return nil
}

// makeWebLink makes the web link of a share, to be printed with it.
func (s *sharer) makeWebLink(ctx context.Context, t share.Transfer) error {
	if _, ok := s.webs[t.ID]; ok {
		return nil
	}
	r := s.opts.web
	if s.opts.expires > 0 {
		r.Expires = time.Now().Add(s.opts.expires)
	}
	w, err := s.node.NewWebLink(ctx, t.ID, r)
	if err != nil {
		return err
	}
	if s.webs == nil {
		s.webs = map[share.ID]api.WebLink{}
	}
	s.webs[t.ID] = w
	return nil
}

// makeWebSeed gives a share a web seed, and returns the share with its new link.
func (s *sharer) makeWebSeed(ctx context.Context, t share.Transfer) (share.Transfer, error) {
	if err := s.node.SetWebSeed(ctx, t.ID, true); err != nil {
		return t, err
	}
	return s.node.Transfer(ctx, t.ID)
}

// aboutWebSeed says what the web seed in a link means; empty if there is none.
func aboutWebSeed(link string) string {
	l, err := share.ParseLink(link)
	if err != nil || len(l.WebSeeds) == 0 {
		return ""
	}
	text := "The link has a web seed: BitTorrent clients can also download over HTTP from this machine."
	if strings.HasPrefix(l.WebSeeds[0], "http:") {
		text += " That is not encrypted: networks on the way can read what is downloaded."
	}
	return text
}

// endWebSeeds ends the web seeds of the transfers that the arguments name.
func endWebSeeds(ctx context.Context, n client, c *call) error {
	for _, arg := range c.Args().Slice() {
		t, err := resolve(ctx, n, arg)
		if err != nil {
			return err
		}
		if err := n.SetWebSeed(ctx, t.ID, false); err != nil {
			return err
		}
		if c.out.json {
			c.out.record(endedWebSeed{"web-seed-ended", t.ID})
		} else {
			c.out.say("%s: the web seed has ended", t.ID.Short())
		}
	}
	return nil
}

type endedWebSeed struct {
	Event string   `json:"event"`
	ID    share.ID `json:"id"`
}

// aboutWebLink says who can use a web link and for how long, after what says where the
// link is.
func aboutWebLink(w api.WebLink, where string) string {
	text := where + " Everyone who has it can download this"
	if w.Password {
		text += ", with the password"
	}
	switch {
	case !w.Expires.IsZero() && w.MaxDownloads > 0:
		text += fmt.Sprintf(", until %s or %s", when(w.Expires), count(w.MaxDownloads, "download"))
	case !w.Expires.IsZero():
		text += ", until " + when(w.Expires)
	case w.MaxDownloads > 0:
		text += ", until there were " + count(w.MaxDownloads, "download")
	}
	text += fmt.Sprintf(" (shoal remove --web-link %s ends it).", w.ID)
	if !w.Encrypted {
		text += " It is plain HTTP: networks on the way can read the link and what is downloaded."
	}
	return text
}

// awaitsWebLink says why a web link has no URL yet, and where the URL will be seen: this
// command may end before there is one.
func awaitsWebLink(w api.WebLink, ends bool) string {
	text := "Waiting for a certificate: a sealed share is not sent unencrypted, so there is no link for a browser yet. "
	if ends {
		text += "shoal show " + w.Transfer.Short() + " prints it as soon as there is one"
	} else {
		text += "This command prints it as soon as there is one"
	}
	return text + fmt.Sprintf("; shoal doctor says what is missing (shoal remove --web-link %s ends it).", w.ID)
}

// webLinkRecord is a web link whose URL came later than the share.
type webLinkRecord struct {
	Event   string      `json:"event"`
	ID      share.ID    `json:"id"`
	WebLink api.WebLink `json:"web_link"`
}

// tellWebLinks prints web links once they have a URL, until all of them have one or have
// ended, or ctx ends.
func tellWebLinks(ctx context.Context, n client, waiting []api.WebLink, every time.Duration, out *output) {
	clock := time.NewTicker(every)
	defer clock.Stop()
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		all, err := n.WebLinks(ctx)
		if err != nil {
			continue
		}
		left := waiting[:0]
		for _, w := range waiting {
			i := slices.IndexFunc(all, func(is api.WebLink) bool { return is.ID == w.ID })
			switch {
			case i < 0 || all[i].Ended:
			case all[i].URL == "":
				left = append(left, w)
			case out.json:
				out.record(webLinkRecord{"web-link", w.Transfer, all[i]})
			default:
				out.data(all[i].URL)
				out.say("%s", out.aside(aboutWebLink(all[i], "There is a certificate now, and this link is for a browser.")))
			}
		}
		waiting = left
	}
}

// webLinksOf are the lines of show about the web links of a transfer.
func webLinksOf(all []api.WebLink, id share.ID, now time.Time) string {
	var lines []string
	for _, w := range all {
		if w.Transfer != id {
			continue
		}
		line := w.URL
		if line == "" {
			line = "not served by this node now"
		}
		facts := []string{count(w.Downloads, "download")}
		if w.MaxDownloads > 0 {
			facts[0] = fmt.Sprintf("%d of %s", w.Downloads, count(w.MaxDownloads, "download"))
		}
		if w.Password {
			facts = append(facts, "password")
		}
		if !w.Expires.IsZero() {
			facts = append(facts, "expires "+untilWhen(w.Expires, now))
		}
		switch {
		case w.Ended:
			facts = append(facts, "ended: it leads nowhere now")
		case w.URL != "":
			facts = append(facts, map[bool]string{true: "encrypted", false: "not encrypted"}[w.Encrypted], reachesWebLink[w.Reachable])
		}
		lines = append(lines, line, "("+w.ID+": "+strings.Join(facts, ", ")+")")
		if !w.Ended {
			lines = append(lines, formerLines(w)...)
		}
	}
	return strings.Join(lines, "\n")
}

// reachesWebLink says whether strangers reach a web link.
var reachesWebLink = map[share.Verdict]string{
	share.Reachable: "strangers reach it", share.Unreachable: "strangers cannot reach it (shoal doctor)", share.NotKnown: "not known whether strangers reach it (shoal doctor)",
}

// formerLines are about the addresses that a web link had.
func formerLines(w api.WebLink) (lines []string) {
	for _, f := range w.Former {
		fate := "dead: this node has another address now"
		if f.Works {
			fate = "works until this node loses the address: give the new link"
		}
		lines = append(lines, f.URL, "(old, "+fate+")")
	}
	return lines
}

// webLinkNote counts the web links of a transfer for list.
func webLinkNote(all []api.WebLink, id share.ID) string {
	ended := 0
	for _, w := range all {
		if w.Ended {
			ended++
		}
	}
	text := count(len(all), "web link")
	switch {
	case len(all) == 0:
		return ""
	case ended == len(all):
		text += " that ended"
	case ended > 0:
		text += fmt.Sprintf(", %d ended", ended)
	}
	return text + " (shoal show " + id.Short() + ")"
}

// webLinksByTransfer sorts web links by what they lead to.
func webLinksByTransfer(all []api.WebLink) map[share.ID][]api.WebLink {
	by := map[share.ID][]api.WebLink{}
	for _, w := range all {
		by[w.Transfer] = append(by[w.Transfer], w)
	}
	return by
}

// endWebLinks ends the web links that the arguments name: by their URL, by their ID, or all
// of a transfer by its ID.
func endWebLinks(ctx context.Context, n client, c *call) error {
	all, err := n.WebLinks(ctx)
	if err != nil {
		return err
	}
	for _, arg := range c.Args().Slice() {
		if ended, err := endReceiveLink(ctx, n, strings.TrimSpace(arg), c.out); ended || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		meant, err := webLinksNamed(ctx, n, all, strings.TrimSpace(arg))
		if err != nil {
			return err
		}
		for _, w := range meant {
			if err := n.RevokeWebLink(ctx, w.ID); err != nil {
				return err
			}
			if c.out.json {
				c.out.record(endedWebLink{"web-link-ended", w.Transfer, w.ID})
			} else {
				c.out.say("%s: the web link has ended", w.ID)
			}
		}
	}
	return nil
}

type endedWebLink struct {
	Event   string   `json:"event"`
	ID      share.ID `json:"id"`
	WebLink string   `json:"web_link"`
}

func webLinksNamed(ctx context.Context, n client, all []api.WebLink, arg string) ([]api.WebLink, error) {
	_, capability, isURL := strings.Cut(arg, "/s/")
	capability, _, _ = strings.Cut(capability, "/")
	i := slices.IndexFunc(all, func(w api.WebLink) bool {
		return w.ID == arg || isURL && capability != "" && strings.HasSuffix(w.URL, "/s/"+capability)
	})
	switch {
	case i >= 0:
		return all[i : i+1], nil
	case isURL:
		return nil, share.Errorf(share.Failed, "this node has no such web link (shoal show lists those of a transfer)")
	}
	t, err := resolve(ctx, n, arg)
	if err != nil {
		return nil, err
	}
	of := webLinksByTransfer(all)[t.ID]
	if len(of) == 0 {
		return nil, share.Errorf(share.Failed, "%s has no web link", t.ID.Short())
	}
	return of, nil
}
