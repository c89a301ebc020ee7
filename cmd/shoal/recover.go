package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/share"
)

func recoverVerb() *verb {
	return &verb{
		name: "recover", short: "rebuild a damaged state from what is kept beside it", group: "The node", max: 0,
		long: `Where state.db is damaged or gone, nothing starts, so that nothing is lost by starting empty. This verb makes a ` +
			`new one from the torrents and notes in torrents/ and the keys in channels/, and keeps the damaged one beside it ` +
			`under another name. All data is hashed again before it is trusted. Nothing happens where the state is sound, and ` +
			`while a node is running.` + "\n\n" +
			`A transfer whose note is gone, too, comes back as a share of its files, which count as your own and are never deleted: ` +
			`they are looked for where the damaged state says, in the folder for downloads, and in each --in.`,
		examples: []example{
			{"shoal recover", "after an error that says so"},
			{"shoal recover --in /media/films --in ~/photos", "some files are there"},
		},
		flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "in", Usage: "look in `DIR` for the files of transfers whose place is not known; may be given more than once"},
		}, settingFlags(func(s config.Setting) bool { return s.Name == "state" || s.Name == "config" || s.Name == "downloads" })...),
		run: runRecover,
	}
}

type recoveredRecord struct {
	Event   string `json:"event"` // recovered, lost
	ID      string `json:"id"`
	Name    string `json:"name"`
	Kind    string `json:"kind"` // share, fetch, channel
	Path    string `json:"path,omitempty"`
	Noted   bool   `json:"noted"` // as it was
	Message string `json:"message,omitempty"`
}

type recoveryRecord struct {
	Event string `json:"event"` // done
	Sound bool   `json:"sound"`
	Aside string `json:"aside,omitempty"`
	Lost  int    `json:"lost"`
}

func runRecover(ctx context.Context, c *call) error {
	cfg, err := config.Load(c.sources())
	if err != nil {
		return err
	}
	var folders []string
	for _, f := range c.StringSlice("in") {
		abs, err := filepath.Abs(f)
		if err != nil {
			return usageErrorf("--in %q: %w", f, err)
		}
		folders = append(folders, abs)
	}
	r, err := node.Recover(ctx, cfg, buildVersion().Version, folders)
	if err != nil {
		return err
	}
	lost := 0
	for _, rec := range recoveredRecords(r) {
		if rec.Event == "lost" {
			lost++
		}
		switch {
		case c.out.json:
			c.out.record(rec)
		case rec.Event == "lost":
			c.out.say("not recovered: %s %s: %s", rec.Kind, escape(orElse(rec.Name, rec.ID[:8])), escape(rec.Message))
		default:
			c.out.say("recovered: %s %s%s", rec.Kind, escape(orElse(rec.Name, rec.ID[:8])), place(rec))
		}
	}
	if c.out.json {
		c.out.record(recoveryRecord{"done", r.Why == nil, r.Aside, lost})
	} else {
		sayRecovery(r, cfg.State, c.out)
	}
	if lost > 0 {
		return share.Errorf(share.Disk, "%d did not come back; the torrents stay in %s (shoal recover --in DIR looks for the files in a folder, shoal get FILE.torrent --output DIR begins anew)",
			lost, filepath.Join(cfg.State, "torrents"))
	}
	return nil
}

func place(r recoveredRecord) string {
	if r.Path == "" {
		return ""
	}
	return fmt.Sprintf(" at %s", escape(atHome(r.Path)))
}

func recoveredRecords(r *node.Recovery) []recoveredRecord {
	var all []recoveredRecord
	for _, t := range r.Transfers {
		rec := recoveredRecord{Event: "recovered", ID: t.ID.String(), Name: t.Name, Kind: "fetch", Path: t.Path, Noted: t.Noted}
		if t.Own {
			rec.Kind = "share"
		}
		if t.Err != nil {
			rec.Event, rec.Kind, rec.Message = "lost", "transfer", t.Err.Error()
		}
		all = append(all, rec)
	}
	for _, ch := range r.Channels {
		rec := recoveredRecord{Event: "recovered", ID: ch.ID.String(), Name: ch.Name, Kind: "channel", Noted: true}
		if ch.Err != nil {
			rec.Event, rec.Message = "lost", ch.Err.Error()
		}
		all = append(all, rec)
	}
	return all
}

func sayRecovery(r *node.Recovery, dir string, out *output) {
	switch {
	case r.Why == nil && len(r.Transfers) == 0:
		out.say("the state in %s is sound: there is nothing to recover", atHome(dir))
		return
	case r.Why == nil:
		return
	}
	if r.Aside != "" {
		out.say("the damaged state is kept as %s", atHome(r.Aside))
	}
	out.say("the state is new. What was changed with shoal limit or on the page, what was in channels and not published, how much of a channel is mirrored, and the history of speeds are gone. All data is hashed again before it counts.")
}
