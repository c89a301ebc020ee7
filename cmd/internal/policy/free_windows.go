package policy

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
