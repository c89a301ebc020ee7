//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// openRC is a machine that OpenRC runs, as it runs Alpine Linux. It sees no processes but
// its own.
type openRC struct {
	*cleanHost
	pid string // of its first process
}

func startOpenRC(t *testing.T, host *lab.Host) *openRC {
	t.Helper()
	lab.Tool(t, "openrc-run", "openrc")
	m := &openRC{cleanHost: cleanHostOver(t, host, "/")}
	// No service but ours and the network, which is there already.
	m.do("sh", "-c", "rm -rf /etc/init.d/* /etc/runlevels/*/* && mkdir -p /etc/runlevels/default /run/openrc")
	m.write("/etc/init.d/net", "#!/sbin/openrc-run\nstart() { :; }\n", 0o755)
	m.do("sh", "-c", "cd /run/openrc && mkdir -p daemons exclusive failed hotplugged inactive options scheduled started starting stopping tmp wasinactive && echo default >softlevel")
	// The first process ends those whose parents have gone, as init does.
	init := m.StartCmd(exec.Command("unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
		`mount -t proc proc "$0/proc" && exec chroot "$0" bash -c 'sleep infinity & echo up; wait'`, m.root))
	init.Says("up")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", init.PID()))
	if err != nil {
		t.Fatal(err)
	}
	m.pid = strings.TrimSpace(string(children))
	return m
}

// try runs a command there as a user, and gives its status and what it printed.
func (m *openRC) try(user string, args ...string) (status int, said string) {
	m.t.Helper()
	inner := m.as(user, []string{"SHOAL_STATE=/var/lib/shoal/state", "LC_ALL=C"}, args...)
	p := m.StartCmd(exec.Command("nsenter", append([]string{"--pid=/proc/" + m.pid + "/ns/pid", "--"}, inner.Args...)...))
	status = p.Wait()
	return status, p.Stdout() + p.Stderr()
}

// must runs a command as root to a good end.
func (m *openRC) must(args ...string) string {
	m.t.Helper()
	status, said := m.try("root:root", args...)
	if status != 0 {
		m.t.Fatalf("%q: status %d\n%s", args, status, said)
	}
	return said
}

// is checks what OpenRC says of the service. Its exit status is 0 if it is started, 3 if it
// is stopped.
func (m *openRC) is(want string) {
	m.t.Helper()
	status, said := m.try("root:root", "rc-service", "shoal", "status")
	if !strings.Contains(said, "status: "+want) || status != map[string]int{"started": 0, "stopped": 3}[want] {
		m.t.Fatalf("the service is not %s: status %d\n%s", want, status, said)
	}
}

// answers waits for a node of the service that is not the one before, and gives its
// process.
func (m *openRC) answers(before string) (pid string) {
	m.t.Helper()
	await(m.t, "a node answers", func() (bool, any) {
		_, said := m.try("shoal:shoal", "pidof", "shoal")
		pid = strings.TrimSpace(said)
		if pid == "" || pid == before || strings.Contains(pid, " ") {
			return false, pid
		}
		status, said := m.try("shoal:shoal", "shoal", "health")
		return status == 0, said
	})
	return pid
}

// apk does what Alpine's apk does with a package, of which there is none for Debian: what
// is in /etc stays. Its scripts have names that begin with a dot.
func (m *openRC) apk(file string, script string, args ...string) string {
	m.t.Helper()
	m.put(file, "/tmp/shoal.apk")
	extract := []string{"tar", "--extract", "--gzip", "--ignore-zeros", "--warning=no-unknown-keyword", "--file=/tmp/shoal.apk", "--directory=/"}
	m.must(append(extract, "--exclude=etc")...)
	m.must(append(extract, "--skip-old-files", "etc")...)
	return m.must(append([]string{"/" + script}, args...)...)
}

