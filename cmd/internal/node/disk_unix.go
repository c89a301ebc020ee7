//go:build unix

package node

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocated returns how many bytes of the disk a file uses, 0 if that is not known.
func allocated(path string) int64 {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * 512
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
