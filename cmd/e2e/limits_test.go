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

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// tight is the command with at most that many descriptors and bytes of memory
// of its own, which is more than what is resident of it: a process that asks
// the kernel for more gets an error.
func tight(t testing.TB, cmd *exec.Cmd, descriptors, memory int) *exec.Cmd {
	t.Helper()
	limited := exec.Command(lab.Tool(t, "prlimit", "util-linux"), append([]string{
		fmt.Sprintf("--nofile=%d", descriptors), fmt.Sprintf("--data=%d", memory), "--", cmd.Path,
	}, cmd.Args[1:]...)...)
	limited.Dir, limited.Env = cmd.Dir, cmd.Env
	return limited
}

// Two thousand shares of a daemon with 256 descriptors and 512 MiB of memory all
// arrive.
//
//	alice (256 descriptors, 512 MiB) ── router ── core ── router ── bob
func TestTwoThousandSharesWithinTightLimits(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	const many, descriptors, memory = 2000, 256, 512 << 20
	// In memory: it is not the disk that is to be kept busy.
	disk := lab.Memory(t, 512<<20, 20_000).Dir
	dir, into := filepath.Join(disk, "shared"), filepath.Join(disk, "fetched")
	bob.state = filepath.Join(disk, "state")
	for _, d := range []string{dir, into} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var paths []string
	for i := range many {
		paths = append(paths, random(t, filepath.Join(dir, fmt.Sprintf("song-%04d", i)), 20_000+int64(i), byte(i)))
	}
	daemon := alice.StartCmd(tight(t, alice.command("daemon", "--listen", "[::]:7001"), descriptors, memory))
	daemon.Event("ready", nil)
	var links []string
	const batch = 500
	for from := 0; from < many; from += batch {
		for line := range strings.Lines(alice.verb("share", paths[from:from+batch]...).Stdout()) {
			var one published
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			links = append(links, one.Link)
		}
	}

	bob.boot(nil, "--bootstrap", "none", "--no-lan", "--listen", "[::]:7000", "--max-fetching", "300")
	for from := 0; from < many; from += batch {
		bob.verb("get", append([]string{"--detach", "--output", into}, links[from:from+batch]...)...)
	}
	bob.until("complete", func(all []transfer) bool { return inState(all, "seeding") == many })
	identical(t, dir, into)
	if all := alice.List(); inState(all, "seeding") != many {
		t.Errorf("of alice's %d shares not all are seeding: %+v", many, all)
	}

	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", daemon.PID()))
	if err != nil {
		t.Fatal(err)
	}
	peak := status(t, daemon.PID(), "VmHWM") << 10
	t.Logf("%d descriptors are open, %d MiB were resident at most", len(open), peak>>20)
	if len(open) > descriptors {
		t.Errorf("%d descriptors are open: the limit is not in force", len(open))
	}
	if peak > memory {
		t.Errorf("%d bytes were resident", peak)
	}
	if status := daemon.Interrupt(); status != 0 {
		t.Errorf("status %d\n%s", status, daemon.Stderr())
	}
}

// status is a number of /proc/PID/status.
func status(t testing.TB, pid int, key string) (n int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, key+":"); found {
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return n
		}
	}
	t.Fatalf("no %s in %s", key, text)
	return 0
}
