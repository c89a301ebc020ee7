package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/webui/api"
)

// uploadsName is the folder below the downloads that keeps what browsers upload.
const uploadsName = "Uploads"

var (
	_ api.Uploads  = (*uploads.Store)(nil)
	_ api.Incoming = (*incoming)(nil)
)

func (n *Node) newUploads() (*uploads.Store, error) {
	return uploads.Open(uploads.Config{
		DB: n.state.db, Logger: n.part("uploads"), Now: n.o.Now,
		Folder:  func() string { return filepath.Join(n.current().Downloads, uploadsName) },
		Into:    func() string { return n.current().Downloads },
		Free:    policy.FreeAt,
		Disk:    policy.DiskOf,
		MinFree: func() int64 { return n.current().MinFree },
		Clean:   metainfo.WindowsName,
	})
}

// incoming is what browsers send, with what only the node knows: what of it is shared.
type incoming struct {
	*uploads.Store
	engine *engine.Engine
}

// End refuses to delete what is shared, and to forget what a link leads to.
func (in *incoming) End(id string, data bool) error {
	box, err := in.Box(id)
	if err != nil {
		return err
	}
	t := box.Terms()
	if t.Kind == api.ComingReceive {
		return share.Errorf(share.Usage, "people send files with a link to here: end the link instead (shoal remove --web-link %s)", id)
	}
	if data && t.Root != "" && in.shared(t.Root) {
		return share.Errorf(share.Usage, "%s stays: it is shared; remove the share first", t.Root)
	}
	return in.Store.End(id, data)
}

// shared reports whether a transfer has a path, or a part of what is there.
func (in *incoming) shared(path string) bool {
	for _, t := range in.engine.List() {
		if within(t.Path, path) || within(path, t.Path) {
			return true
		}
	}
	return false
}

// Orphans implements api.Incoming.
func (in *incoming) Orphans() ([]api.Orphan, error) { return in.Store.Orphans(in.shared) }

// DeleteOrphan implements api.Incoming.
func (in *incoming) DeleteOrphan(name string) error { return in.Store.DeleteOrphan(name, in.shared) }
