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
		name: "search", args: "QUERY...", short: "search your transfers and the channels you follow", group: "Inspect",
		min: 1, max: -1,
		long: `A search stays on this machine. It covers the local catalogue: the transfers of this node and the entries ` +
			`of the channels it follows.` + "\n\n" +
			`A word also matches longer words that begin with it; case and accents are ignored. "A phrase" in quotes ` +
			`matches exactly, and -word excludes. file:WORD searches paths, tag:TAG tags, and channel:NAME channels of that ` +
			`name (me is this node). type: is video, audio, image, text, archive or program. size:>1G and size:<700M compare ` +
			`sizes, since:2026-01 and before:2026 dates. Put -- before a query that begins with a minus.` + "\n\n" +
			`Pass the ID of a result to shoal get to download it. If there are more than some hundred matches, only the ` +
			`newest are ranked, and search tells you so.`,
		examples: []example{
			{"shoal search summer holiday", "find both words, or longer words that begin with them"},
			{"shoal search 'type:video size:>1G -trailer'", "quote the query: the shell treats > specially"},
			{"shoal search --json '\"blue sky\" since:2026' | jq -r .link", "print the links, for a script"},
		},
		flags: append([]cli.Flag{
			&cli.IntFlag{Name: "limit", Value: 20, EnvVars: envOf("limit"), Usage: "show at most `N` results, up to 500"},
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			q := index.Query{Text: strings.Join(c.Args().Slice(), " "), Limit: c.Int("limit")}
			if q.Limit < 1 || q.Limit > 500 {
				return usageErrorf("--limit must be from 1 to 500, not %d", q.Limit)
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
	Snippet string    `json:"snippet,omitempty"` // the text that matched, if that is not the name
	Sealed  bool      `json:"sealed,omitempty"`  // see index.Entry
}

func runSearch(ctx context.Context, n client, q index.Query, now time.Time, out *output) error {
	r, err := n.Search(ctx, q)
	if err != nil {
		return err
	}
	if out.json {
		for _, h := range r.Hits {
			rec := hitRecord{ID: h.ID, Name: h.Name, Link: h.Link, Bytes: h.Bytes, Time: h.Time, Tags: h.Tags, Snippet: matchOf(h), Sealed: h.Sealed}
			if !h.Channel.IsZero() {
				rec.Channel = h.Channel.String()
			}
			out.record(rec)
		}
		return nil
	}
	if len(r.Hits) == 0 {
		out.say("no results; try fewer words, or follow more channels")
		return nil
	}
	rows := make([]row, len(r.Hits))
	for i, h := range r.Hits {
		from := "here"
		if !h.Channel.IsZero() {
			from = h.Channel.Short()
		}
		rows[i] = row{cells: []string{h.ID.Short(), knownSize(h.Bytes), entryAge(now, h.Time), from, escape(entryName(h.Entry))}, note: escape(matchOf(h))}
	}
	out.table([]column{
		{title: "ID"}, {title: "SIZE", right: true}, {title: "AGE", right: true}, {title: "CHANNEL"}, {title: "NAME"},
	}, rows)
	switch {
	case r.More && len(r.Hits) < r.Total:
		out.say("%d of more than %d; --limit shows more, another word finds older ones", len(r.Hits), r.Total)
	case r.More:
		out.say("there are older matches; add a word to find them")
	case len(r.Hits) < r.Total:
		out.say("%d of %d; --limit shows more, another word narrows the search", len(r.Hits), r.Total)
	}
	return nil
}

// matchOf is the path or sentence that matched, or "" if the name matched.
func matchOf(h index.Hit) string {
	s := strings.NewReplacer(index.SnippetStart, "", index.SnippetEnd, "").Replace(h.Snippet)
	if s == h.Name {
		return ""
	}
	return s
}

// age writes a duration in its largest unit.
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

// isShortID reports whether an argument may be a shortened ID as search shows it.
func isShortID(arg string) bool {
	return len(arg) >= 4 && len(arg) < 40 && strings.Trim(strings.ToLower(arg), hexDigits) == ""
}

// catalogued finds the one content in the catalogue whose ID begins with digits.
func catalogued(ctx context.Context, n client, digits string) (source, error) {
	all, err := n.Entries(ctx, digits)
	if errors.Is(err, index.ErrUnknown) {
		return source{}, share.Errorf(share.Refused, "%s is not a link or a file, and no ID in the catalogue begins with it", share.Quote(digits))
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
		case link.Key().IsZero():
			link = l
		case link.Key() != l.Key():
			return source{}, usageErrorf("%s matches several IDs in the catalogue, such as %s and %s: give more digits", digits, link.Key(), l.Key())
		default: // in several channels: use the peers of each, and the key that one has
			link.Peers = append(link.Peers, l.Peers...)
			if link.Secret.IsZero() {
				link.Secret = l.Secret
			}
		}
	}
	return source{link: link}, nil
}
