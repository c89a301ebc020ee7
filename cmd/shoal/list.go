package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func listVerb() *verb {
	return &verb{
		name: "list", short: "list the transfers of this node", group: "Inspect",
		examples: []example{
			{"shoal list", "one line for each transfer"},
			{"shoal list --json | jq -r 'select(.state==\"error\").reason'", "the errors, for a script"},
		},
		long: `The list of a channel is a small transfer, too. These are hidden unless they have an error; --all shows ` +
			`them. JSON output always includes them; they have the key "channel".` + "\n\n" +
			`The links with which people send files come after the transfers. In JSON they have the key "event", which is ` +
			`"receiving"; transfers have none.`,
		flags: append([]cli.Flag{
			boolFlag("all", "also show the lists of channels"),
			boolFlag("receiving", "list only the links with which people send files, with all details"),
		}, nodeFlags()...),
		run: func(ctx context.Context, c *call) error {
			return withNode(ctx, c, false, func(ctx context.Context, n client, life lifetime) error {
				if c.Bool("receiving") {
					return runListReceiving(ctx, n, c.out)
				}
				return runList(ctx, n, life, c.Bool("all"), c.out)
			})
		},
	}
}

// listedRecord is a transfer with its web links, as one JSON object.
type listedRecord struct {
	share.Transfer
	WebLinks []api.WebLink `json:"web_links,omitempty"`
}

func runList(ctx context.Context, n client, life lifetime, lists bool, out *output) error {
	var fields []string // all
	if !out.json {
		fields = []string{"id", "name", "state", "bytes", "total", "down", "up", "peers", "completed", "looked", "reason", "channel", "size", "seal"}
	}
	all, err := n.Transfers(ctx, fields...)
	if err != nil {
		return err
	}
	webs, err := n.WebLinks(ctx)
	if err != nil {
		return err
	}
	receiving, err := n.ReceiveLinks(ctx)
	if err != nil {
		return err
	}
	by := webLinksByTransfer(webs)
	if out.json {
		lines := make([]listedRecord, len(all))
		for i, t := range all {
			lines[i] = listedRecord{t, by[t.ID]}
		}
		records(out, lines)
		records(out, receivingRecords(receiving))
		return nil
	}
	total := len(all)
	if !lists {
		all = slices.DeleteFunc(all, func(t share.Transfer) bool { return t.Channel != "" && t.State != share.Stopped })
	}
	switch {
	case len(all) > 0:
		listTransfers(all, by, out)
	case total > 0:
		out.say("no transfers except %s of channels (shoal list --all)", count(total, "list"))
	default:
		out.say("no transfers yet (shoal share PATH, shoal get LINK)")
	}
	if len(receiving) > 0 {
		if len(all) > 0 {
			out.data("")
		}
		listReceiving(receiving, time.Now(), out)
	}
	if life == ours && len(all) > 0 {
		out.tell("no node is running, so these transfers are idle (shoal daemon starts one)")
	}
	return nil
}

func listTransfers(all []share.Transfer, by map[share.ID][]api.WebLink, out *output) {
	rows := make([]row, len(all))
	for i, t := range all {
		rows[i] = row{cells: []string{
			t.ID.Short(), string(t.State), done(t), sizeOf(t), shortRate(t.Down), shortRate(t.Up),
			fmt.Sprint(t.Peers), escape(listedName(t)),
		}, tone: toneOfState(t.State)}
		switch {
		case t.Reason != "":
			rows[i].note = escape(t.Reason)
		case complete(t):
			rows[i].note = lastLook(t.Looked, time.Now())
		}
		if rows[i].note == "" {
			rows[i].note = webLinkNote(by[t.ID], t.ID)
		}
	}
	out.table([]column{
		{title: "ID"}, {title: "STATE", toned: true}, {title: "DONE", right: true}, {title: "SIZE", right: true},
		{title: "DOWN/S", right: true}, {title: "UP/S", right: true}, {title: "PEERS", right: true}, {title: "NAME"},
	}, rows)
}

// lastLook says when the files of a complete transfer were last checked, if that was
// long ago.
func lastLook(looked, now time.Time) string {
	const long = 30 * time.Minute // three rounds of the engine
	switch {
	case looked.IsZero():
		return "its files were not checked since the node started"
	case now.Sub(looked) > long:
		return "its files were last checked " + humanize.RelTime(looked, now, "ago", "")
	}
	return ""
}

// done is the percentage of a transfer that is on disk, "" while its size is unknown.
func done(t share.Transfer) string {
	if t.Total == 0 && t.Completed.IsZero() {
		return ""
	}
	if complete(t) {
		return "100%"
	}
	return fmt.Sprintf("%d%%", percent(t.Bytes, t.Total))
}

func sizeOf(t share.Transfer) string {
	if t.Total == 0 && t.Completed.IsZero() {
		return "?"
	}
	return size(t.Total)
}

// shortRate is a rate, or "" for zero, so that active transfers stand out.
func shortRate(n int64) string {
	if n == 0 {
		return ""
	}
	return size(n)
}
