package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/share"
)

// uploads is the folder of the copies that were made for browsers.
func (n *Node) uploads() string { return filepath.Join(n.current().Downloads, uploadsName) }

// copyAt tells whether path is such a copy, and not part of one, which is all of
// what is shared that may be deleted with its share. What else is shared from
// it or holds it keeps it.
func (n *Node) copyAt(path string, id share.ID) (bool, error) {
	if path == "" || filepath.Dir(path) != n.uploads() {
		return false, nil
	}
	for _, t := range n.engine.List() {
		if t.ID != id && (within(t.Path, path) || within(path, t.Path)) {
			return false, share.Errorf(share.Usage, "%s stays: %s needs it, too; remove that first, or this without its data", path, t.ID.Short())
		}
	}
	return true, nil
}

// Remove forgets a transfer. With data, what was fetched is deleted, and the
// copy that a browser gave.
func (s *served) Remove(id share.ID, data bool) error {
	if err := s.n.mayRemove(id); err != nil {
		return err
	}
	copied := ""
	if t, err := s.n.engine.Get(id); data && err == nil && t.Own {
		is, err := s.n.copyAt(t.Path, t.ID)
		if err != nil {
			return err
		}
		if is {
			copied = filepath.Base(t.Path)
		}
	}
	if err := known(s.n.engine.Remove(id, data)); err != nil || copied == "" {
		return err
	}
	root, err := s.n.uploadsRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(copied); err != nil {
		return share.Errorf(share.Disk, "deleting what a browser gave: %w", err)
	}
	return nil
}
