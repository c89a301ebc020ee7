package uploads

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// busy marks a name in the folder of uploads until the function that it returns is called.
func (s *Store) busy(name string) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.single[name]--; s.single[name] == 0 {
			delete(s.single, name)
		}
	}
}

// taken are the names in the folder of uploads that belong to a box, or that somebody is
// sending.
func (s *Store) taken() map[string]bool {
	base := s.Folder()
	names := map[string]bool{}
	boxes := s.all()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.single {
		names[name] = true
	}
	for _, b := range boxes {
		if b.Folder != base {
			if filepath.Dir(b.Folder) == base {
				names[filepath.Base(b.Folder)] = true
			}
			continue
		}
		for _, f := range b.files {
			names[f.Part] = true
			names[f.Stored] = true
			names[f.Placing] = true
		}
	}
	return names
}

// Orphans are the files and folders among the owner's uploads that belong to no box and
// of which nothing is shared.
func (s *Store) Orphans(shared func(path string) bool) ([]api.Orphan, error) {
	base := s.Folder()
	entries, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, share.Errorf(share.Disk, "listing the folder of uploads: %w", err)
	}
	taken := s.taken()
	var out []api.Orphan
	for _, e := range entries {
		path := filepath.Join(base, e.Name())
		info, err := e.Info()
		if err != nil || taken[e.Name()] || shared(path) {
			continue
		}
		o := api.Orphan{Name: e.Name(), Path: path, Folder: e.IsDir(), Bytes: info.Size(), Modified: info.ModTime().UTC()}
		if e.IsDir() {
			o.Bytes = size(path)
		}
		out = append(out, o)
	}
	return out, nil
}

// size is the bytes of the files in a folder, of very many of them only the first.
func size(dir string) (n int64) {
	const most = 100_000
	seen := 0
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if seen++; err != nil || seen > most {
			return fs.SkipAll
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// DeleteOrphan deletes one of Orphans by its name.
func (s *Store) DeleteOrphan(name string, shared func(path string) bool) error {
	all, err := s.Orphans(shared)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Name == name {
			return s.Delete(o.Path)
		}
	}
	return share.Errorf(share.Usage, "%w: %.200q is shared, or belongs to an upload, or is not there", api.ErrNotComing, name)
}
