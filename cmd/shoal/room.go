package main

import (
	"context"
	"fmt"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

type warningRecord struct {
	Event   string   `json:"event"`
	Code    string   `json:"code"`
	ID      share.ID `json:"id"`
	Message string   `json:"message"`
	api.Room
}

// roomWarning warns that a download does not fit on the disk, before the disk is
// full: once for the selected files, and again when more are selected.
type roomWarning struct {
	settled bool  // the user was warned, or it fits
	of      int64 // bytes for which that is known
}

func (w *roomWarning) look(ctx context.Context, n client, arg string, t share.Transfer, opts getOptions, out *output) {
	if t.State != share.Checking && t.Total > w.of {
		w.settled = false
	}
	if w.settled {
		return
	}
	var stated int64
	if src, err := parseSource(arg); err == nil && len(opts.files) == 0 {
		stated = src.link.Length
	}
	if w.settled = warnRoom(ctx, n, t, stated, out); w.settled {
		w.of = max(t.Total, stated)
	}
}

// warnRoom warns if t does not fit on the disk, and reports whether that is settled.
// The size that a link states may be too low, so while only the link states it, a
// download that seems to fit is not settled.
func warnRoom(ctx context.Context, n client, t share.Transfer, stated int64, out *output) (settled bool) {
	switch {
	case complete(t):
		return true
	case t.State == share.Checking: // what is missing is known afterwards
		return false
	case t.Size == 0 && stated == 0:
		return false
	}
	r, err := n.Room(ctx, t.ID)
	if err != nil {
		return true // this node cannot tell
	}
	if t.Size == 0 {
		// The file list may have come, and content after it, since t was read.
		if now, err := n.Transfer(ctx, t.ID); err != nil || now.Size > 0 {
			return err != nil
		}
		r.Needed = stated
	}
	if r.Enough() {
		return t.Size > 0
	}
	text := fmt.Sprintf("%s does not fit: it needs %s more, but %s are free in %s", nameOf(t), size(r.Needed), size(r.Free), r.Path)
	if r.MinFree > 0 {
		text += fmt.Sprintf(", of which --min-free keeps %s", size(r.MinFree))
	}
	if out.json {
		out.record(warningRecord{"warning", share.Disk.Code(), t.ID, text, r})
	}
	out.say("shoal: warning: %s", escape(text))
	return true
}
