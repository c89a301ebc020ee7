package node

import (
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/door"
)

// SetSeed implements api.WebLinks.
func (w *webLinks) SetSeed(id share.ID, on bool) error {
	if w.door == nil {
		return share.Errorf(share.Failed, "this node only shows what is stored, and serves no web seeds")
	}
	t, err := w.engine.Get(id)
	if err != nil {
		return err
	}
	l, has := w.links.Seed(t.ID, t.Added)
	switch {
	case on == has:
		return nil
	case on:
		err = w.addSeed(t)
	default:
		err = w.Revoke(l.ID)
	}
	if err != nil {
		return err
	}
	return w.engine.LinkChanged(t.ID)
}

func (w *webLinks) addSeed(t share.Transfer) error {
	if t.State == share.Hashing {
		return share.Errorf(share.Failed, "%w: it is being hashed; make the web seed when that is over", share.ErrBusy)
	}
	if err := door.RefusesSeed(t); err != nil {
		return err
	}
	links, err := w.List() // makes room
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Transfer == t.ID && !l.Ended && (l.Password || l.MaxDownloads > 0 || !l.Expires.IsZero()) {
			return share.Errorf(share.Refused, "%s gets no web seed: it has a web link with a password, an expiry or a download limit (%s), and a web seed can have none of these; "+
				"end that first, with shoal remove --web-link %s", t.ID.Short(), l.ID, l.ID)
		}
	}
	_, err = w.links.Add(door.Link{Transfer: t.ID, Added: t.Added, Seed: true})
	return err
}

// bounded says why a transfer gets no web link that is restricted; nil if it may have one.
func (w *webLinks) bounded(t share.Transfer) error {
	if _, has := w.links.Seed(t.ID, t.Added); !has {
		return nil
	}
	return share.Errorf(share.Refused, "%s has a web seed, which lets everybody who has its magnet link download without a password, an expiry or a limit; "+
		"end that first, with shoal remove --web-seed %s", t.ID.Short(), t.ID.Short())
}

// seedsOf returns the URLs of the web seed of a transfer, for its link: only the best one,
// to keep links short. What was removed and is shared again has none.
func (w *webLinks) seedsOf(id share.ID, added time.Time) []string {
	if w == nil || !w.open.Load() {
		return nil
	}
	l, has := w.links.Seed(id, added)
	if !has {
		return nil
	}
	for _, base := range w.bases() {
		return []string{base + l.Path() + "/"}
	}
	return nil
}
