package policy

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// freeBytes is how much a user may still write to the disk of dir, or -1 if that is
// not known.
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

// diskName names the disk of dir.
func diskName(dir string) string { return strings.ToUpper(filepath.VolumeName(dir)) }
