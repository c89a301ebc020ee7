package node

import (
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/webui/api"
)

// uploadsName is the folder below the downloads that keeps what browsers upload.
const uploadsName = "Uploads"

var _ api.Uploads = (*uploads.Store)(nil)

func (n *Node) newUploads() *uploads.Store {
	return uploads.New(uploads.Config{
		Folder:  func() string { return filepath.Join(n.current().Downloads, uploadsName) },
		Free:    policy.FreeAt,
		MinFree: func() int64 { return n.current().MinFree },
	})
}
