//go:build !linux && !darwin

package storage

import "os"

// changeOf returns nothing here: files are recognised by size and mtime.
func changeOf(sys any) (ctime int64, inode uint64) {
	if s, ok := sys.(changer); ok {
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

func traitsOf(string) traits { return traits{inodes: true, times: true} }
