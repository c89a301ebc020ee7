//go:build unix

package policy

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// freeBytes is how much a user may still write to the disk of dir, or -1 if that is
// not known.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}

// diskName names the disk of dir, "" if that is not known.
func diskName(dir string) string {
	var s unix.Stat_t
	if unix.Stat(dir, &s) != nil {
		return ""
	}
	return strconv.FormatUint(uint64(s.Dev), 10)
}
