//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// user is somebody with shoal on a host of their own.
type user struct {
	*lab.Host
	t     testing.TB
	state string
	home  string
}

// at gives the person on host a state directory and nothing else.
func at(t testing.TB, host *lab.Host) *user {
	home := t.TempDir()
	return &user{Host: host, t: t, home: home, state: filepath.Join(home, "state")}
}

// command is shoal with a verb that may start a node. It finds nobody but those
// it is told of.
func (u *user) command(verb string, args ...string) *exec.Cmd {
	return u.bare(append([]string{verb, "--json", "--state", u.state, "--bootstrap", "none", "--no-lan"}, args...)...)
}

// bare is shoal with exactly these arguments, and no settings of whoever runs
// the test.
func (u *user) bare(args ...string) *exec.Cmd {
	cmd := exec.Command(shoal, args...)
	cmd.Dir = u.home
	cmd.Env = []string{"HOME=" + u.home, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// published is a share, seeding in the foreground.
type published struct {
	*lab.Proc
	ID    string
	Link  string
	Blind string `json:"blind_link"` // of a sealed share
	Name  string
	Bytes int64
	Files int
}

// Share publishes path and waits for the link.
func (u *user) Share(path string, flags ...string) *published {
	u.t.Helper()
	p := &published{Proc: u.StartCmd(u.command("share", append(flags, path)...))}
	p.Event("shared", p)
	return p
}

// Get starts fetching link into a folder.
func (u *user) Get(link, into string, flags ...string) *lab.Proc {
	u.t.Helper()
	return u.StartCmd(u.command("get", append(flags, "--output", into, link)...))
}

// fetched is the last line of a get that went well.
type fetched struct {
	ID      string
	Path    string
	Bytes   int64
	Seconds float64
}

// Fetch gets link into a folder of its own and tells what came.
func (u *user) Fetch(link string, flags ...string) fetched {
	u.t.Helper()
	return arrived(u.t, u.Get(link, u.t.TempDir(), flags...))
}

// arrived waits for the good end of a get.
func arrived(t testing.TB, get *lab.Proc) (f fetched) {
	t.Helper()
	get.Event("done", &f)
	if status := get.Wait(); status != 0 {
		t.Fatalf("get said done and ended with status %d", status)
	}
	return f
}

// progress is a line of get while it goes on.
type progress struct {
	State  string
	Bytes  int64
	Total  int64
	Peers  int
	Reason string
}

// durable is how many bytes the line promises to be complete. While data is
// checked, the line says how much was read.
func (p progress) durable() int64 {
	if p.State != "fetching" {
		return 0
	}
	return p.Bytes
}

// transfer is a line of list.
type transfer struct {
	ID     string
	V1, V2 string // of content with a v2 ID
	Name   string
	State  string
	Bytes  int64
	Total  int64
	Reason string
	Link   string
	Peers  int
}

// List asks the running node what it has.
func (u *user) List() (all []transfer) {
	u.t.Helper()
	p := u.StartCmd(u.bare("list", "--json", "--state", u.state))
	if status := p.Wait(); status != 0 {
		u.t.Fatalf("list: status %d\n%s", status, p.Stderr())
	}
	for line := range strings.Lines(p.Stdout()) {
		var one transfer
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			u.t.Fatalf("list: %v: %s", err, line)
		}
		all = append(all, one)
	}
	return all
}

// Only is the only transfer that the running node has.
func (u *user) Only() transfer {
	u.t.Helper()
	all := u.List()
	if len(all) != 1 {
		u.t.Fatalf("%s has %d transfers: %+v", u.Name, len(all), all)
	}
	return all[0]
}

// Until waits until the only transfer of the running node is in a state.
func (u *user) Until(state string) {
	u.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		now := u.Only()
		if now.State == state {
			return
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: not %s but %+v", u.Name, state, now)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// withPeer adds an address to a link.
func withPeer(link string, address string) string {
	return link + "&x.pe=" + address
}

// withTracker adds a tracker to a link.
func withTracker(link string, tracker *lab.Tracker) string {
	return link + "&tr=" + tracker.URL
}

// torrentFile is where a node keeps the .torrent file of a transfer.
func (u *user) torrentFile(id string) string {
	return filepath.Join(u.state, "torrents", id+".torrent")
}

// received is what came in on the host's first interface, in bytes.
func (u *user) received() int64 {
	u.t.Helper()
	var rx int64
	out := u.Run("/bin/cat", "/proc/net/dev")
	for line := range strings.Lines(out) {
		name, counters, found := strings.Cut(strings.TrimSpace(line), ":")
		if found && name == "eth0" {
			if _, err := fmt.Sscan(counters, &rx); err != nil {
				u.t.Fatalf("%q: %v", line, err)
			}
		}
	}
	return rx
}
