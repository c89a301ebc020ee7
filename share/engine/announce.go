package engine

import (
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// announcer makes transfers known: to trackers, through the finders, and to peers
// that connect to us and ask for one. The loop owns it, except last.
type announcer struct {
	finders    []Finder
	noTrackers bool
	network    interface {
		Offer(share.ID)
		Withdraw(share.ID)
	}
	trackers interface {
		Add(id share.ID, tiers [][]string, p tracker.Progress)
		Remove(id share.ID, p tracker.Progress)
	}

	kept sync.Map // share.ID to tracker.Progress
}

// show announces t. It may be called again at any time.
func (a *announcer) show(t *transfer) {
	// How much is left is not known before what is on disk was looked at.
	o := t.opened()
	looked := !t.known() || t.done || o != nil && !o.unknown
	if len(t.options.Trackers) > 0 && !a.noTrackers && looked {
		tiers := make([][]string, len(t.options.Trackers)) // one each: all are asked
		for i := range tiers {
			tiers[i] = t.options.Trackers[i : i+1]
		}
		a.trackers.Add(t.id, tiers, t.figures())
	}
	if !t.known() {
		return // there is nothing to upload yet
	}
	a.network.Offer(t.id)
	if t.peers.announced || t.private() {
		return
	}
	for _, f := range a.finders {
		f.Announce(t.id)
	}
	t.peers.announced = true
}

// hide undoes show.
func (a *announcer) hide(t *transfer) {
	if len(t.options.Trackers) > 0 {
		a.trackers.Remove(t.id, t.figures())
	}
	a.network.Withdraw(t.id)
	if !t.peers.announced {
		return
	}
	t.peers.announced = false
	for _, f := range a.finders {
		f.Withdraw(t.id)
	}
}

// keep remembers the figures of t for the last announce, which is made when the
// loop has ended.
func (a *announcer) keep(t *transfer) {
	if len(t.options.Trackers) > 0 {
		a.kept.Store(t.id, t.figures())
	}
}

// last returns what keep was given. It may be called from any goroutine.
func (a *announcer) last(id share.ID) (p tracker.Progress, known bool) {
	v, known := a.kept.Load(id)
	if known {
		p = v.(tracker.Progress)
	}
	return p, known
}
