//go:build unix

package node

import "golang.org/x/sys/unix"

// descriptors returns how many the process may have open.
func descriptors() int {
	var l unix.Rlimit
	const plenty = 1 << 16
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > plenty {
		return plenty
	}
	return int(l.Cur)
}
