package node

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

// ownerOf is who owned what is at a path before owners were noted.
func (n *Node) ownerOf(path string) engine.Owner {
	if dir := filepath.Dir(path); slices.Contains(n.current().ShareWatch, dir) {
		return engine.WatchOwner(dir)
	}
	return (&swarm{lists: ChannelDir(n.current().State)}).owner(path)
}

// watched is the node as its watched folders see it: they own what is shared
// from them, and end nothing that is anybody else's.
type watched struct{ *served }

func (w watched) Share(ctx context.Context, r api.ShareRequest) (share.Transfer, error) {
	return w.share(ctx, r, engine.WatchOwner(filepath.Dir(r.Path)))
}

func (w watched) Remove(id share.ID, _ bool) ([]share.Kept, error) {
	t, err := w.n.engine.Get(id)
	if err != nil {
		return nil, err
	}
	return nil, w.n.engine.Release(id, engine.WatchOwner(filepath.Dir(t.Path)), false)
}
