//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// What make install puts into place is what systemd, man and the shells take.
func TestInstall(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "usr")
	run := func(env []string, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		return string(out)
	}
	run([]string{"PREFIX=" + prefix, "SHOAL=" + shoal}, "../../.ci/install")
	if out := run(nil, filepath.Join(prefix, "bin/shoal"), "version"); !strings.HasPrefix(out, "shoal ") {
		t.Errorf("the binary says %q", out)
	}
	for name, begins := range map[string]string{
		"share/man/man1/shoal.1":                     ".TH SHOAL 1",
		"share/bash-completion/completions/shoal":    "_shoal() {",
		"share/zsh/site-functions/_shoal":            "#compdef shoal",
		"share/fish/vendor_completions.d/shoal.fish": "function __shoal_complete",
		"lib/systemd/system/shoal.service":           "# A node for the whole machine",
		"lib/systemd/user/shoal.service":             "# A node for one person",
	} {
		text, err := os.ReadFile(filepath.Join(prefix, name))
		if err != nil || !strings.HasPrefix(string(text), begins) {
			t.Errorf("%s: %v: %.60q", name, err, text)
		}
	}

	// Its complaints do not all make it fail.
	analyze := lab.Tool(t, "systemd-analyze", "systemd")
	env := []string{"XDG_RUNTIME_DIR=" + t.TempDir()}
	for _, unit := range []struct{ who, file string }{
		{"--system", "lib/systemd/system/shoal.service"}, {"--user", "lib/systemd/user/shoal.service"},
	} {
		if out := run(env, analyze, unit.who, "verify", "--man=no", filepath.Join(prefix, unit.file)); out != "" {
			t.Errorf("%s: %s", unit.file, out)
		}
	}

	// For a package everything goes below another root, and says where it will be.
	root := t.TempDir()
	run([]string{"PREFIX=/usr", "DESTDIR=" + root, "SHOAL=" + shoal}, "../../.ci/install")
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/shoal.service"))
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/bin/shoal daemon\n") {
		t.Errorf("the unit of a package: %v\n%s", err, unit)
	}
}
