package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

func searchVerb() *verb {
	return &verb{
		name: "search", args: "QUERY...", short: "search what is here and in the channels you follow", group: "Look",
		min: 1, max: -1,
		long: `Nothing of a search leaves this machine: what is searched is a catalogue of what this node shares and ` +
			`fetches, and of the channels it follows.` + "\n\n" +
			`Words match their beginnings, too; case and accents make no difference. "A phrase" in quotes matches as it ` +
			`is, -word leaves out. file:WORD looks at paths, tag:TAG at tags, channel:NAME at the channels called so (me is ` +
			`this node), type: is video, audio, image, text, archive or program, size:>1G and size:<700M compare sizes, ` +
			`since:2026-01 and before:2026 dates. A query that begins with a minus comes after --.` + "\n\n" +
			`The ID that is shown may be given to shoal get. Of more than some hundred matches only the newest are ranked, and it says so.`,
		examples: []example{
			{"shoal search summer holiday", "both words, or longer ones that begin so"},
			{"shoal search 'type:video size:>1G -trailer'", "in quotes, for the shell takes > for itself"},
			{"shoal search --json '\"blue sky\" since:2026' | jq -r .link", "the links, for a script"},
		},
		flags: append([]cli.Flag{
			&cli.IntFlag{Name: "limit", Value: 20, EnvVars: envOf("limit"), Usage: "show at most `N`, 500 or fewer"},
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			q := index.Query{Text: strings.Join(c.Args().Slice(), " "), Limit: c.Int("limit")}
			if q.Limit < 1 || q.Limit > 500 {
				return usageErrorf("--limit is from 1 to 500, not %d", q.Limit)
			}
			return withNode(ctx, c, false, func(ctx context.Context, n client, _ lifetime) error {
				return runSearch(ctx, n, q, time.Now(), c.out)
			})
		},
	}
}

// hitRecord is one line of `search --json`.
type hitRecord struct {
	ID      share.ID  `json:"id"`
	Name    string    `json:"name"`
	Link    string    `json:"link"`
	Bytes   int64     `json:"bytes"`
	Channel string    `json:"channel"` // empty: this node
	Time    time.Time `json:"time"`
	Tags    []string  `json:"tags,omitempty"`
	Snippet string    `json:"snippet,omitempty"` // what matched, where that is not the name
}

func runSearch(ctx context.Context, n client, q index.Query, now time.Time, out *output) error {
	r, err := n.Search(ctx, q)
	if err != nil {
		return err
	}
	if out.json {
		for _, h := range r.Hits {
			rec := hitRecord{ID: h.ID, Name: h.Name, Link: h.Link, Bytes: h.Bytes, Time: h.Time, Tags: h.Tags, Snippet: matchOf(h)}
			if !h.Channel.IsZero() {
				rec.Channel = h.Channel.String()
			}
			out.record(rec)
		}
		return nil
	}
	if len(r.Hits) == 0 {
		out.say("nothing was found; fewer words find more, and so does following a channel")
		return nil
	}
	rows := make([]row, len(r.Hits))
	for i, h := range r.Hits {
		from := "here"
		if !h.Channel.IsZero() {
			from = h.Channel.Short()
		}
		rows[i] = row{cells: []string{h.ID.Short(), knownSize(h.Bytes), age(now.Sub(h.Time)), from, escape(h.Name)}, note: escape(matchOf(h))}
	}
	out.table([]column{
		{title: "ID"}, {title: "SIZE", right: true}, {title: "AGE", right: true}, {title: "CHANNEL"}, {title: "NAME"},
	}, rows)
	switch {
	case r.More && len(r.Hits) < r.Total:
		out.say("%d of more than %d; --limit shows more, another word finds the older ones", len(r.Hits), r.Total)
	case r.More:
		out.say("there are more, older ones; another word finds them")
	case len(r.Hits) < r.Total:
		out.say("%d of %d; --limit shows more, another word fewer", len(r.Hits), r.Total)
	}
	return nil
}

// matchOf is the path or sentence that matched, "" where it is the name.
func matchOf(h index.Hit) string {
	s := strings.NewReplacer(index.SnippetStart, "", index.SnippetEnd, "").Replace(h.Snippet)
	if s == h.Name {
		return ""
	}
	return s
}

// age is a time span in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return span(d.Truncate(time.Minute))
	case d < 24*time.Hour:
		return span(d.Truncate(time.Hour))
	}
	return span(d.Truncate(24 * time.Hour))
}

// isShortID tells that an argument may be the beginning of an ID that a search
// has shown.
func isShortID(arg string) bool {
	return len(arg) >= 4 && len(arg) < 40 && strings.Trim(strings.ToLower(arg), hexDigits) == ""
}

// catalogued finds the one content of the catalogue whose ID begins so.
func catalogued(ctx context.Context, n client, digits string) (source, error) {
	all, err := n.Entries(ctx, digits)
	if errors.Is(err, index.ErrUnknown) {
		return source{}, share.Errorf(share.Refused, "%q is not a link, not a file, and no ID in the catalogue begins like that", digits)
	}
	if err != nil {
		return source{}, err
	}
	var link share.Link
	for _, e := range all {
		l, err := share.ParseLink(e.Link)
		if err != nil {
			return source{}, err
		}
		switch {
		case link.ID.IsZero():
			link = l
		case link.ID != l.ID:
			return source{}, usageErrorf("%s begins several IDs of the catalogue, such as %s and %s: give more digits", digits, link.ID, l.ID)
		default: // in several channels: ask whomever any of them names
			link.Peers = append(link.Peers, l.Peers...)
		}
	}
	return source{link: link}, nil
}
