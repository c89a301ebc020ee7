package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk is the file system as this package uses it, so that tests can supply one
// that fails. Names are relative to a folder, with slashes.
type disk interface {
	// folder opens dir, or if base is not empty the folder of that name in dir. It
	// fails if base is a symlink or not a folder. make creates base if it does not
	// exist.
	folder(dir, base string, make bool) (folder, error)
	// plain opens dir without confinement.
	plain(dir string) (folder, error)
	// lstat describes dir/base/name; base and name may be empty. Confinement does
	// not rely on it.
	lstat(dir, base, name string) (fs.FileInfo, error)
	// traits tells what can be relied upon on the file system of dir.
	traits(dir string) traits
	// settle waits until the next change of a file that has this ctime will give it
	// another one.
	settle(ctime int64)
}

// folder is one folder and everything below it. No symlink is followed there.
type folder interface {
	// open opens a regular file. With create it must not exist, else fs.ErrExist.
	open(name string, m mode) (file, error)
	lstat(name string) (fs.FileInfo, error)
	// makeFor makes the folders above name.
	makeFor(name string) error
	// rename gives a file another name in the same folder. It never replaces a
	// file: if to exists, the error is fs.ErrExist.
	rename(from, to string) error
	remove(name string) error
	// dress sets the mode and the time of a file or folder; "." is the folder itself.
	dress(name string, d dress) error
	// syncDir makes the names in the folder name durable; "." is the folder itself.
	syncDir(name string) error
	Close() error
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Stat() (fs.FileInfo, error)
	stamp() (stamp, error)
	Truncate(size int64) error
	// reserve reserves space for size bytes. If the error wraps
	// errors.ErrUnsupported, the file is unchanged.
	reserve(size int64) error
	// copyFrom copies n bytes at off of src to the same offset, inside the file
	// system where it can. It returns how many it copied. 0 and no error mean that
	// it cannot.
	copyFrom(src file, off, n int64) (int64, error)
	Close() error
}

// mode is how a file is opened.
type mode struct {
	write, create, exec bool
}

// system is the operating system's file system.
type system struct{}

func (system) folder(dir, base string, make bool) (folder, error) {
	r, err := os.OpenRoot(dir)
	if err != nil || base == "" {
		return rooted(r, err)
	}
	defer r.Close()
	if make {
		if err := r.Mkdir(base, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	fi, err := r.Lstat(base)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, notAFolder(filepath.Join(dir, base))
	}
	return rooted(r.OpenRoot(base))
}

func notAFolder(name string) error {
	return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
}

// rooted keeps a nil *os.Root from becoming a folder.
func rooted(r *os.Root, err error) (folder, error) {
	if err != nil {
		return nil, err
	}
	return rootFolder{r}, nil
}

func (system) plain(dir string) (folder, error) {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, notAFolder(dir)
	}
	return plainFolder(dir), nil
}

func (system) lstat(dir, base, name string) (fs.FileInfo, error) {
	fi, err := os.Lstat(filepath.Join(dir, base, filepath.FromSlash(name)))
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		return fi, err
	}
	// An os.Root opens one folder at a time, so it has no limit.
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Lstat(filepath.Join(base, filepath.FromSlash(name)))
}

func (system) traits(dir string) traits { return traitsOf(dir) }

func (system) settle(ctime int64) { time.Sleep(settled(ctime, time.Now())) }

type rootFolder struct{ r *os.Root }

func (f rootFolder) Close() error { return f.r.Close() }

// in calls do with the folder of name and the last element of name. It opens one
// folder at a time, each as a root of its own, so that no symlink on the way is
// followed: an os.Root alone follows those that stay inside.
func (f rootFolder) in(name string, make bool, do func(r *os.Root, last string) error) error {
	r := f.r
	for rest := name; ; {
		elem, more, deeper := strings.Cut(rest, "/")
		if !deeper {
			err := do(r, elem)
			if r != f.r {
				r.Close()
			}
			return err
		}
		next, err := enter(r, elem, make)
		if r != f.r {
			r.Close()
		}
		if err != nil {
			return err
		}
		r, rest = next, more
	}
}

// enter opens the folder name in r.
func enter(r *os.Root, name string, make bool) (*os.Root, error) {
	fi, err := r.Lstat(name)
	if make && errors.Is(err, fs.ErrNotExist) {
		if err := r.Mkdir(name, 0o777); err != nil {
			return nil, err
		}
		fi, err = r.Lstat(name)
	}
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, notAFolder(name)
	}
	return r.OpenRoot(name)
}

