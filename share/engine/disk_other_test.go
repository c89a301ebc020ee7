//go:build !linux

package engine

import "testing"

func smallDisk(t *testing.T, size int) string {
	t.Skip("needs Linux to mount a small file system")
	return ""
}

func growDisk(*testing.T, string, int) {}
