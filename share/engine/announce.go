package engine

import (
	"slices"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/tracker"
)

// announcer makes transfers known by all of their names: to trackers, through the
// finders, and to peers that connect to us and ask for one. The loop owns it, except
// last.
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
		for _, id := range t.ids() {
			a.trackers.Add(id, tiers, t.figures())
			t.peers.tell(id)
		}
	}
	if t.known() { // else there is nothing to upload yet
		a.offer(t)
	}
	if t.private() {
		a.conceal(t)
		return
	}
	if !t.known() && len(t.options.Trackers) > 0 {
		return // it may be private
	}
	// Also what is not known is announced: a seed that cannot be called calls us.
	for _, id := range t.ids() {
		if slices.Contains(t.peers.announced, id) {
			continue
		}
		for _, f := range a.finders {
			f.Announce(id)
		}
		t.peers.announced = append(t.peers.announced, id)
	}
}

// offer lets peers ask for t.
func (a *announcer) offer(t *transfer) {
	for _, id := range t.ids() {
		a.network.Offer(id)
		t.peers.tell(id)
	}
}

// hide undoes show.
func (a *announcer) hide(t *transfer) {
	for _, id := range t.peers.told {
		if len(t.options.Trackers) > 0 {
			a.trackers.Remove(id, t.figures())
		}
		a.network.Withdraw(id)
	}
	a.conceal(t)
	t.peers.told = nil
}

// conceal has finders announce t no longer.
func (a *announcer) conceal(t *transfer) {
	for _, id := range t.peers.announced {
		for _, f := range a.finders {
			f.Withdraw(id)
		}
	}
	t.peers.announced = nil
}

// keep remembers the figures of t for the last announce, which is made when the
// loop has ended.
func (a *announcer) keep(t *transfer) {
	if len(t.options.Trackers) > 0 {
		for _, id := range t.ids() {
			a.kept.Store(id, t.figures())
		}
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