func (f rootFolder) lstat(name string) (fi fs.FileInfo, err error) {
	err = f.in(name, false, func(r *os.Root, last string) (err error) {
		fi, err = r.Lstat(last)
		return err
	})
	return fi, err
}

func (f rootFolder) open(name string, m mode) (h file, err error) {
	err = f.in(name, false, func(r *os.Root, last string) (err error) {
		h, err = openAt(r, last, m)
		return err
	})
	return h, err
}

func openAt(r *os.Root, name string, m mode) (file, error) {
	flag := os.O_RDONLY
	if m.write {
		flag = os.O_RDWR
	}
	if m.create {
		perm := fs.FileMode(0o666)
		if m.exec {
			perm = 0o777
		}
		h, err := r.OpenFile(name, flag|os.O_CREATE|os.O_EXCL, perm)
		return opened(h, err)
	}
	before, err := r.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, notAFile(name)
	}
	h, err := r.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	// If a symlink was put there in between, this is another file.
	if after, err := h.Stat(); err != nil || !os.SameFile(before, after) {
		h.Close()
		return nil, errors.Join(notAFile(name), err)
	}
	return osFile{h}, nil
}

func notAFile(name string) error {
	return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("not a regular file: %w", fs.ErrNotExist)}
}

func opened(h *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return osFile{h}, nil
}

func (f rootFolder) makeFor(name string) error {
	return f.in(name, true, func(*os.Root, string) error { return nil })
}

func (f rootFolder) remove(name string) error {
	return f.in(name, false, func(r *os.Root, last string) error { return r.Remove(last) })
}

func (f rootFolder) dress(name string, d dress) error {
	return f.in(name, false, func(r *os.Root, last string) error {
		fi, err := r.Lstat(last)
		if err != nil {
			return err
		}
		if !fi.IsDir() && !fi.Mode().IsRegular() {
			return notAFile(last)
		}
		return errors.Join(r.Chmod(last, d.mode), r.Chtimes(last, time.Time{}, d.time))
	})
}

func (f rootFolder) rename(from, to string) error {
	if path.Dir(from) != path.Dir(to) {
		return fmt.Errorf("renaming %s to %s, in another folder: %w", from, to, errors.ErrUnsupported)
	}
	return f.in(from, false, func(r *os.Root, last string) error { return renameIn(r, last, path.Base(to)) })
}

func renameIn(r *os.Root, from, to string) error {
	d, err := r.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := renameNoReplace(d, from, to); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if _, err := r.Lstat(to); err == nil {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.Rename(from, to)
}

func (f rootFolder) syncDir(name string) error {
	return f.in(path.Join(name, "x"), false, func(r *os.Root, _ string) error {
		d, err := r.Open(".")
		if err != nil {
			return err
		}
		defer d.Close()
		return syncDirectory(d)
	})
}

// plainFolder is what the user shares when symlinks are followed. It can only be
// read.
type plainFolder string

func (f plainFolder) path(name string) string {
	return filepath.Join(string(f), filepath.FromSlash(name))
}

func (f plainFolder) open(name string, m mode) (file, error) {
	if m.write || m.create {
		return nil, ErrOwn
	}
	fi, err := os.Stat(f.path(name))
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, notAFile(name)
	}
	h, err := os.Open(f.path(name))
	return opened(h, err)
}

func (f plainFolder) lstat(name string) (fs.FileInfo, error) { return os.Stat(f.path(name)) }
func (f plainFolder) makeFor(string) error                   { return ErrOwn }
func (f plainFolder) rename(string, string) error            { return ErrOwn }
func (f plainFolder) remove(string) error                    { return ErrOwn }
func (f plainFolder) dress(string, dress) error              { return ErrOwn }
func (f plainFolder) syncDir(string) error                   { return ErrOwn }
func (f plainFolder) Close() error                           { return nil }

type osFile struct{ *os.File }

func (f osFile) stamp() (stamp, error) { return stampOpen(f.File) }

func (f osFile) reserve(size int64) error { return allocate(f.File, size) }

func (f osFile) copyFrom(src file, off, n int64) (int64, error) {
	if s, ok := src.(osFile); ok {
		return copyRange(f.File, s.File, off, n)
	}
	return 0, nil
}
