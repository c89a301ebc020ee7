//go:build noweb

package webui

import "io/fs"

// Page is the built page, nil in a binary without it (build tag noweb).
func Page() fs.FS { return nil }
