//go:build linux

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// systemd is a machine whose first process is systemd: it has its own processes, devices,
// control groups and journal.
type systemd struct {
	*cleanHost
	group string // its control group, seen from here
	first *lab.Proc
	pid   string // of its first process
}

func startSystemd(t *testing.T, host *lab.Host) *systemd {
	t.Helper()
	lab.Tool(t, "dbus-daemon", "dbus")
	lab.Tool(t, "systemd-run", "systemd")
	if found, _ := filepath.Glob("/usr/lib/*/security/pam_systemd.so"); len(found) == 0 {
		lab.Skip(t, "needs pam_systemd: apt-get install libpam-systemd")
	}
	m := &systemd{cleanHost: cleanHostOver(t, host, "/")}
	groups := t.TempDir()
	if err := mounted(t, "cgroup2", groups, "cgroup2", 0, ""); err != nil {
		lab.Skip(t, "needs control groups of version 2: "+err.Error())
	}
	group, err := os.MkdirTemp(groups, "shoal-test-")
	if err != nil {
		t.Fatal(err)
	}
	m.group = group
	t.Cleanup(m.end)
	if err := os.Chmod(group, 0o755); err != nil { // its users go through it
		t.Fatal(err)
	}
	// Of this machine's units only the journal, the bus and the logins start; those that
	// set up a machine would set up this one.
	m.do("sh", "-c", `rm -rf /etc/systemd/system/* /etc/systemd/user/* /etc/fstab /var/log/journal
find /usr/lib/systemd/system -path '*.wants/*' ! -name 'systemd-journald*' ! -name dbus.socket ! -name systemd-logind.service -delete`)
	m.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
	m.boot()
	return m
}

// boot starts the machine, as after a power cut.
func (m *systemd) boot() {
	m.t.Helper()
	if m.first != nil {
		m.first.Kill()
		m.kill()
	}
	m.first = m.StartCmd(exec.Command("sh", "-e", "-c", `echo 0 >"$1/cgroup.procs"
exec unshare --cgroup --pid --mount --ipc --uts --fork --kill-child sh -e -c "$2" "$0"`, m.root, m.group, `cd "$0"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p run/before
pivot_root . run/before
umount -l run/before
echo up
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd`))
	m.first.Says("up")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", m.first.PID()))
	if err != nil {
		m.t.Fatal(err)
	}
	m.pid = strings.TrimSpace(string(children))
	await(m.t, "systemd has started the machine", func() (bool, any) {
		_, said := m.try("systemctl", "is-system-running", "--wait")
		return said == "running\n", said
	})
}

// kill ends every process of the machine.
func (m *systemd) kill() {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.group, "cgroup.kill"), []byte("1"), 0); err != nil {
		m.t.Error(err)
	}
	await(m.t, "the machine has no process", func() (bool, any) {
		events, err := os.ReadFile(filepath.Join(m.group, "cgroup.events"))
		return err == nil && strings.Contains(string(events), "populated 0"), string(events)
	})
}

