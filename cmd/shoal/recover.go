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
		name: "recover", short: "rebuild a damaged state from the files beside it", group: "The node", max: 0,
		long: `If state.db is damaged or missing, no node starts, because starting with an empty one would lose your ` +
			`transfers. recover makes a new state.db from the torrents and notes in torrents/ and the keys in channels/. It ` +
			`renames the damaged file and keeps it. All data is hashed again before it is trusted. If the state is ` +
			`sound, or a node is running, recover changes nothing.` + "\n\n" +
			`If the note of a transfer is missing, too, recover searches for its files: in the folder that the damaged state ` +
			`names, in the download folder, and in each --in. The transfer then becomes a share, and its files ` +
			`count as yours, so shoal never deletes them.`,
		examples: []example{
			{"shoal recover", "after an error message that suggests it"},
			{"shoal recover --in /media/films --in ~/photos", "also search these folders for files"},
		},
		flags: append([]cli.Flag{
			&cli.StringSliceFlag{Name: "in", Usage: "search `DIR` for the files of transfers whose folder is not known; may be given more than once"},
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
		return share.Errorf(share.Disk, "%d could not be recovered; the torrents stay in %s (shoal recover --in DIR searches a folder for the files, shoal get FILE.torrent --output DIR starts again)",
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
	out.tell("the state is new: settings changed with shoal limit or on the page, unpublished changes of channels, the quotas of mirrors and the history of speeds are lost. All data is hashed again before it counts as complete.")
}
