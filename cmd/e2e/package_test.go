//go:build linux

package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// packaged are the files of each package, with how ls shows their modes. Those that a
// system has elsewhere, or not, are left out.
var packaged = map[string]string{
	"/usr/bin/shoal":                                  "-rwxr-xr-x",
	"/usr/share/man/man1/shoal.1":                     "-rw-r--r--",
	"/usr/share/bash-completion/completions/shoal":    "-rw-r--r--",
	"/usr/share/fish/vendor_completions.d/shoal.fish": "-rw-r--r--",
	"/etc/shoal/config.toml":                          "-rw-r--r--",
	"/usr/share/doc/shoal/copyright":                  "-rw-r--r--",
	"/usr/share/doc/shoal/README.md":                  "-rw-r--r--",
	"/usr/share/doc/shoal/CHANGELOG.md":               "-rw-r--r--",
}

// systemctl stands for systemd, which does not run in a changed root: it writes down what
// the package asks of it.
const systemctl = `#!/bin/sh
echo "$@" >>/run/systemctl.log
`

// A package is installed, its unit's command started with the unit's user and
// environment, upgraded while somebody downloads, removed and purged; the node goes on
// after the upgrade, and data stays.
//
//	alice (the package) ── router ── core ── router (256 KiB/s) ── bob
func TestPackageIsInstalledUpgradedAndRemoved(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	line := net.Router("bob")
	alice, bob := cleanHostAt(t, net.Home("alice")), at(t, line.Host("bob"))
	alice.write("/usr/local/bin/systemctl", systemctl, 0o755)
	if err := os.MkdirAll(alice.path("/run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	asked := func(want string) {
		t.Helper()
		log, _ := os.ReadFile(alice.path("/run/systemctl.log"))
		if string(log) != want {
			t.Errorf("systemd was asked %q, not %q", log, want)
		}
		os.Remove(alice.path("/run/systemctl.log"))
	}

	alice.put(only(t, dist(t, "v0.9.1"), "*.deb"), "/tmp/old.deb")
	alice.put(only(t, dist(t, "v0.9.2"), "*.deb"), "/tmp/new.deb")
	alice.do("dpkg", "--install", "/tmp/old.deb")
	asked("daemon-reload\ntry-restart shoal.service\n")
	for name, mode := range packaged {
		info, err := os.Stat(alice.path(name))
		if err != nil || info.Mode().String() != mode {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if out := alice.do("shoal", "version"); !regexp.MustCompile(`^shoal v0\.9\.1 [0-9a-f]{12} \(go`).MatchString(out) {
		t.Errorf("the version is %q", out)
	}
	if out := alice.do("stat", "--format", "%U:%G %a %n", "/var/lib/shoal", "/var/lib/shoal/downloads"); out != "shoal:shoal 750 /var/lib/shoal\nshoal:shoal 750 /var/lib/shoal/downloads\n" {
		t.Errorf("folders: %s", out)
	}
	if out := alice.do("dpkg", "--verify", "shoal"); out != "" {
		t.Errorf("dpkg finds changed: %s", out)
	}

	// The settings are those of the file that the unit names.
	const settings = "listen = [\"[::]:7000\"]\nbootstrap = [\"none\"]\nno-pinholes = true\n"
	alice.write("/etc/shoal/config.toml", settings, 0o644)
	const settled = `ready: peers at .*\[::\]:7000`
	boot := func() *lab.Proc {
		t.Helper()
		unit := alice.unit("/usr/lib/systemd/system/shoal.service")
		if len(unit["User"]) != 1 || len(unit["ExecStart"]) != 1 || len(unit["Environment"]) < 2 {
			t.Fatalf("the unit: %q", unit)
		}
		env := append([]string{"HOME=/var/lib/shoal", "USER=" + unit["User"][0]}, unit["Environment"]...)
		who := unit["User"][0] + ":" + unit["User"][0]
		for _, before := range unit["ExecStartPre"] {
			if p := alice.StartCmd(alice.as(who, env, strings.Fields(before)...)); p.Wait() != 0 {
				t.Fatalf("%s: %s", before, p.Stderr())
			}
		}
		p := alice.StartCmd(alice.as(who, env, strings.Fields(unit["ExecStart"][0])...))
		p.Says(settled)
		return p
	}
	verb := func(args ...string) string {
		t.Helper()
		p := alice.StartCmd(alice.as("shoal:shoal", []string{"SHOAL_STATE=/var/lib/shoal/state"}, append([]string{"shoal"}, args...)...))
		if status := p.Wait(); status != 0 {
			t.Fatalf("shoal %q: status %d\n%s%s", args, status, p.Stdout(), p.Stderr())
		}
		return p.Stdout()
	}
	film := random(t, alice.path("/srv/film.mkv"), 12<<20, 31)
	// As the unit of earlier versions had it: the state beside the downloads.
	alice.do("rmdir", "/var/lib/shoal/downloads")
	old := []string{"HOME=/var/lib/shoal", "SHOAL_STATE=/var/lib/shoal", "SHOAL_CONFIG=/etc/shoal/config.toml"}
	node := alice.StartCmd(alice.as("shoal:shoal", old, "shoal", "daemon"))
	node.Says(settled)
	share := alice.StartCmd(alice.as("shoal:shoal", old, "shoal", "share", "--quiet", "/srv/film.mkv"))
	if status := share.Wait(); status != 0 {
		t.Fatalf("share: status %d\n%s", status, share.Stderr())
	}
	link := strings.TrimSpace(share.Stdout())
	node.Signal(syscall.SIGTERM)
	node.Wait()
	alice.do("install", "--directory", "--owner=shoal", "--group=shoal", "/var/lib/shoal/downloads")

	node = boot()
	if mode := alice.do("stat", "--format", "%U %a", "/var/lib/shoal/state"); mode != "shoal 700\n" {
		t.Errorf("the state: %s", mode)
	}
	if out := verb("config"); !regexp.MustCompile(`(?m)^downloads +/var/lib/shoal/downloads *$`).MatchString(out) {
		t.Errorf("the settings:\n%s", out)
	}

	line.Bandwidth(256<<10, 0)
	get := bob.Get(link, t.TempDir())
	var p progress
	for p.Bytes == 0 {
		get.Event("progress", &p)
	}

	alice.do("dpkg", "--install", "/tmp/new.deb")
	asked("daemon-reload\ntry-restart shoal.service\n")
	if got := alice.read("/etc/shoal/config.toml"); got != settings {
		t.Errorf("the upgrade has changed the settings: %s", got)
	}
	select {
	case <-get.Exited():
		t.Fatalf("the download was over before the upgrade: %s", get.Stdout())
	default:
	}
	node.Signal(syscall.SIGTERM) // as systemd does, which was asked for a restart
	if status := node.Wait(); status != 0 {
		t.Errorf("the node ended with status %d\n%s", status, node.Stderr())
	}
	node = boot()
	if out := verb("version"); !strings.HasPrefix(out, "shoal v0.9.2 ") {
		t.Errorf("the version after the upgrade is %q", out)
	}
	line.Bandwidth(0, 0)
	identical(t, film, arrived(t, get).Path)
	if out := verb("list"); !regexp.MustCompile(`seeding +100% .* film\.mkv`).MatchString(out) {
		t.Errorf("after the upgrade:\n%s", out)
	}

	alice.write("/var/lib/shoal/downloads/kept.txt", "a download", 0o644)
	said := alice.do("dpkg", "--remove", "shoal")
	asked("disable --now shoal.service shoal-web-link.socket\ndaemon-reload\n")
	node.Signal(syscall.SIGTERM)
	node.Wait()
	said += alice.do("dpkg", "--purge", "shoal")
	asked("daemon-reload\n")
	if strings.Count(said, "shoal: /var/lib/shoal stays, with the downloads and the state of the node") != 2 {
		t.Errorf("removal says %q", said)
	}
	for name := range packaged {
		if _, err := os.Lstat(alice.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if text := alice.read("/var/lib/shoal/downloads/kept.txt"); text != "a download" {
		t.Errorf("a download became %q", text)
	}
	for _, name := range []string{"/var/lib/shoal/state/state.db", "/srv/film.mkv"} {
		if _, err := os.Stat(alice.path(name)); err != nil {
			t.Errorf("removal took %v", err)
		}
	}
}

// The two commands of the README, on machines with nothing but the package: within two
// minutes the folder is at the other person's.
//
//	alice (the package) ── router ── core ── router (firewall) ── bob (the package)
func TestREADMEWithOnlyThePackage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shared := regexp.MustCompile(`(?m)^ *\$ (shoal share (\S+))$`).FindStringSubmatch(string(readme))
	fetched := regexp.MustCompile(`(?m)^ *\$ (shoal get )'?magnet:`).FindStringSubmatch(string(readme))
	if shared == nil || fetched == nil {
		t.Fatal("README.md has no lines \"$ shoal share FOLDER\" and \"$ shoal get 'magnet:...\"")
	}
	net := lab.New(t)
	alice, bob := cleanHostAt(t, net.Home("alice")), cleanHostAt(t, net.Home("bob", lab.Firewalled))
	began := time.Now()
	person := func(m *cleanHost, command string) *lab.Proc {
		t.Helper()
		return m.StartCmd(m.as("ada:ada", []string{"HOME=/home/ada"}, "sh", "-c", "cd && exec "+command))
	}
	for _, m := range []*cleanHost{alice, bob} {
		m.put(only(t, dist(t, "v0.9.2"), "*.deb"), "/tmp/shoal.deb")
		m.do("dpkg", "--install", "/tmp/shoal.deb")
		m.do("useradd", "--create-home", "ada")
	}
	for n := range 20 {
		alice.write(fmt.Sprintf("/home/ada/%s/day %d/photo %[2]d.jpg", shared[2], n), strings.Repeat(fmt.Sprint(n), 50_000), 0o644)
	}
	share := person(alice, shared[1])
	link := share.Says(`(?m)^magnet:\S+$`)[0]
	get := person(bob, fetched[1]+"'"+link+"'")
	if status := get.Within(2 * time.Minute).Wait(); status != 0 {
		t.Fatalf("status %d\n%s%s", status, get.Stdout(), get.Stderr())
	}
	t.Logf("from the installation to the folder at the other person's: %.1f s", time.Since(began).Seconds())
	identical(t, alice.path("/home/ada/"+shared[2]), bob.path("/home/ada/"+shared[2]))
	if status := share.Interrupt(); status != 130 {
		t.Errorf("the share ended with status %d", status)
	}
}

// What rpm and apk install is what dpkg does, where their systems look for it.
func TestOtherPackages(t *testing.T) {
	t.Parallel()
	dir := dist(t, "v0.9.1")
	t.Run("rpm", func(t *testing.T) {
		file := only(t, dir, "*.rpm")
		query := func(args ...string) string {
			t.Helper()
			return outputOf(t, nil, lab.Tool(t, "rpm", "rpm"), append([]string{"--query", "--package", "--nosignature", file}, args...)...)
		}
		if got := query("--queryformat", "%{NAME} %{VERSION} %{ARCH} %{LICENSE} %{BUILDHOST}"); got != "shoal 0.9.1 x86_64 MIT localhost" {
			t.Errorf("it is %s", got)
		}
		files := map[string]string{}
		for line := range strings.Lines(query("--queryformat", `[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]`)) {
			f := strings.Fields(line)
			files[f[2]] = f[0]
			if f[1] != "root:root" {
				t.Errorf("%s", line)
			}
		}
		if files["/usr/lib/shoal/move-state"] != "-rwxr-xr-x" {
			t.Errorf("what the unit runs: %q", files["/usr/lib/shoal/move-state"])
		}
		holds(t, files, "/usr/share/zsh/site-functions/_shoal", "/usr/lib/systemd/system/shoal.service",
			"/usr/lib/systemd/system/shoal-web-link.socket", "/usr/lib/systemd/user/shoal.service")
		if got := query("--configfiles"); got != "/etc/shoal/config.toml\n" {
			t.Errorf("configuration files: %s", got)
		}
		for _, part := range []string{"postinstall scriptlet", "useradd --system", "try-restart", "preuninstall scriptlet", "disable --now", "postuninstall scriptlet"} {
			if !strings.Contains(query("--scripts"), part) {
				t.Errorf("the scripts lack %q", part)
			}
		}
	})
	t.Run("apk", func(t *testing.T) {
		f, err := os.Open(only(t, dir, "*.apk"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f) // of the control and the data one after the other
		if err != nil {
			t.Fatal(err)
		}
		files, control := map[string]string{}, map[string]string{}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(h.Name, ".") {
				text, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				control[h.Name] = string(text)
				continue
			}
			if h.Uname != "root" || h.Gname != "root" {
				t.Errorf("%s belongs to %s:%s", h.Name, h.Uname, h.Gname)
			}
			if h.Typeflag == tar.TypeReg {
				files["/"+h.Name] = h.FileInfo().Mode().String()
			}
		}
		holds(t, files, "/usr/share/zsh/site-functions/_shoal", "/etc/logrotate.d/shoal")
		if files["/etc/init.d/shoal"] != "-rwxr-xr-x" {
			t.Errorf("the service of OpenRC: %q", files["/etc/init.d/shoal"])
		}
		for name := range files {
			if strings.Contains(name, "systemd") {
				t.Errorf("Alpine has no systemd: %s", name)
			}
		}
		for _, line := range []string{"pkgname = shoal", "depend = logrotate", "pkgver = 0.9.1-r0", "arch = x86_64", "license = MIT"} {
			if !slices.Contains(strings.Split(control[".PKGINFO"], "\n"), line) {
				t.Errorf("no %q in\n%s", line, control[".PKGINFO"])
			}
		}
		for name, part := range map[string]string{".post-install": "adduser -S", ".post-upgrade": "rc-service --ifstarted shoal restart", ".pre-deinstall": "rc-update delete", ".post-deinstall": "/var/lib/shoal stays"} {
			if !strings.Contains(control[name], part) {
				t.Errorf("%s lacks %q", name, part)
			}
		}
	})
	t.Run("the SBOM", func(t *testing.T) {
		b, err := os.ReadFile(filepath.Join(dir, "shoal-linux-amd64.cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"bomFormat": "CycloneDX"`, `"pkg:golang/github.com/shoalnet/shoal@v0.9.1`, `"pkg:golang/modernc.org/sqlite@v`, `"pkg:golang/std@`} {
			if !bytes.Contains(b, []byte(part)) {
				t.Errorf("it lacks %s", part)
			}
		}
	})
}

// holds checks that a package has the files of all packages and those named.
func holds(t *testing.T, files map[string]string, besides ...string) {
	t.Helper()
	for name, mode := range packaged {
		if files[name] != mode {
			t.Errorf("%s has mode %q, not %q", name, files[name], mode)
		}
	}
	for _, name := range besides {
		if files[name] != "-rw-r--r--" {
			t.Errorf("%s has mode %q", name, files[name])
		}
	}
}

// The scripts of a package make the user and the folders with busybox's tools, too, stop
// the service when the package goes, and let it run through an upgrade.
func TestScriptsOfOtherSystems(t *testing.T) {
	for _, c := range []struct {
		name   string
		script string
		args   []string
		want   string
	}{
		{"installed by apk", "installed.sh", []string{"0.9.1-r0"}, "addgroup -S shoal|adduser -S -D -H -h /var/lib/shoal -s /sbin/nologin -G shoal -g shoal shoal|chown shoal:shoal /var/lib/shoal|chown shoal:shoal /var/lib/shoal/downloads|rc-service --ifstarted shoal restart|"},
		{"upgraded by rpm", "removing.sh", []string{"1"}, ""},
		{"upgraded by dpkg", "removing.sh", []string{"upgrade", "0.9.2"}, ""},
		{"removed by apk", "removing.sh", []string{"0.9.1-r0"}, "rc-service --ifstarted shoal stop|rc-update delete shoal|"},
		{"removed by rpm", "removing.sh", []string{"0"}, "rc-service --ifstarted shoal stop|rc-update delete shoal|"},
	} {
		dir := t.TempDir()
		// Each tool writes down how it was called; those of systemd and shadow are not
		// there.
		for _, tool := range []string{"addgroup", "adduser", "chown", "rc-service", "rc-update", "getent"} {
			text := "#!/bin/sh\necho \"" + tool + " $*\" >>" + dir + "/log\n"
			if tool == "getent" {
				text = "#!/bin/sh\nexit 2\n"
			}
			if err := os.WriteFile(filepath.Join(dir, tool), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, tool := range []string{"sh", "mkdir", "echo", "cat"} {
			if err := os.Symlink("/bin/"+tool, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
		}
		script, err := os.ReadFile(filepath.Join("../../cmd/release/scripts", c.script))
		if err != nil {
			t.Fatal(err)
		}
		// Below the folder instead of /.
		text := strings.NewReplacer(" /var/lib/", " "+dir+"/", "/run/systemd/", dir+"/none/").Replace(string(script))
		file := filepath.Join(dir, "script")
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		outputOf(t, []string{"PATH=" + dir}, "/bin/sh", append([]string{file}, c.args...)...)
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		if got := strings.ReplaceAll(strings.ReplaceAll(string(log), dir+"/", "/var/lib/"), "\n", "|"); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
