package storage

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within one folder; file systems that cannot do so
// without replacing give errors.ErrUnsupported.
func renameNoReplace(d *os.File, from, to string) error {
	err := unix.Renameat2(int(d.Fd()), from, int(d.Fd()), to, unix.RENAME_NOREPLACE)
	runtime.KeepAlive(d)
	if err == nil {
		return nil
	}
	if err == unix.EINVAL || err == unix.ENOSYS {
		return errors.ErrUnsupported
	}
	return &fs.PathError{Op: "rename", Path: from, Err: err}
}

// allocate reserves blocks for the first size bytes of f and makes it that long.
func allocate(f *os.File, size int64) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno error
	if err := c.Control(func(fd uintptr) {
		for {
			if errno = unix.Fallocate(int(fd), 0, 0, size); errno != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	if errno == nil {
		return nil
	}
	return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: errno}
}
