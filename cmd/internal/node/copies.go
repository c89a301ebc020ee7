package node

import (
	"context"
	"io"
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// uploadsName is the folder below the downloads that keeps what came from
// browsers.
const uploadsName = "Uploads"

func (n *Node) newUploads() *uploads.Store {
	return uploads.New(uploads.Config{
		Folder:  func() string { return filepath.Join(n.current().Downloads, uploadsName) },
		Free:    policy.FreeAt,
		MinFree: func() int64 { return n.current().MinFree },
	})
}

// Upload keeps a file that comes from a browser.
func (s *served) Upload(ctx context.Context, u api.Upload, length int64, r io.Reader) (api.Uploaded, error) {
	return s.n.uploads.Receive(ctx, u, length, r)
}

// copyAt tells whether path is such a copy, and not part of one, which is all of
// what is shared that may be deleted with its share. What else is shared from
// it or holds it keeps it.
func (n *Node) copyAt(path string, id share.ID) (bool, error) {
	if !n.uploads.Has(path) {
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
func (s *served) Remove(id share.ID, data bool) ([]share.Kept, error) {
	if err := s.n.mayRemove(id); err != nil {
		return nil, err
	}
	copied := ""
	if t, err := s.n.engine.Get(id); data && err == nil && t.Own {
		is, err := s.n.copyAt(t.Path, t.ID)
		if err != nil {
			return nil, err
		}
		if is {
			copied = t.Path
		}
	}
	if left, err := s.n.engine.LeaveToChannels(id, data); left || err != nil {
		return nil, err
	}
	kept, err := s.n.engine.Remove(id, data)
	if err != nil || copied == "" {
		return kept, err
	}
	return kept, s.n.uploads.Delete(copied)
}
