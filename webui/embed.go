//go:build !noweb

package webui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Page is the built page, nil in a binary without it (build tag noweb).
func Page() fs.FS {
	page, err := fs.Sub(dist, "dist")
	if err != nil { // the name above is valid
		return nil
	}
	return page
}
