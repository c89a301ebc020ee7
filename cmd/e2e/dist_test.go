//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// releases are what .ci/dist made for the tests of this run, by version. They are made
// once, by whichever test asks first.
var releases struct {
	sync.Mutex
	dir  string
	made map[string]string
}

// dist is a folder with the release files of a version, for this machine's kind of
// processor.
func dist(t *testing.T, version string) string {
	t.Helper()
	releases.Lock()
	defer releases.Unlock()
	if dir, ok := releases.made[version]; ok {
		return dir
	}
	if releases.dir == "" {
		t.Fatal("TestMain has made no folder for releases")
	}
	dir := filepath.Join(releases.dir, version)
	makeDist(t, "../..", dir, version, "linux/amd64")
	if releases.made == nil {
		releases.made = map[string]string{}
	}
	releases.made[version] = dir
	return dir
}

// makeDist runs .ci/dist of a working tree.
func makeDist(t *testing.T, root, dir, version, systems string, env ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, ".ci/dist"))
	cmd.Env = append(append(os.Environ(), "DIST="+dir, "VERSION="+version, "SYSTEMS="+systems), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf(".ci/dist: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// only is the one file of a folder that a pattern matches.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %q %v", pattern, dir, found, err)
	}
	return found[0]
}

// Two builds of one commit are the same to the byte, also in another folder and time
// zone.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	systems, first := "linux/amd64", ""
	if soak() {
		systems, first = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64", t.TempDir()
		makeDist(t, "../..", first, "v0.9.1", systems)
	} else {
		first = dist(t, "v0.9.1")
	}
	clone := filepath.Join(t.TempDir(), "elsewhere")
	for _, args := range [][]string{{"clone", "-q", "--no-hardlinks", "../..", clone}, {"-C", clone, "checkout", "-q", "--detach", "HEAD"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	// What is not committed yet is in both.
	if out, err := exec.Command("sh", "-c", "cd ../.. && git ls-files -mco --exclude-standard -z | xargs -0 -I{} cp --parents {} "+clone).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second := filepath.Join(t.TempDir(), "second")
	makeDist(t, clone, second, "v0.9.1", systems, "TZ=Asia/Kolkata", "LC_ALL=C")
	sums := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	one, two := sums(first), sums(second)
	if one != two || strings.Count(one, "\n") < 6 {
		t.Errorf("first\n%ssecond\n%s", one, two)
	}
	if out, err := exec.Command("sh", "-c", "cd "+second+" && sha256sum -c --quiet SHA256SUMS && ! grep -l "+clone+" shoal-linux-* *.json").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// .ci/release takes only a commit that is a release, and says what is missing.
func TestReleaseNeedsATagAndAChangelog(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../.ci/release")
	if err != nil {
		t.Fatal(err)
	}
	release := func() (string, error) {
		cmd := exec.Command(filepath.Join(dir, ".ci/release"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	refused := func(why string) {
		t.Helper()
		if out, err := release(); err == nil || !strings.HasPrefix(out, "release: ") || !strings.Contains(out, why) {
			t.Errorf("not refused with %q: %v\n%s", why, err, out)
		}
	}
	git("init", "-q")
	write(".ci/release", string(script), 0o755)
	write(".ci/dist", "#!/bin/sh\nmkdir -p dist && echo \"$VERSION\" >dist/made\n", 0o755)
	write(".gitignore", "/dist/\n", 0o644)
	write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.30\n\n- other\n\n## 1.2.2\n\n", 0o644)
	git("add", ".")
	git("commit", "-q", "-m", "first")
	refused("this commit has no tag")
	git("tag", "v1.2.3")
	refused("the tag v1.2.3 is not annotated")
	git("tag", "-d", "v1.2.3")
	git("tag", "-a", "-m", "shoal", "v1.2")
	refused("v1.2 is no version")
	git("tag", "-d", "v1.2")
	git("tag", "-a", "-m", "shoal", "v1.2.3")
	refused(`no section "## 1.2.3"`)
	git("tag", "-d", "v1.2.3")
	git("tag", "-a", "-m", "shoal", "v1.2.2")
	refused(`no section "## 1.2.2" with text`)
	git("tag", "-d", "v1.2.2")
	git("tag", "-a", "-m", "shoal", "v1.2.30")
	write("new.go", "package p\n", 0o644)
	refused("not committed:\n?? new.go")
	if _, err := os.Stat(filepath.Join(dir, "dist")); err == nil {
		t.Error("a refused release has filled dist/")
	}
	if err := os.Remove(filepath.Join(dir, "new.go")); err != nil {
		t.Fatal(err)
	}
	if out, err := release(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err1 := os.ReadFile(filepath.Join(dir, "dist/made"))
	notes, err2 := os.ReadFile(filepath.Join(dir, "dist/NOTES.md"))
	if err1 != nil || err2 != nil || string(made) != "v1.2.30\n" || string(bytes.TrimSpace(notes)) != "- other" {
		t.Errorf("%q %v, %q %v", made, err1, notes, err2)
	}
}
