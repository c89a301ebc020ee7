package storage

import (
	"os"
	"syscall"
)

// changeOf returns when a file last changed, and its inode.
func changeOf(sys any) (ctime int64, inode uint64) {
	switch s := sys.(type) {
	case *syscall.Stat_t:
		return s.Ctimespec.Nano(), s.Ino
	case changer:
		return s.change()
	}
	return 0, 0
}

func stampOpen(f *os.File) (stamp, error) {
	fi, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampOf(fi), nil
}

// traitsOf trusts local file systems only.
func traitsOf(dir string) traits {
	var s syscall.Statfs_t
	const local = 0x1000 // MNT_LOCAL
	ok := syscall.Statfs(dir, &s) != nil || s.Flags&local != 0
	return traits{inodes: ok, times: ok}
}
