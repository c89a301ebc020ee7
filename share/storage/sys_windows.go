package storage

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

var errnoKinds = map[syscall.Errno]error{
	windows.ERROR_DISK_FULL:           ErrFull,
	windows.ERROR_HANDLE_DISK_FULL:    ErrFull,
	windows.ERROR_WRITE_PROTECT:       ErrReadOnly,
	windows.ERROR_ACCESS_DENIED:       ErrDenied,
	windows.ERROR_SHARING_VIOLATION:   ErrDenied,
	windows.ERROR_FILE_NOT_FOUND:      ErrMissing,
	windows.ERROR_PATH_NOT_FOUND:      ErrMissing,
	windows.ERROR_NOT_READY:           ErrMissing,
	windows.ERROR_TOO_MANY_OPEN_FILES: ErrHandles,
}

// syncDirectory does nothing: NTFS journals names itself.
func syncDirectory(*os.File) error { return nil }

func systemHandles() int { return 2048 }
