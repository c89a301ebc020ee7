package storage

import "syscall"

// changeOf tells when a file was last changed, and which one it is.
func changeOf(sys any) (ctime int64, inode uint64) {
	switch s := sys.(type) {
	case *syscall.Stat_t:
		return s.Ctim.Nano(), s.Ino
	case changer:
		return s.change()
	}
	return 0, 0
}
