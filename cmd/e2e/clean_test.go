//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// On a new Debian with nothing but Go, git, make and sudo, the README is followed word for
// word: shoal is built and installed, a folder shared, and fetched on a second host within
// two minutes. Modules come from the cache of this machine.
//
//	anna ── router ── core ── router ── ben        in one root, each with a home
func TestSoakREADMEOnACleanMachine(t *testing.T) {
	if !soak() {
		t.Skip("SOAK=1 makes a Debian and builds shoal in it")
	}
	lab.Root(t)
	strap := lab.Tool(t, "debootstrap", "debootstrap")
	net := lab.New(t)
	root := filepath.Join(t.TempDir(), "root")
	here := func(program string, args ...string) string {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", program, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	here(strap, "--variant=minbase", "--include=ca-certificates,git,make,sudo", "stable", root)
	golang := here("go", "env", "GOROOT")
	modules := here("go", "env", "GOMODCACHE")
	here("cp", "-a", golang, filepath.Join(root, "usr/local/go"))
	here("mkdir", "-p", filepath.Join(root, "srv/go/pkg"))
	here("cp", "-a", modules, filepath.Join(root, "srv/go/pkg/mod"))
	here("git", "clone", "-q", "--bare", "../..", filepath.Join(root, "srv/shoal"))

	// What the internet would be: the repository at its address, the modules in the cache.
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("etc/gitconfig", "[safe]\n\tdirectory = *\n[url \"file:///srv/shoal\"]\n\tinsteadOf = https://github.com/shoalnet/shoal\n")
	put("etc/sudoers.d/anna", "anna ALL=(ALL) NOPASSWD: ALL\n")
	inside := func(script string) []string {
		return []string{"-i", "PATH=/usr/local/go/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMODCACHE=/srv/go/pkg/mod", "GOPROXY=off", "GOFLAGS=-modcacherw",
			"unshare", "--mount", "sh", "-e", "-c", `mount -t proc proc "$0/proc"; exec chroot "$0" bash -e -c "$@"`, root, script}
	}
	for _, name := range []string{"anna", "ben"} {
		here("env", inside("useradd --create-home "+name)...)
	}
	here("env", inside("chown -R anna /srv/go")...)
	as := func(u *lab.Host, script string) *lab.Proc {
		all := inside(`export HOME=/home/$0; cd; exec setpriv --reuid=$0 --regid=$0 --clear-groups bash -e -c "$1"`)
		return u.Start("env", append(all, u.Name, script)...)
	}
	anna, ben := net.Home("anna"), net.Home("ben")
	photos := filepath.Join(root, "home/anna/photos")
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	random(t, filepath.Join(photos, "beach.jpg"), 5<<20, 1)

	// The commands of the README.
	chapters, err := readPage("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var install, share, get string
	for _, c := range chapters {
		building := false
		for _, s := range c.steps {
			building = building || strings.HasPrefix(s.text, "git clone ")
			switch {
			case c.title == "Install" && building:
				install += s.text + "\n"
			case share == "" && strings.HasPrefix(s.text, "shoal share "):
				share = s.text
			case get == "" && strings.HasPrefix(s.text, "shoal get "):
				get = s.text
			}
		}
	}
	t.Logf("the README says\n%s%s\n%s", install, share, get)
	began := time.Now()
	build := as(anna, install).Within(15 * time.Minute)
	if status := build.Wait(); status != 0 {
		t.Fatalf("status %d\n%s%s", status, build.Stdout(), build.Stderr())
	}
	t.Logf("built and installed after %v", time.Since(began).Round(time.Second))

	began = time.Now()
	sharing := as(anna, "exec "+share)
	magnet := sharing.Says(`magnet:\?\S+`)[0]
	fetching := as(ben, link.ReplaceAllLiteralString(get, magnet))
	if status := fetching.Wait(); status != 0 { // within two minutes
		t.Fatalf("status %d\n%s%s", status, fetching.Stdout(), fetching.Stderr())
	}
	t.Logf("shared and fetched after %v", time.Since(began).Round(100*time.Millisecond))
	identical(t, photos, filepath.Join(root, "home/ben/photos"))
}