// end removes the control groups of the machine.
func (m *systemd) end() {
	m.kill()
	var all []string
	filepath.WalkDir(m.group, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for i := range all {
		if err := os.Remove(all[len(all)-1-i]); err != nil {
			m.t.Error(err)
		}
	}
}

// try runs a command there as root, and gives its status and what it printed.
func (m *systemd) try(args ...string) (status int, said string) {
	m.t.Helper()
	p := m.StartCmd(exec.Command("nsenter", append([]string{"--target=" + m.pid, "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--", "env", "-i",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "SHOAL_STATE=/var/lib/shoal/state", "DEBIAN_FRONTEND=noninteractive"}, args...)...))
	status = p.Wait()
	return status, p.Stdout() + p.Stderr()
}

// must runs a command as root to a good end.
func (m *systemd) must(args ...string) string {
	m.t.Helper()
	status, said := m.try(args...)
	if status != 0 {
		_, log := m.try("journalctl", "--no-pager", "--lines=30")
		m.t.Fatalf("%q: status %d\n%s\n%s", args, status, said, log)
	}
	return said
}

// shoal gives the node of the service a command, as its user.
func (m *systemd) shoal(args ...string) string {
	m.t.Helper()
	return m.must(append([]string{"setpriv", "--reuid=shoal", "--regid=shoal", "--init-groups", "shoal"}, args...)...)
}

// login runs a command in a session of a user, as ssh does.
func (m *systemd) login(user, command string) string {
	m.t.Helper()
	return m.must("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--uid="+user, "--property=PAMName=login", "sh", "-c", "unset SHOAL_STATE; "+command)
}

// says waits until the journal has something of the service.
func (m *systemd) says(want string) {
	m.t.Helper()
	await(m.t, "the journal has "+want, func() (bool, any) {
		log := m.must("journalctl", "--no-pager", "--unit=shoal")
		return strings.Contains(log, want), log
	})
}

// is checks what systemd says of the service.
func (m *systemd) is(want string) {
	m.t.Helper()
	if _, said := m.try("systemctl", "is-active", "shoal"); said != want+"\n" {
		m.t.Fatalf("the service is %s, not %s\n%s", said, want, m.must("journalctl", "--no-pager", "--unit=shoal"))
	}
}

// node is the process of the service.
func (m *systemd) node() string {
	m.t.Helper()
	return strings.TrimSpace(m.must("systemctl", "show", "--property=MainPID", "--value", "shoal"))
}

// The package on a machine that systemd runs: the service starts when it is told to and
// with the machine, says why it does not start, is confined to its folder, is started anew
// when it dies or hangs, goes on with its transfers after an upgrade, and ends with the
// package. A user has a node of their own that stays after the session.
//
//	alice (the package) ── router ── core ── router (256 KiB/s) ── bob
func TestServiceOfSystemd(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	line := net.Router("bob")
	alice, bob := startSystemd(t, net.Home("alice")), at(t, line.Host("bob"))
	const config, dropIn = "/etc/shoal/config.toml", "/etc/systemd/system/shoal.service.d/override.conf"
	const settings = "listen = [\"[::]:7000\"]\nbootstrap = [\"none\"]\nno-pinholes = true\n"

	alice.put(only(t, dist(t, "v0.9.1"), "*.deb"), "/root/old.deb")
	alice.put(only(t, dist(t, "v0.9.2"), "*.deb"), "/root/new.deb")
	alice.must("dpkg", "--install", "/root/old.deb")
	alice.is("inactive")
	alice.write(config, "lissten = 1\n", 0o644)
	if status, said := alice.try("systemctl", "start", "shoal"); status == 0 {
		t.Errorf("start with wrong settings: %s", said)
	}
	alice.says(`no key "lissten"`)
	alice.must("systemctl", "stop", "shoal")

	alice.write(config, settings, 0o644)
	alice.must("systemctl", "enable", "--now", "shoal")
	alice.is("active")
	alice.says("ready: peers at [::]:7000")
	alice.write(config, settings+"up = \"5MB\"\n", 0o644)
	alice.must("systemctl", "reload", "shoal")
	await(t, "the settings were read again", func() (bool, any) {
		said := alice.shoal("limit")
		return strings.Contains(said, "5.0 MB/s"), said
	})
	alice.write(config, settings, 0o644)

	// A node that has died, or hangs, is started again.
	alice.write(dropIn, "[Service]\nRestartSec=100ms\nWatchdogSec=10s\n", 0o644)
	alice.must("systemctl", "daemon-reload")
	alice.must("systemctl", "restart", "shoal")
	for _, signal := range []string{"KILL", "STOP"} {
		before := alice.node()
		alice.must("kill", "-"+signal, before)
		await(t, "another node after SIG"+signal, func() (bool, any) {
			pid := alice.node()
			_, is := alice.try("systemctl", "is-active", "shoal")
			return pid != "0" && pid != before && is == "active\n", pid + " " + is
		})
	}

	// It writes where it was allowed to, as the guide says.
	song := random(t, filepath.Join(bob.home, "song.ogg"), 300_000, 7)
	from := bob.Share(song).Link
	alice.must("install", "-d", "-o", "shoal", "-g", "shoal", "-m", "2775", "/srv/films")
	if status, said := alice.try("setpriv", "--reuid=shoal", "--regid=shoal", "--init-groups", "shoal", "get", "--output", "/srv/films", from); status != 6 || !strings.Contains(said, "read-only file system") {
		t.Errorf("a download to a folder that the unit does not allow: status %d\n%s", status, said)
	}
	alice.write(dropIn, "[Service]\nReadWritePaths=/srv/films\n", 0o644)
	alice.must("systemctl", "daemon-reload")
	alice.must("systemctl", "restart", "shoal")
	alice.shoal("get", "--output", "/srv/films", from)
	identical(t, song, alice.path("/srv/films/song.ogg"))

	// systemd opens the ports for web links.
	alice.must("systemctl", "enable", "shoal-web-link.socket")
	alice.must("systemctl", "restart", "shoal")
	film := random(t, alice.path("/srv/film.mkv"), 12<<20, 31)
	shared := alice.shoal("share", "--detach", "--web-link", "/srv/film.mkv")
	link := regexp.MustCompile(`(?m)^magnet:\S+$`).FindString(shared)
	web := regexp.MustCompile(`http://\[` + alice.Addr.String() + `\]/s/\S+`).FindString(shared)
	if link == "" || web == "" {
		t.Fatalf("no link, or no web link at port 80:\n%s", shared)
	}
	if page := bob.StartCmd(exec.Command(lab.Tool(t, "curl", "curl"), "--silent", "--show-error", "--fail", "--location", web)); page.Wait() != 0 || !strings.Contains(page.Stdout(), "film.mkv") {
		t.Errorf("%s: %s%s", web, page.Stdout(), page.Stderr())
	}

	line.Bandwidth(256<<10, 0)
	get := bob.Get(link, t.TempDir())
	var p progress
	for p.Bytes == 0 {
		get.Event("progress", &p)
	}
	before := alice.node()
	alice.must("dpkg", "--install", "/root/new.deb")
	select {
	case <-get.Exited():
		t.Fatalf("the download was over before the upgrade: %s", get.Stdout())
	default:
	}
	alice.is("active")
	if alice.node() == before {
		t.Error("the upgrade has not restarted the node")
	}
	alice.says("version=v0.9.2")
	alice.boot()
	alice.is("active")
	select {
	case <-get.Exited():
		t.Fatalf("the download was over before the machine: %s", get.Stdout())
	default:
	}
	line.Bandwidth(0, 0)
	identical(t, film, arrived(t, get).Path)

	// The commands of the guide for a node of one's own. ssh gives a session; sudo is root.
	chapters, err := readPage("../../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	alice.must("useradd", "--create-home", "ada")
	given := 0
	for _, c := range chapters {
		for _, s := range c.steps {
			if linger := regexp.MustCompile(`^ssh -t box '.* && sudo (loginctl .*)'$`).FindStringSubmatch(s.text); linger != nil {
				alice.must("env", "USER=ada", "sh", "-c", linger[1])
				given++
			}
			if enable := regexp.MustCompile(`^ssh box (systemctl --user .*)$`).FindStringSubmatch(s.text); enable != nil {
				alice.login("ada", enable[1])
				given++
			}
		}
	}
	if given != 2 {
		t.Errorf("the guide has %d of the 2 commands for a node of one's own", given)
	}
	if said := alice.login("ada", "systemctl --user is-active shoal; shoal health"); said != "active\nThe node works.\n" {
		t.Errorf("ada's node: %s", said)
	}

	said := alice.must("dpkg", "--remove", "shoal") + alice.must("dpkg", "--purge", "shoal")
	if !strings.Contains(said, "/var/lib/shoal stays") {
		t.Errorf("removal says %q", said)
	}
	alice.is("inactive")
	if _, said := alice.try("systemctl", "is-active", "shoal-web-link.socket"); said != "inactive\n" {
		t.Errorf("the socket is %s", said)
	}
	if left := alice.must("find", "/etc/systemd/system", "-name", "shoal*", "-type", "l"); left != "" {
		t.Errorf("the service is still enabled: %s", left)
	}
	if _, err := os.Stat(filepath.Join(alice.root, "var/lib/shoal/state/state.db")); err != nil {
		t.Error(err)
	}
}
