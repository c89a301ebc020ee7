//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// outputOf runs a program to a good end, with an environment of this path and env only,
// and gives what it printed.
func outputOf(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// What make install puts into place is what systemd, man and the shells take.
func TestInstall(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "usr")
	run := func(env []string, program string, args ...string) string {
		t.Helper()
		return outputOf(t, append(env, "HOME="+t.TempDir()), program, args...)
	}
	etc := "SYSCONFDIR=" + filepath.Join(prefix, "etc")
	run([]string{"PREFIX=" + prefix, etc, "SHOAL=" + shoal}, "../../.ci/install")
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
		"lib/systemd/system/shoal-web-link.socket":   "# Opens ports 443 and 80",
		"etc/shoal/config.toml":                      "# The settings of a shoal node",
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
		{"--system", "lib/systemd/system/shoal-web-link.socket"},
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

// make uninstall takes away what make install has put into place, and nothing else: what
// was there before stays, and so does a configuration that somebody has edited.
func TestUninstall(t *testing.T) {
	root := t.TempDir()
	env := []string{"DESTDIR=" + root, "SHOAL=" + shoal, "HOME=" + t.TempDir()}
	files := func() string {
		t.Helper()
		return outputOf(t, nil, "find", root, "!", "-type", "d", "-printf", "%P\n")
	}
	other := filepath.Join(root, "usr/local/bin/other")
	data := filepath.Join(root, "var/lib/shoal/downloads/film")
	for _, name := range []string{other, data} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("kept"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := files()
	outputOf(t, env, "../../.ci/install")
	if n := strings.Count(files(), "\n"); n != strings.Count(before, "\n")+10 {
		t.Errorf("%d files after the installation:\n%s", n, files())
	}
	outputOf(t, env, "../../.ci/install") // again, as for a new version
	outputOf(t, env, "../../.ci/install", "remove")
	if got := files(); got != before {
		t.Errorf("left behind:\n%s", got)
	}

	outputOf(t, env, "../../.ci/install")
	config := filepath.Join(root, "etc/shoal/config.toml")
	if err := os.WriteFile(config, []byte("up = \"1M\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	outputOf(t, env, "../../.ci/install")
	if out, err := os.ReadFile(filepath.Join(root, "usr/local/lib/systemd/system/shoal.service")); err != nil || !strings.Contains(string(out), "\nExecStartPre=/usr/local/lib/shoal/move-state\n") {
		t.Errorf("the unit: %v\n%s", err, out)
	}
	if out := outputOf(t, env, "../../.ci/install", "remove"); !strings.Contains(out, "etc/shoal/config.toml was edited and stays") {
		t.Errorf("it says %q", out)
	}
	if text, err := os.ReadFile(config); err != nil || string(text) != "up = \"1M\"\n" {
		t.Errorf("the configuration became %q, %v", text, err)
	}
}

// The unit moves the state of the service from where it once was, goes on with a move that
// was interrupted, and leaves everything else.
func TestServiceMovesItsState(t *testing.T) {
	for name, c := range map[string]struct{ before, after, env string }{
		"a first start": {"downloads/film", "downloads/film", ""},
		"an old state": {
			".credentials-1 channels/k credentials dht.nodes downloads/film index.db lock shoal.sock spool/s state.db state.db-wal state.sum torrents/t watch/w",
			"downloads/film spool/s state/.credentials-1 state/channels/k state/credentials state/dht.nodes state/index.db state/state.db state/state.db-wal state/state.sum state/torrents/t watch/w", ""},
		"an interrupted move":    {"state.db-wal state.moving/state.db state.moving/torrents/t state.sum", "state/state.db state/state.db-wal state/state.sum state/torrents/t", ""},
		"a new state":            {"state.db state/state.db", "state.db state/state.db", ""},
		"a state somewhere else": {"state.db", "state.db", "SHOAL_STATE=/elsewhere"},
	} {
		dir := t.TempDir()
		for _, file := range strings.Fields(c.before) {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second time there is nothing to do
			outputOf(t, []string{c.env}, "../../docs/systemd/move-state", dir)
			got := strings.Fields(outputOf(t, nil, "find", dir, "-type", "f", "-printf", "%P\n"))
			slices.Sort(got)
			want := strings.Fields(c.after)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s: there is %q, not %q", name, got, want)
			}
		}
	}
}
