package node

import "golang.org/x/sys/windows"

// freeBytes tells how much a user may still write to the disk that has dir, -1
// when that is not known.
func freeBytes(dir string) int64 {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1
	}
	var free uint64
	if windows.GetDiskFreeSpaceEx(name, &free, nil, nil) != nil {
		return -1
	}
	return int64(free)
}

// allocated is how many bytes of the disk a file takes: not known here, where
// files are not reserved ahead.
func allocated(string) int64 { return 0 }

// syncDir does nothing: Windows does not sync folders.
func syncDir(string) error { return nil }
