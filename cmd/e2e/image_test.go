//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// engine is podman with a storage of its own.
type engine struct {
	t     *testing.T
	path  string
	flags []string
	env   []string
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	lab.Root(t)
	lab.Tool(t, "runc", "runc")
	dir := t.TempDir()
	e := &engine{t: t, path: lab.Tool(t, "podman", "podman")}
	conf := filepath.Join(dir, "containers.conf")
	// The engine's own limits are more than a container may have in some machines.
	if err := os.WriteFile(conf, []byte("[containers]\ndefault_ulimits=[\"nofile=1024:1024\",\"nproc=4096:4096\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.env = append(os.Environ(), "CONTAINERS_CONF="+conf, "DISABLE_HC_SYSTEMD=true")
	e.flags = []string{"--runtime", "runc", "--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=vfs",
		"--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp")}
	return e
}

// start runs podman on a host.
func (e *engine) start(h *lab.Host, args ...string) *lab.Proc {
	e.t.Helper()
	cmd := exec.Command(e.path, append(append([]string{}, e.flags...), args...)...)
	cmd.Env = e.env
	return h.StartCmd(cmd)
}

// do runs podman to a good end, and gives its output.
func (e *engine) do(h *lab.Host, args ...string) string {
	e.t.Helper()
	p := e.start(h, args...)
	if status := p.Wait(); status != 0 {
		e.t.Fatalf("podman %q: status %d\n%s%s", args, status, p.Stdout(), p.Stderr())
	}
	return strings.TrimSpace(p.Stdout())
}

// container runs the image on a host, in the network of the host, until the test ends.
func (e *engine) container(h *lab.Host, name, image string, flags ...string) *lab.Proc {
	e.t.Helper()
	args := append([]string{"run", "--network=host", "--name", name, "-e", "SHOAL_BOOTSTRAP=none", "-e", "SHOAL_NO_PINHOLES=true"}, flags...)
	p := e.start(h, append(args, image)...)
	e.t.Cleanup(func() { e.start(h, "rm", "--force", "--time=0", name).Wait() })
	p.Says(`ready: peers at`)
	return p
}

// The image as an engine runs it: as root, which it gives up for PUID and PGID, and as
// another user from the beginning; with folders of the host; healthy; and over IPv6 to
// another container and to a host without one.
//
//	alice (container) ─ router ─┐
//	bob   (container) ─ router ─┼─ core
//	carol (no container) router ┘
func TestImage(t *testing.T) {
	t.Parallel()
	archive := only(t, dist(t, "v0.9.1"), "shoal-0.9.1-image-amd64.tar")
	podman := newEngine(t)
	net := lab.New(t)
	alice, bob, carol := net.Home("alice"), net.Home("bob"), at(t, net.Home("carol"))
	loaded := podman.do(alice, "load", "--quiet", "--input", archive)
	const image = "localhost/shoal:0.9.1"
	if !strings.HasSuffix(loaded, image) {
		t.Fatalf("podman has loaded %q", loaded)
	}
	folder := func(name string, uid, gid int) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		return dir
	}

	// As root, with a file of the host.
	config, films := folder("config", 1234, 1235), folder("films", 1234, 1235)
	film := random(t, filepath.Join(films, "film.mkv"), 20<<20, 41)
	a := podman.container(alice, "alice", image, "-e", "PUID=1234", "-e", "PGID=1235", "-e", "UMASK=027", "-e", "TZ=Asia/Kolkata", "-e", "SHOAL_VERBOSE=true",
		"-v", config+":/config", "-v", films+":/downloads")
	status := processStatus(t, podman.do(alice, "inspect", "--format", "{{.State.Pid}}", "alice"))
	for key, want := range map[string]string{"Uid": "1234", "Gid": "1235", "Umask": "0027", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1"} {
		if status[key] != want {
			t.Errorf("%s of the node is %q, not %s", key, status[key], want)
		}
	}
	a.Says(`time=\S+\+05:30 `)
	if out := podman.do(alice, "healthcheck", "run", "alice"); out != "" && !strings.Contains(out, "healthy") {
		t.Errorf("the health check says %q", out)
	}
	if got := podman.do(alice, "inspect", "--format", "{{.State.Health.Status}}", "alice"); got != "healthy" {
		t.Errorf("the container is %s", got)
	}
	var shared published
	share := podman.start(alice, "exec", "alice", "shoal", "share", "--json", "/downloads/film.mkv")
	share.Event("shared", &shared)
	if !strings.Contains(shared.Link, alice.Addr.String()) {
		t.Errorf("the link has not the address of the host: %s", shared.Link)
	}

	// As another user, who is not to be changed.
	mine, got := folder("config", 1500, 1501), folder("downloads", 1500, 1501)
	podman.container(bob, "bob", image, "--user", "1500:1501", "--cap-drop=ALL", "--read-only", "-e", "PUID=4321", "-e", "PGID=4321", "-v", mine+":/config", "-v", got+":/downloads")
	status = processStatus(t, podman.do(bob, "inspect", "--format", "{{.State.Pid}}", "bob"))
	if status["Uid"] != "1500" || status["Gid"] != "1501" || status["CapEff"] != "0000000000000000" {
		t.Errorf("with --user the node is %q", status)
	}
	podman.do(bob, "exec", "bob", "shoal", "get", "--quiet", "--output", "/downloads", shared.Link)
	identical(t, film, filepath.Join(got, "film.mkv"))
	if owner := outputOf(t, nil, "stat", "--format", "%u:%g", filepath.Join(got, "film.mkv")); owner != "1500:1501\n" {
		t.Errorf("the download belongs to %s", owner)
	}
	identical(t, film, carol.Fetch(shared.Link).Path)

	// Where there is no folder of the host, a volume can be written to by anybody.
	for _, flags := range [][]string{{"--user", "1600"}, {"-e", "PUID=1700", "-e", "PGID=1700"}} {
		p := podman.start(bob, append(append([]string{"run", "--rm", "--network=none"}, flags...), image, "limit", "--up", "1MB")...)
		if status := p.Wait(); status != 0 {
			t.Errorf("%q with volumes: status %d\n%s", flags, status, p.Stderr())
		}
	}
	for _, c := range []struct {
		flags []string
		why   string
	}{
		{[]string{"-e", "PUID=me"}, `shoal: PUID is a number such as 1000, not "me"`},
		{[]string{"-e", "PUID=1999", "-v", config + ":/config"}, "shoal: /config cannot be written to by user 1999 and group 1000: permission denied"},
		{[]string{"--cap-drop=ALL"}, "allow the container CAP_SETUID and CAP_SETGID, or start it with --user"},
	} {
		p := podman.start(bob, append(append([]string{"run", "--rm", "--network=host"}, c.flags...), image)...)
		if status := p.Wait(); status != 1 || !strings.Contains(p.Stderr(), c.why) {
			t.Errorf("%q: status %d\n%s", c.flags, status, p.Stderr())
		}
	}

	for host, name := range map[*lab.Host]string{alice: "alice", bob: "bob"} {
		began := time.Now()
		podman.do(host, "stop", "--time=10", name)
		t.Logf("%s stopped in %.1f s", name, time.Since(began).Seconds())
		// After 10 s the engine would have killed it, which is 137.
		if got := podman.do(host, "inspect", "--format", "{{.State.ExitCode}}", name); got != "0" {
			t.Errorf("%s ended with status %s", name, got)
		}
	}
	if got := outputOf(t, nil, "stat", "--format", "%u:%g %a", filepath.Join(config, "state")); got != "1234:1235 700\n" {
		t.Errorf("the state is %s", got)
	}
}

// processStatus is the first value of each line of a process's status.
func processStatus(t *testing.T, pid string) map[string]string {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 {
			values[strings.TrimSuffix(f[0], ":")] = f[1]
		}
	}
	return values
}

// The doctor in a container with a network of its own, which has no IPv6, says what to do
// there.
func TestDoctorInAContainer(t *testing.T) {
	t.Parallel()
	archive := only(t, dist(t, "v0.9.1"), "shoal-0.9.1-image-amd64.tar")
	podman := newEngine(t)
	alice := lab.New(t).Home("alice")
	podman.do(alice, "load", "--quiet", "--input", archive)
	out := podman.do(alice, "run", "--rm", "--network=none", "--user", "1000", "localhost/shoal:0.9.1", "doctor", "--json")
	var report struct {
		Warning, Next string
		Inside        struct{ Kind, Name, Evidence string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if in := report.Inside; in.Kind != "container" || in.Name != "Podman" || in.Evidence == "" {
		t.Errorf("inside %+v", in)
	}
	for _, text := range []string{report.Warning, report.Next} {
		if !regexp.MustCompile(`container of Podman: start it with --network=host`).MatchString(text) {
			t.Errorf("it says %q", text)
		}
	}
}
