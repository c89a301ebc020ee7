//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A disk that is too small: get says so with status 6, keeps what it has, and
// goes on when there is room.
//
//	alice ── router ── core ── router ── bob, with 24 MiB for 40
func TestFullDisk(t *testing.T) {
	const size = 40 << 20
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), size, 1)
	share := alice.Share(file)
	disk := lab.Memory(t, 24<<20, 1000)

	get := bob.Get(share.Link, disk.Dir, "--min-free", "0")
	if status := get.Wait(); status != 6 {
		t.Fatalf("status %d\n%s", status, get.Stderr())
	}
	if why := get.Stderr(); !strings.Contains(why, "no space left on device") {
		t.Errorf("the reason is not said: %s", why)
	}

	disk.Resize(2 * size)
	before := bob.received()
	got := arrived(t, bob.Get(share.Link, disk.Dir, "--min-free", "0"))
	identical(t, file, got.Path)
	if again := bob.received() - before; again > size*8/10 {
		t.Errorf("%d of %d bytes came again after 24 MiB had been there", again, size)
	}
}

// A node whose disk is full goes on by itself when there is room.
//
//	alice ── router ── core ── router ── bob's node, with 24 MiB for 40
func TestNodeWaitsForRoomOnTheDisk(t *testing.T) {
	const size = 40 << 20
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), size, 1)
	share := alice.Share(file)
	disk := lab.Memory(t, 24<<20, 1000)

	bob.StartCmd(bob.command("daemon", "--min-free", "0")).Event("ready", nil)
	if get := bob.Get(share.Link, disk.Dir); get.Wait() != 6 {
		t.Fatalf("status %d\n%s", get.Wait(), get.Stderr())
	}
	if now := bob.Only(); now.State != "error" || !strings.Contains(now.Reason, "no space left on device") {
		t.Errorf("the node says %+v", now)
	}
	disk.Resize(2 * size)
	bob.Until("seeding")
	identical(t, file, filepath.Join(disk.Dir, share.Name))
}

// failing starts get under a tracer that makes system calls on one file fail.
func failing(u *user, link, into, file, inject string) *lab.Proc {
	u.t.Helper()
	strace := lab.Tool(u.t, "strace", "strace")
	get := u.command("get", "--seed", "forever", "--output", into, link)
	args := []string{"-f", "-qq", "-o", "/dev/null", "-P", filepath.Join(into, file), "-e", "inject=" + inject}
	cmd := exec.Command(strace, append(args, get.Args...)...)
	cmd.Env, cmd.Dir = get.Env, get.Dir
	return u.StartCmd(cmd)
}

// A sync that fails is never taken for one that succeeded: nothing becomes
// complete, and what the disk has kept is read before it is trusted.
//
//	alice ── router ── core ── router ── bob, whose fsync fails
func TestFailingSync(t *testing.T) {
	net := lab.New(t)
	alice, bob, carol := at(t, net.Home("alice")), at(t, net.Home("bob")), net.Home("carol")
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 40<<20, 1)
	share := alice.Share(file)
	l := torrentLayout(t, carol, alice.torrentFile(share.ID))
	into := t.TempDir()

	get := failing(bob, share.Link, into, partOf("film.mkv", share.ID), "fsync,fdatasync,syncfs,sync_file_range:error=EIO")
	if status := get.Wait(); status != 6 {
		t.Fatalf("status %d\n%s", status, get.Stderr())
	}
	if why := get.Stderr(); !strings.Contains(why, "input/output error") {
		t.Errorf("the reason is not said: %s", why)
	}
	if _, err := os.Stat(filepath.Join(into, "film.mkv")); err == nil {
		t.Error("a file that could not be synced has its final name")
	}

	lose(t, filepath.Join(into, partOf("film.mkv", share.ID)))
	got := bob.Get(share.Link, into, "--seed", "forever", "--listen", "[::]:7000")
	got.Event("done", nil)
	identical(t, file, filepath.Join(into, "film.mkv"))
	offered, err := offers(carol, got, bob.At(7000), share.ID, l.pieces(), l.pieces())
	if err != nil {
		t.Fatal(err)
	}
	trueClaims(t, l, offered, file, filepath.Join(into, "film.mkv"))
}

// partOf is what an unfinished file is called.
func partOf(name, id string) string { return name + ".shoal-" + id[:6] + ".part" }

// lose does to a file what a disk may do whose sync failed: a page of it is as
// it was before it was written. Nothing else of the file changes, its time
// included.
func lose(t testing.TB, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 4096), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// A write that fails in the middle stops the transfer with the reason.
//
//	alice ── router ── core ── router ── bob, whose pwrite fails
func TestFailingWrite(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 40<<20, 1)
	share := alice.Share(file)
	into := t.TempDir()

	// The tracer counts each thread's calls for itself.
	get := failing(bob, share.Link, into, partOf("film.mkv", share.ID), "pwrite64,pwritev,write,writev:error=EIO:when=20+")
	if status := get.Wait(); status != 6 {
		t.Fatalf("status %d\n%s", status, get.Stderr())
	}
	if why := get.Stderr(); !strings.Contains(why, "input/output error") {
		t.Errorf("the reason is not said: %s", why)
	}
	got := arrived(t, bob.Get(share.Link, into))
	identical(t, file, got.Path)
}

// The power fails in the middle, for the data and the state alike. What bob's
// node offers after that is what survived.
//
//	alice ── router (8 MiB/s) ───┐
//	                           core ── router ── bob, on a disk that loses power
//	carol ── router ─────────────┘
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const size = 96<<20 + 17
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob, carol := at(t, home.Host("alice")), at(t, net.Home("bob")), net.Home("carol")
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), size, 1)
	share := alice.Share(file)
	l := torrentLayout(t, carol, alice.torrentFile(share.ID))
	disk := lab.Ext4(t, 400<<20)
	bob.state = filepath.Join(disk.Dir, "state")
	into := filepath.Join(disk.Dir, "downloads")

	home.Bandwidth(0, rate/2)
	for cut := range 3 {
		get := bob.Get(share.Link, into)
		var said progress
		for said.durable() < int64(cut+1)*size/5 {
			get.Event("progress", &said)
		}
		disk.PowerCut()
		get.Kill()
		disk.Repower()

		home.Unplug()
		alone := bob.Get(share.Link, into, "--listen", "[::]:7000")
		alone.Event("progress", nil)
		offered, err := offers(carol, alone, bob.At(7000), share.ID, l.pieces(), int(said.Bytes/l.PieceLength))
		if err != nil {
			t.Fatalf("cut %d: %d bytes said: %v", cut, said.Bytes, err)
		}
		n := trueClaims(t, l, offered, file, filepath.Join(into, share.Name))
		t.Logf("cut %d: %d bytes said, %d of %d pieces offered", cut, said.Bytes, n, l.pieces())
		alone.Kill()
		home.Plug()
	}
	home.Bandwidth(0, 0)
	got := arrived(t, bob.Get(share.Link, into))
	identical(t, file, got.Path)
}
