package engine

import (
	"testing"

	"github.com/shoalnet/shoal/share"
)

// A peer that has nothing but uTP is enough, for the info dictionary, too.
func TestALinkToAPeerThatHasOnlyUTP(t *testing.T) {
	t.Parallel()
	src := someFiles(t)
	a, b := newNode(t, onlyUTP(t)), newNode(t, onlyUTP(t))
	shared := a.share(src)
	b.fetch(shared.Link, t.TempDir())
	sameTree(t, src, b.waitState(shared.ID, share.Seeding).Path)
}
