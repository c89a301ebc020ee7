//go:build unix

package node

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// dup copies the descriptor of f, so that it can be named anew.
func dup(t *testing.T, f *os.File) uintptr {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(fd)
}
