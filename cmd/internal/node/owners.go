package node

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/cmd/internal/watch"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

// ownerOf returns who owns a transfer at a path whose owner was not recorded by the
// version that made it.
func (n *Node) ownerOf(path string) engine.Owner {
	if dir := filepath.Dir(path); slices.Contains(n.current().ShareWatch, dir) {
		return engine.WatchOwner(dir)
	}
	return (&swarm{lists: ChannelDir(n.current().State)}).owner(path)
}

var _ watch.Node = watched{}

// watched is the node as its watched folders see it: they own what is shared from
// them, and end nothing that others want.
type watched struct{ *intake }

func (w watched) List() []share.Transfer { return w.engine.List() }

func (w watched) Share(ctx context.Context, r api.ShareRequest) (share.Transfer, error) {
	return w.shareFor(ctx, engine.WatchOwner(filepath.Dir(r.Path)), r)
}

func (w watched) Remove(id share.ID, _ bool) ([]share.Kept, error) {
	t, err := w.engine.Get(id)
	if err != nil {
		return nil, err
	}
	return nil, w.engine.Release(id, engine.WatchOwner(filepath.Dir(t.Path)), false)
}
