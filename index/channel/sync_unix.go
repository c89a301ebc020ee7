//go:build !windows

package channel

import (
	"errors"
	"os"
)

// syncDir syncs a folder, so that its names survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
