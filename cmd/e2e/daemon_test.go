//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// boot starts a daemon as systemd does and waits until it is ready.
func (u *user) boot(sockets []lab.Socket, flags ...string) *lab.Service {
	u.t.Helper()
	s := u.StartService(u.bare(append([]string{"daemon", "--json", "--state", u.state}, flags...)...), sockets...)
	s.Tells("READY=1")
	return s
}

// verb carries out a verb with the running node; it must end well.
func (u *user) verb(verb string, args ...string) *lab.Proc {
	u.t.Helper()
	p := u.StartCmd(u.bare(append([]string{verb, "--json", "--state", u.state}, args...)...))
	if status := p.Wait(); status != 0 {
		u.t.Fatalf("%s: %s: status %d\n%s%s", u.Name, verb, status, p.Stdout(), p.Stderr())
	}
	return p
}

// publish shares paths with the running node and gives what became of them.
func (u *user) publish(paths ...string) []published {
	u.t.Helper()
	p := u.verb("share", paths...)
	all := make([]published, len(paths))
	for i := range all {
		p.Event("shared", &all[i])
	}
	return all
}

// until lists what the running node has until that is good.
func (u *user) until(what string, good func([]transfer) bool) []transfer {
	u.t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		all := u.List()
		if good(all) {
			return all
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: not %s: %+v", u.Name, what, all)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// inState counts the transfers in any of some states.
func inState(all []transfer, states ...string) (n int) {
	for _, t := range all {
		for _, s := range states {
			if t.State == s {
				n++
			}
		}
	}
	return n
}

// reads tells which files of a folder are read, by whomever, from now on.
func reads(t testing.TB, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_ACCESS); err != nil {
		t.Fatal(err)
	}
	return func() (names []string) {
		t.Helper()
		buf := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, buf)
			if errors.Is(err, unix.EAGAIN) {
				return names
			}
			if err != nil {
				t.Fatal(err)
			}
			for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
				end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(b[12:])
				if binary.NativeEndian.Uint32(b[4:])&unix.IN_Q_OVERFLOW != 0 {
					t.Fatalf("more was read in %s than can be told", dir)
				}
				if name := unix.ByteSliceToString(b[unix.SizeofInotifyEvent:end]); !slices.Contains(names, name) {
					names = append(names, name)
				}
				b = b[end:]
			}
		}
	}
}

