//go:build unix

package storage

import (
	"errors"
	"os"
	"syscall"
)

// errnoKinds are the errors of the package by error of the system.
var errnoKinds = map[syscall.Errno]error{
	syscall.ENOSPC:  ErrFull,
	syscall.EDQUOT:  ErrFull,
	syscall.EFBIG:   ErrFull,
	syscall.EROFS:   ErrReadOnly,
	syscall.EACCES:  ErrDenied,
	syscall.EPERM:   ErrDenied,
	syscall.ENOENT:  ErrMissing,
	syscall.ENOTDIR: ErrMissing,
	syscall.ESTALE:  ErrMissing,
	syscall.ENODEV:  ErrMissing,
	syscall.ENXIO:   ErrMissing,
	syscall.EMFILE:  ErrHandles,
	syscall.ENFILE:  ErrHandles,
}

// syncDirectory syncs the names in d. File systems that cannot say EINVAL.
func syncDirectory(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// systemHandles returns how many descriptors the process may have open.
func systemHandles() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || int64(l.Cur) < 0 {
		return 1 << 16
	}
	return int(min(l.Cur, 1<<16))
}
