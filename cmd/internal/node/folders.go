package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// maxEntries of a folder are listed: more than anybody reads.
const maxEntries = 2000

// Folder lists a folder of the host. Whoever may ask can share any folder anyway.
// Symbolic links are followed: people keep their files behind them.
func (in *intake) Folder(path string) (api.Folder, error) {
	if path == "" {
		path = xdg.Home
		if path == "" {
			path = in.config().Downloads
		}
	}
	if !filepath.IsAbs(path) {
		return api.Folder{}, share.Errorf(share.Usage, "%.200q is not an absolute path", path)
	}
	path = filepath.Clean(path)
	entries, err := os.ReadDir(path)
	if err != nil {
		kind := share.Disk
		if errors.Is(err, fs.ErrNotExist) {
			kind = share.Usage
		}
		return api.Folder{}, share.Errorf(kind, "listing the folder: %w", err)
	}
	out := api.Folder{Path: path}
	if up := filepath.Dir(path); up != path {
		out.Parent = up
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(out.Entries) == maxEntries {
			out.More++
			continue
		}
		v := api.FolderEntry{Name: e.Name(), Folder: e.IsDir()}
		if info, err := os.Stat(filepath.Join(path, e.Name())); err == nil {
			v.Folder = info.IsDir()
			if !v.Folder && !info.Mode().IsRegular() {
				continue // a socket or device, which cannot be shared
			} else if !v.Folder {
				v.Size = info.Size()
			}
		}
		out.Entries = append(out.Entries, v)
	}
	slices.SortStableFunc(out.Entries, func(a, b api.FolderEntry) int {
		switch {
		case a.Folder != b.Folder && a.Folder:
			return -1
		case a.Folder != b.Folder:
			return 1
		}
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return out, nil
}
