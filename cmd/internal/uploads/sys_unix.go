//go:build unix

package uploads

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shoalnet/shoal/share"
)

// nonblock keeps the opening of a pipe in the place of a file from waiting.
const nonblock = syscall.O_NONBLOCK

// syncFolder makes the names in a folder and in those on the way below it durable.
func syncFolder(base string, below ...string) error {
	at := base
	for _, next := range append([]string{""}, below...) {
		at = filepath.Join(at, next)
		d, err := os.Open(at)
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		if err != nil && !errors.Is(err, syscall.EINVAL) { // what cannot be synced
			return share.Errorf(share.Disk, "storing an upload: %w", err)
		}
	}
	return nil
}
