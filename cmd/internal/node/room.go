package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Room compares what a fetch has yet to write with what is free on its disk. What
// was reserved ahead (--preallocate) is no longer free, and need not be.
func (in *intake) Room(id share.ID) (api.Room, error) {
	t, err := in.engine.Get(id)
	if err != nil {
		return api.Room{}, err
	}
	c := in.config()
	r := api.Room{Path: t.Path, Free: policy.FreeAt(t.Path), MinFree: c.MinFree}
	if t.Own {
		return r, nil
	}
	files, err := in.engine.Files(id)
	if err != nil {
		return r, err
	}
	for _, f := range files {
		if f.Priority == share.Skip {
			continue
		}
		r.Needed += f.Total - f.Bytes
		if c.Preallocate {
			r.Needed -= max(0, min(allocated(partOf(t, f)), f.Total)-f.Bytes)
		}
	}
	return r, nil
}

// partOf is the path of f's part file.
func partOf(t share.Transfer, f share.File) string {
	name := f.Path
	if f.Disk != "" {
		name = f.Disk
	}
	if t.Files == 1 && filepath.Base(t.Path) == name {
		return t.Path + ".part"
	}
	return filepath.Join(t.Path, filepath.FromSlash(name)) + ".part"
}
