package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Room compares what is yet to be written of a fetch with what is free where it
// goes. What was reserved ahead (--preallocate) is no longer free, and need not
// be.
func (s *served) Room(id share.ID) (api.Room, error) {
	t, err := s.Get(id)
	if err != nil {
		return api.Room{}, err
	}
	c := s.n.current()
	r := api.Room{Path: t.Path, Free: policy.FreeAt(t.Path), MinFree: c.MinFree}
	if t.Own {
		return r, nil
	}
	files, err := s.Files(id)
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

// partOf is where f is while it is incomplete.
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
