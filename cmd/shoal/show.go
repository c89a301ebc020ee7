package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func showVerb() *verb {
	return &verb{
		name: "show", args: "ID...", short: "show everything about a transfer", group: "Inspect", min: 1, max: -1, ids: true,
		long: `An ID may be shortened as long as no other transfer's ID begins the same. This holds for all verbs that ` +
			`take an ID.`,
		examples: []example{{"shoal show 3fa9", "show its state, its rates and its link"}},
		flags:    nodeFlags(),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				if c.NArg() == 1 {
					links, err := n.ReceiveLinks(ctx)
					if err != nil {
						return err
					}
					if l, ok := receiveLinkNamed(links, c.Args().First()); ok {
						showReceiveLink(l, c.out)
						return nil
					}
				}
				return each(ctx, n, c, func(t share.Transfer) error { return runShow(ctx, n, life, t, c.out) })
			})
		},
	}
}

// each calls do with the transfer of each argument. If there are several, it
// prints a heading for each.
func each(ctx context.Context, n client, c *call, do func(share.Transfer) error) error {
	for i, arg := range c.Args().Slice() {
		t, err := resolve(ctx, n, arg)
		if err != nil {
			return err
		}
		if c.NArg() > 1 && !c.out.json {
			if i > 0 {
				c.out.data("")
			}
			c.out.data(t.ID.Short() + "  " + escape(listedName(t)))
		}
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}

// shown is a transfer and its sources of peers, as one JSON object.
type shown struct {
	share.Transfer
	Discovery []share.Way   `json:"discovery"`
	WebLinks  []api.WebLink `json:"web_links,omitempty"`
}

func runShow(ctx context.Context, n client, life lifetime, t share.Transfer, out *output) error {
	ways, err := n.Discovery(ctx, t.ID)
	if err != nil {
		return err
	}
	webs, err := n.WebLinks(ctx)
	if err != nil {
		return err
	}
	if out.json {
		out.record(shown{t, ways, webLinksByTransfer(webs)[t.ID]})
		return nil
	}
	state := string(t.State)
	if t.Reason != "" {
		state += ": " + escape(t.Reason)
	}
	if life == ours {
		state += "\n(idle: no node is running; shoal daemon starts one)"
	}
	progress := ""
	if t.State != share.Seeding {
		progress = fmt.Sprintf("%s of %s, %d%%", size(t.Bytes), size(t.Total), percent(t.Bytes, t.Total))
	}
	whole := ""
	if t.Size > 0 {
		whole = exact(t.Size) + " in " + count(t.Files, "file") + hiddenOnes(t)
	}
	place := escape(t.Path)
	if t.Own {
		place += "\n(shared from there; shoal only reads it)"
	}
	out.facts(
		[2]string{"name", escape(nameOf(t))},
		[2]string{"ID", t.ID.String()},
		[2]string{"v1 ID", v1ID(t.V1)},
		[2]string{"v2 ID", v2ID(t.V2)},
		[2]string{"state", state},
		[2]string{"done", progress},
		[2]string{"sealed", readers(t)},
		[2]string{"size", whole},
		[2]string{"left out", omissions(t.LeftOut)},
		[2]string{"path", place},
		[2]string{"list of", listOf(t)},
		[2]string{"peers", peersOf(t)},
		[2]string{"found by", foundBy(ways)},
		[2]string{"down", fmt.Sprintf("%s, %s in total", rate(t.Down), size(t.Downloaded))},
		[2]string{"up", fmt.Sprintf("%s, %s in total%s", rate(t.Up), size(t.Uploaded), ratioOf(t))},
		[2]string{"limits", limitsOf(t.Limits)},
		[2]string{"seeds until", goalOf(t.Goal)},
		[2]string{"added", when(t.Added)},
		[2]string{"complete", when(t.Completed)},
		[2]string{"looked at", when(t.Looked)},
		[2]string{"link", t.Link},
		[2]string{"without key", blindLink(t.Link)},
		[2]string{"web link", webLinksOf(webs, t.ID, time.Now())},
	)
	return nil
}

// listOf names the channel whose list the transfer is.
func listOf(t share.Transfer) string {
	if t.Channel == "" {
		return ""
	}
	return "channel " + t.Channel
}

func peersOf(t share.Transfer) string {
	text := "none"
	if t.Peers > 0 {
		text = fmt.Sprintf("%d, %d of them seeds", t.Peers, t.Seeds)
	}
	if t.IPv4Only > 0 {
		text += "\n" + ipv4Only(t)
	}
	return text
}

// ipv4Only tells of the peers that were skipped, and how to reach them.
func ipv4Only(t share.Transfer) string {
	return fmt.Sprintf("%s skipped, IPv4 only (start the node with --ipv4 to use them)", count(t.IPv4Only, "peer"))
}

// foundBy lists the sources of peers: how many addresses each returned, or its
// error.
func foundBy(ways []share.Way) string {
	var lines []string
	for _, w := range ways {
		if !w.On {
			continue
		}
		line := fmt.Sprintf("%s: %s", w.Source, count(w.Found, "peer"))
		switch w.Source {
		case share.FromTracker:
			line = fmt.Sprintf("%s %s: %s", w.Source, escape(w.Name), count(w.Found, "peer"))
		case share.FromWebSeed:
			line = fmt.Sprintf("%s %s: %s", w.Source, escape(w.Name), map[bool]string{true: "not tried yet", false: "works"}[w.Last.IsZero()])
		}
		if w.Error != "" {
			line += ", " + escape(w.Error)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func ratioOf(t share.Transfer) string {
	if t.Size == 0 {
		return ""
	}
	return fmt.Sprintf(", ratio %.2f", float64(t.Uploaded)/float64(t.Size))
}

func limitsOf(l share.Limits) string {
	if l == (share.Limits{}) {
		return ""
	}
	return "down " + limitOf(l.Down) + ", up " + limitOf(l.Up)
}

func goalOf(g share.Goal) string {
	switch {
	case g.None:
		return "complete"
	case g.Ratio > 0 && g.For > 0:
		return fmt.Sprintf("ratio %g or %s after completion", g.Ratio, span(g.For))
	case g.Ratio > 0:
		return fmt.Sprintf("ratio %g", g.Ratio)
	case g.For > 0:
		return span(g.For) + " after completion"
	}
	return "paused or removed"
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// untilWhen says how long it is until a time, to the nearest day, hour or minute.
func untilWhen(t, now time.Time) string {
	d := t.Sub(now)
	for _, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		if d.Abs() >= unit {
			d = d.Round(unit)
			break
		}
	}
	return humanize.RelTime(now.Add(d), now, "ago", "from now")
}
