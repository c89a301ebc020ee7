//go:build !linux

package storage

import (
	"errors"
	"os"
)

// renameNoReplace is not supported: the caller checks first.
func renameNoReplace(*os.File, string, string) error { return errors.ErrUnsupported }

// copyRange is not supported: the caller reads and writes.
func copyRange(_, _ *os.File, _, _ int64) (int64, error) { return 0, nil }

// allocate makes f size bytes long. On file systems with sparse files that reserves
// nothing.
func allocate(f *os.File, size int64) error {
	fi, err := f.Stat()
	if err != nil || fi.Size() >= size {
		return err
	}
	return f.Truncate(size)
}