// A daemon that systemd runs is killed in the middle of fetching twenty files
// and sharing twenty others, and started again: it goes on with all of them, and
// reads nothing again but the unfinished files that it was writing to. As it
// listens at another port by then, nothing that the DHT knew of it is of use;
// dave, new in the DHT, fetches every share by its ID alone within a minute.
//
//	alice ── router ─────────────┐
//	bob   ── router (8 MiB/s) ───┼── core ── router ── guide
//	dave  ── router ─────────────┘
func TestDaemonKilledAmongFortyTransfersGoesOn(t *testing.T) {
	t.Parallel() // with the other one that mostly waits
	net := lab.New(t)
	line := net.Router("bob")
	alice, bob := at(t, net.Home("alice")), at(t, line.Host("bob"))
	guide, dave := at(t, net.Home("guide")), at(t, net.Home("dave"))
	const many, size, small = 20, 6<<20 + 1, 70 << 10
	files := func(name string, number int, size int64, seed byte) (paths []string) {
		dir := t.TempDir()
		for i := range number {
			paths = append(paths, random(t, filepath.Join(dir, fmt.Sprintf("%s-%02d", name, i)), size, seed+byte(i)))
		}
		return paths
	}
	first := guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000"))
	first.Event("ready", nil)
	knows := []string{"--bootstrap", guide.At(7000), "--no-lan"}

	bob.boot(nil, knows...)
	theirs := append(files("film", many, size, 1), files("note", 2, small, 51)...)
	fetching := bob.publish(theirs...)
	line.Bandwidth(0, 256<<10)

	service := alice.boot(nil, append(knows, "--listen", "[::]:7001")...)
	ours := files("song", many, size, 101)
	sharing := alice.publish(ours...)
	into := t.TempDir()
	args := []string{"--detach", "--output", into}
	for _, p := range fetching {
		args = append(args, p.Link)
	}
	alice.verb("get", args...)
	// Side by side, so that none is through before the others have begun.
	limit := func(rate string) {
		args := []string{"--down", rate}
		for _, p := range fetching {
			if strings.HasPrefix(p.Name, "film") {
				args = append(args, p.ID)
			}
		}
		alice.verb("limit", args...)
	}
	limit("250KB")
	line.Bandwidth(0, 8<<20)
	promised := map[string]int64{} // what each fetch said it had
	alice.until("in the middle of twenty fetches", func(all []transfer) bool {
		var sum int64
		clear(promised)
		for _, one := range all {
			if one.State == "fetching" {
				promised[one.ID] = one.Bytes
				sum += one.Bytes
			}
		}
		return len(promised) == many && sum > many*size/4
	})
	service.Kill()
	line.Unplug() // so that what was fetched before can be seen

	readOurs, readTheirs := reads(t, filepath.Dir(ours[0])), reads(t, into)
	service = alice.boot(nil, append(knows, "--listen", "[::]:7002")...)
	back := time.Now()
	alice.until("back with all transfers, as far as they had come", func(all []transfer) bool {
		for _, one := range all {
			if one.Bytes < promised[one.ID] {
				return false
			}
		}
		// One or another may have become complete before the kill came.
		return inState(all, "seeding", "fetching", "finding") == 2*many+2 && inState(all, "seeding") < 2*many
	})
	if names := readOurs(); len(names) > 0 {
		t.Errorf("of what is shared these were read again: %q", names)
	}
	// Their size and time are not those of the last record of them.
	for _, name := range readTheirs() {
		if !strings.HasSuffix(name, ".part") {
			t.Errorf("%s was complete and is read again", name)
		}
	}

	search := []string{"--output", t.TempDir()}
	for _, p := range sharing {
		search = append(search, p.ID)
	}
	get := dave.StartCmd(dave.guided("get", knows, search...)).Within(time.Minute - time.Since(back))
	for range sharing {
		get.Event("done", nil)
	}
	t.Logf("found and fetched by their IDs %v after the restart", time.Since(back).Round(time.Second/10))
	get.Wait()
	if names := readOurs(); len(names) != many { // which shows that reading does show
		t.Errorf("dave has fetched %d files and these were read: %q", many, names)
	}

	limit("none")
	line.Plug()
	line.Bandwidth(0, 0)
	alice.until("complete", func(all []transfer) bool { return inState(all, "seeding") == 2*many+2 })
	for i, p := range fetching {
		identical(t, theirs[i], filepath.Join(into, p.Name))
	}
	if status := service.Stop(); status != 0 {
		t.Errorf("stopped by SIGTERM it ends with status %d\n%s", status, service.Stderr())
	}
}

// systemd keeps the sockets that it opened for a daemon while that is killed
// and started again: what was shared is there at the same address, and verbs
// reach the node over the socket that it did not make itself.
//
//	alice ── router ── core ── router ── bob
func TestSocketsOfSystemdOutliveTheDaemon(t *testing.T) {
	lan := lab.New(t)
	alice, bob := at(t, lan.Home("alice")), at(t, lan.Home("bob"))
	// The state is where the socket is looked for.
	if err := os.Mkdir(alice.state, 0o700); err != nil {
		t.Fatal(err)
	}
	control, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(alice.state, "shoal.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	sockets := []lab.Socket{
		{Name: "peers", Of: alice.Listen(7001).(*net.TCPListener)},
		{Name: "peers", Of: alice.ListenPacket(7001)},
		{Name: "api", Of: control},
	}
	alone := []string{"--bootstrap", "none", "--no-lan"}
	service := alice.boot(sockets, alone...)
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 3<<20, 7)
	share := alice.publish(file)[0]
	service.Kill()
	service = alice.boot(sockets, alone...)
	if now := alice.Only(); now.ID != share.ID || now.State != "seeding" {
		t.Errorf("after the restart there is %+v", now)
	}
	identical(t, file, bob.Fetch(share.Link).Path)
	if !strings.Contains(share.Link, "7001") {
		t.Errorf("the link does not carry the port that was handed over: %s", share.Link)
	}
	if status := service.Stop(); status != 0 {
		t.Errorf("status %d\n%s", status, service.Stderr())
	}
	if _, err := os.Stat(filepath.Join(alice.state, "shoal.sock")); err != nil {
		t.Errorf("the socket of systemd is gone: %v", err)
	}
}
