//go:build unix

package policy

import "golang.org/x/sys/unix"

// freeBytes is how much a user may still write to the disk of dir, or -1 if that is
// not known.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
