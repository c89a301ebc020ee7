//go:build unix

package policy

import "golang.org/x/sys/unix"

// freeBytes tells how much a user may still write to the disk that has dir, -1
// when that is not known.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
