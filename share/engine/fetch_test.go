package engine

import (
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestShareAndFetch(t *testing.T) {
	src := someFiles(t)
	a, b := newNode(t), newNode(t)
	sub := b.Subscribe(10_000)
	defer sub.Close()

	shared := a.share(src)
	if shared.Path != src || !shared.Own || shared.Bytes != shared.Total || shared.Total == 0 {
		t.Errorf("shared: %+v", shared)
	}
	dst := t.TempDir()
	first := b.fetch(shared.Link, dst)
	if first.ID != shared.ID || first.State != share.Finding {
		t.Errorf("fetching begins as %+v", first)
	}
	done := b.waitState(shared.ID, share.Seeding)
	if done.Bytes != done.Total || done.Total != shared.Total || done.Completed.IsZero() {
		t.Errorf("done: %+v", done)
	}
	if done.Path != filepath.Join(dst, filepath.Base(src)) {
		t.Errorf("path: %q", done.Path)
	}
	sameTree(t, src, done.Path)

	sub.Close()
	var kinds []share.EventType
	for ev := range sub.C {
		if ev.Type != share.EventChanged && ev.Type != share.EventNote {
			kinds = append(kinds, ev.Type)
		}
	}
	if len(kinds) < 3 || kinds[0] != share.EventAdded || kinds[len(kinds)-1] != share.EventDone {
		t.Errorf("events: %v", kinds)
	}
}
