//go:build !linux && !darwin

package storage

// changeOf tells nothing here: files are recognised by size and mtime.
func changeOf(sys any) (ctime int64, inode uint64) {
	if s, ok := sys.(changer); ok {
		return s.change()
	}
	return 0, 0
}
