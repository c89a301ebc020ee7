//go:build unix

package node

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes tells how much a user may still write to the disk that has dir, -1
// when that is not known.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

// allocated is how many bytes of the disk a file takes, 0 when that is not known.
func allocated(path string) int64 {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil {
		return 0
	}
	return int64(s.Blocks) * 512
}

// syncDir makes the names in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