// The service of Alpine's package, by OpenRC itself: a mistake in the settings is told
// and stops no node that runs, what OpenRC says is true after each step, the node is
// started anew however often it dies, and an upgrade goes on with the transfers.
//
//	alice (the package) ── router ── core ── router (256 KiB/s) ── bob
func TestServiceOfOpenRC(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	line := net.Router("bob")
	alice, bob := startOpenRC(t, net.Home("alice")), at(t, line.Host("bob"))
	const settings = "listen = [\"[::]:7000\"]\nbootstrap = [\"none\"]\nno-pinholes = true\n"
	const wrong = "lissten = 1\n"

	older, newer := only(t, dist(t, "v0.9.1"), "*.apk"), only(t, dist(t, "v0.9.2"), "*.apk")
	alice.apk(older, ".post-install", "0.9.1-r0")
	alice.is("stopped")
	alice.must("rc-update", "add", "shoal")
	alice.write("/etc/shoal/config.toml", wrong, 0o644)
	if status, said := alice.try("root:root", "rc-service", "shoal", "start"); status == 0 || !strings.Contains(said, `no key "lissten"`) {
		t.Errorf("start with wrong settings: status %d\n%s", status, said)
	}
	alice.is("stopped")

	alice.write("/etc/shoal/config.toml", settings, 0o644)
	alice.must("rc-service", "shoal", "start")
	alice.is("started")
	pid := alice.answers("")
	alice.must("rc-service", "shoal", "restart")
	alice.is("started")
	pid = alice.answers(pid)
	alice.write("/etc/shoal/config.toml", wrong, 0o644)
	if status, said := alice.try("root:root", "rc-service", "shoal", "restart"); status == 0 || !strings.Contains(said, `no key "lissten"`) {
		t.Errorf("restart with wrong settings: status %d\n%s", status, said)
	}
	alice.is("started")
	if _, said := alice.try("shoal:shoal", "pidof", "shoal"); strings.TrimSpace(said) != pid {
		t.Errorf("the node %s is now %q", pid, said)
	}
	alice.write("/etc/shoal/config.toml", settings+"up = \"5MB\"\n", 0o644)
	alice.must("rc-service", "shoal", "reload")
	await(t, "the settings were read again", func() (bool, any) {
		_, said := alice.try("shoal:shoal", "shoal", "limit")
		return strings.Contains(said, "5.0 MB/s"), said
	})
	alice.write("/etc/shoal/config.toml", settings, 0o644)
	alice.must("rc-service", "shoal", "stop")
	alice.is("stopped")

	// OpenRC's own default is to give up after ten.
	alice.must("sed", "-i", "s/^respawn_delay=5$/respawn_delay=1/", "/etc/init.d/shoal")
	alice.must("rc-service", "shoal", "start")
	pid = alice.answers("")
	for range 11 {
		alice.must("kill", "-KILL", pid)
		pid = alice.answers(pid)
	}
	alice.is("started")

	film := random(t, alice.path("/srv/film.mkv"), 12<<20, 31)
	status, link := alice.try("shoal:shoal", "shoal", "share", "--quiet", "/srv/film.mkv")
	if status != 0 {
		t.Fatalf("share: status %d\n%s", status, link)
	}
	line.Bandwidth(256<<10, 0)
	get := bob.Get(strings.TrimSpace(link), t.TempDir())
	var p progress
	for p.Bytes == 0 {
		get.Event("progress", &p)
	}
	alice.apk(newer, ".post-upgrade", "0.9.2-r0", "0.9.1-r0")
	select {
	case <-get.Exited():
		t.Fatalf("the download was over before the upgrade: %s", get.Stdout())
	default:
	}
	alice.is("started")
	alice.answers(pid)
	if got := alice.read("/etc/shoal/config.toml"); got != settings {
		t.Fatalf("the upgrade changed the settings:\n%s", got)
	}
	if log := alice.read("/var/log/shoal.log"); !regexp.MustCompile(`(?s)version="?v0\.9\.1.*version="?v0\.9\.2`).MatchString(log) {
		t.Errorf("the log:\n%s", log)
	}
	line.Bandwidth(0, 0)
	identical(t, film, arrived(t, get).Path)
	// The log is rotated while the node writes to it.
	alice.must("mkdir", "-p", "/var/lib/logrotate")
	alice.must(lab.Tool(t, "logrotate", "logrotate"), "--force", "/etc/logrotate.d/shoal")
	alice.must("rc-service", "shoal", "reload")
	await(t, "the new log begins where the old one ended", func() (bool, any) {
		log := alice.read("/var/log/shoal.log")
		return strings.Contains(log, "the configuration was read again") && !strings.Contains(log, "v0.9.1") && !strings.Contains(log, "\x00"), log
	})
	if old := alice.read("/var/log/shoal.log.1"); !strings.Contains(old, "v0.9.1") {
		t.Errorf("the old log:\n%s", old)
	}
	if said := alice.must("find", "/var/lib/shoal", "/var/log/shoal.log", "!", "-user", "shoal"); said != "" {
		t.Errorf("these belong to somebody else: %s", said)
	}

	said := alice.must("/.pre-deinstall", "0.9.2-r0")
	alice.is("stopped")
	if status, pid := alice.try("root:root", "pidof", "shoal"); status == 0 {
		t.Errorf("there is still a node: %s", pid)
	}
	if _, err := os.Lstat(alice.path("/etc/runlevels/default/shoal")); err == nil {
		t.Error("the service is still in a runlevel")
	}
	if said += alice.must("/.post-deinstall", "0.9.2-r0"); !strings.Contains(said, "/var/lib/shoal stays") {
		t.Errorf("removal says %q", said)
	}
	if _, err := os.Stat(filepath.Join(alice.root, "var/lib/shoal/state/state.db")); err != nil {
		t.Error(err)
	}
}
