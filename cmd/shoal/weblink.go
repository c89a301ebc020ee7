package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// askWebPassword asks for the password of a web link.
func askWebPassword(ctx context.Context, in *os.File, out *output) (string, error) {
	password, err := askPassword(ctx, in, out, "Password of the web link: ")
	if err == nil && password == "" {
		err = usageErrorf("a web link with --web-password needs one: it was empty")
	}
	return password, err
}

// canWebLink refuses a web link before anything is shared that would not get one.
func canWebLink(ctx context.Context, n client, opts shareOptions) error {
	i, err := n.Info(ctx)
	switch {
	case err != nil:
		return err
	case i.Door == "http" && opts.sealed != nil && *opts.sealed:
		return share.Errorf(share.Refused, "--sealed and --web-link cannot be combined where web links are not encrypted: the browser would get the content in the clear")
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

// aboutWebLink says who can use a web link and for how long.
func aboutWebLink(w api.WebLink) string {
	text := "The second link is for a browser. Everyone who has it can download this"
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
	return fill(text, margin, "")
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
			facts = append(facts, "expires "+humanize.RelTime(w.Expires, now, "ago", "from now"))
		}
		if w.Ended {
			facts = append(facts, "ended")
		} else if w.URL != "" && !w.Encrypted {
			facts = append(facts, "not encrypted")
		}
		lines = append(lines, line, "("+w.ID+": "+strings.Join(facts, ", ")+")")
	}
	return strings.Join(lines, "\n")
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
