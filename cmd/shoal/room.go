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

// roomWarning says that what is fetched will not fit on the disk, before it fills
// up: once for what is selected, and again for each selection of more.
type roomWarning struct {
	settled bool  // it was said, or it fits
	of      int64 // bytes of which that is known
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

// warnRoom tells whether it is settled that t fits on the disk: it said so, or it
// fits. As long as only the link states the size, which it may put too low, it can
// say so but does not settle that it fits.
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
		return true // of a node that cannot tell
	}
	if t.Size == 0 {
		r.Needed = stated
	}
	if r.Enough() {
		return t.Size > 0
	}
	text := fmt.Sprintf("%s will not fit: it needs %s more, and %s are free where it goes (%s)", nameOf(t), size(r.Needed), size(r.Free), r.Path)
	if r.MinFree > 0 {
		text += fmt.Sprintf(", of which --min-free keeps %s", size(r.MinFree))
	}
	if out.json {
		out.record(warningRecord{"warning", share.Disk.Code(), t.ID, text, r})
	}
	out.say("shoal: warning: %s", escape(text))
	return true
}
