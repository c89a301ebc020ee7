package storage

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within one folder. If the file system cannot do so
// without replacing, the error is errors.ErrUnsupported.
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

// copyRange copies n bytes at off inside the system, which may share the blocks.
func copyRange(dst, src *os.File, off, n int64) (done int64, err error) {
	for done < n {
		in, out := off+done, off+done
		m, err := unix.CopyFileRange(int(src.Fd()), &in, int(dst.Fd()), &out, int(min(n-done, 1<<30)), 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ENOSPC || err == unix.EDQUOT || err == unix.EIO:
			return done, &fs.PathError{Op: "copy", Path: dst.Name(), Err: err}
		case err != nil || m == 0:
			return done, nil // the caller reads and writes the rest
		}
		done += int64(m)
	}
	runtime.KeepAlive(src)
	runtime.KeepAlive(dst)
	return done, nil
}

// allocate reserves blocks for the first size bytes of f and makes f that long.
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
