package engine

import (
	"os"
	"testing"

	"github.com/shoalnet/shoal/share"
)

func TestContentLargerThanAllowedIsNotFetched(t *testing.T) {
	a, b := newNode(t), newNode(t)
	shared := a.share(someFiles(t))
	dst := t.TempDir()
	b.fetch(shared.Link, dst, func(r *FetchRequest) { r.MaxSize = shared.Size - 1 })
	if got := b.waitState(shared.ID, share.Stopped); got.Code != share.Refused.Code() || got.Bytes != 0 {
		t.Errorf("stopped as %+v", got)
	}
	if left, err := os.ReadDir(dst); err != nil || len(left) != 0 {
		t.Errorf("on disk: %v, %v", left, err)
	}
	if _, err := b.Remove(shared.ID, true); err != nil {
		t.Fatal(err)
	}
	b.fetch(shared.Link, dst, func(r *FetchRequest) { r.MaxSize = shared.Size })
	b.waitState(shared.ID, share.Seeding)

	torrent, err := a.Torrent(shared.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := newNode(t)
	if _, err := c.Fetch(t.Context(), FetchRequest{Torrent: torrent, Output: dst, MaxSize: 1}); share.KindOf(err) != share.Refused {
		t.Errorf("with a torrent: %v", err)
	}
}
