//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// debian is a Debian without anything but its base system, made once by debootstrap; in
// runs that are not soaks it is this machine's own file system, which only copies are made
// of.
var debian = sync.OnceValues(func() (string, error) {
	if !soak() {
		return "/", nil
	}
	dir := filepath.Join(filepath.Dir(releases.dir), "debian")
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	_, name, _ := strings.Cut(string(release), "\nVERSION_CODENAME=")
	name, _, _ = strings.Cut(name, "\n")
	if out, err := exec.Command("debootstrap", "--variant=minbase", name, dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap: %w\n%s", err, out)
	}
	return dir, nil
})

// cleanHost is a host with a file system of its own.
type cleanHost struct {
	*lab.Host
	t    *testing.T
	root string
}

// cleanHostAt gives a host a clean file system.
func cleanHostAt(t *testing.T, host *lab.Host) *cleanHost {
	t.Helper()
	lab.Tool(t, "dpkg", "dpkg")
	if soak() {
		lab.Tool(t, "debootstrap", "debootstrap")
	}
	base, err := debian()
	if err != nil {
		t.Fatal(err)
	}
	return cleanHostOver(t, host, base)
}

// cleanHostOver gives a host a file system that begins as base is. What is written there is
// gone with the test.
func cleanHostOver(t *testing.T, host *lab.Host, base string) *cleanHost {
	t.Helper()
	dir := t.TempDir()
	mount := func(source, target, kind string, flags uintptr, data string) {
		t.Helper()
		if err := mounted(t, source, target, kind, flags, data); err != nil {
			t.Fatal(err)
		}
	}
	mount("tmpfs", dir, "tmpfs", 0, "mode=755")
	root := filepath.Join(dir, "root")
	for _, name := range []string{"changes", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/changes,workdir=%[2]s/work", base, dir))
	mount("proc", filepath.Join(root, "proc"), "proc", 0, "")
	mount("/dev", filepath.Join(root, "dev"), "", unix.MS_BIND, "")
	mount("tmpfs", filepath.Join(root, "run"), "tmpfs", 0, "mode=755")
	mount("tmpfs", filepath.Join(root, "tmp"), "tmpfs", 0, "mode=1777")
	return &cleanHost{Host: host, t: t, root: root}
}

// mounted mounts something until the test ends.
func mounted(t *testing.T, source, target, kind string, flags uintptr, data string) error {
	t.Helper()
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s: %w", target, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", target, err)
		}
	})
	return nil
}

// path is where a file of the machine is for this process.
func (m *cleanHost) path(name string) string { return filepath.Join(m.root, name) }

// as is a command of one of the machine's users, with this environment and no other.
func (m *cleanHost) as(user string, env []string, args ...string) *exec.Cmd {
	all := append([]string{"--userspec=" + user, m.root, "/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	cmd := exec.Command("chroot", append(all, args...)...)
	cmd.Dir = "/"
	return cmd
}

// do runs a command as root to a good end, and gives what it printed.
func (m *cleanHost) do(args ...string) string {
	m.t.Helper()
	p := m.StartCmd(m.as("root:root", []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}, args...))
	if status := p.Wait(); status != 0 {
		m.t.Fatalf("%q: status %d\n%s%s", args, status, p.Stdout(), p.Stderr())
	}
	return p.Stdout() + p.Stderr()
}

// put copies a file of this machine to that one.
func (m *cleanHost) put(from, to string) {
	m.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(to, string(b), 0o644)
}

func (m *cleanHost) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(name), []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(m.path(name), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *cleanHost) read(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// unit is what systemd reads of a unit: the values of each key, in order.
func (m *cleanHost) unit(name string) map[string][]string {
	m.t.Helper()
	keys := map[string][]string{}
	for line := range strings.Lines(m.read(name)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			keys[key] = append(keys[key], value)
		}
	}
	return keys
}
