//go:build linux

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Skip ends the test because something is missing: as a skip on a developer's machine,
// as a failure if CI=true, where everything has to be present.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Root skips the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root: run sudo -E make test")
	}
}

// Tool returns the path of an installed program, or skips the test. The Debian
// package is named in the reason.
func Tool(t testing.TB, program, debian string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	Skip(t, "needs "+program+": apt-get install "+debian)
	return ""
}
