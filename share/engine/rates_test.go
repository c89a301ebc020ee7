package engine

import (
	"testing"

	"github.com/shoalnet/shoal/share"
)

// Both ends of a transfer agree about it.
func TestFiguresOfBothEnds(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	size := shared.Size
	given := a.wait(shared.ID, "all of it to be given", func(s share.Transfer) bool { return s.Uploaded >= size })
	got, err := b.Get(shared.ID)
	if err != nil || given.Uploaded != size || got.Downloaded != size || got.Uploaded != 0 {
		t.Errorf("given %d, got %d and gave %d, of %d: %v", given.Uploaded, got.Downloaded, got.Uploaded, size, err)
	}
	if got.Down != 0 {
		t.Errorf("the download has ended, at %d bytes a second", got.Down)
	}
}
