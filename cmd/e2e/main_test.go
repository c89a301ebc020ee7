//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// shoal is the path of shoal, built from this tree as releases are.
var shoal string

func TestMain(m *testing.M) {
	os.Exit(build(m.Run))
}

func build(run func() int) int {
	dir, err := os.MkdirTemp("", "shoal-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shoal = filepath.Join(dir, "shoal")
	releases.dir = filepath.Join(dir, "releases")
	cmd := exec.Command("go", "build", "-trimpath", "-o", shoal, "github.com/shoalnet/shoal/cmd/shoal")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building shoal: %v\n%s", err, out)
		return 1
	}
	return run()
}

// soak tells that the long versions are wanted.
func soak() bool { return os.Getenv("SOAK") != "" }
