//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// alice ── router ── core ── router (firewall) ── bob
func TestFolderOfManyFilesArrivesIntact(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob", lab.Firewalled))
	folder := manyNames(t)
	before := snapshot(t, folder)

	link := alice.Share(folder).Link
	got := bob.Fetch(link)

	identical(t, folder, got.Path)
	unchanged(t, before, folder)
}

// alice ── router ── core ── router ── bob
func TestLargeFileArrivesIntact(t *testing.T) {
	const size = 3 << 30
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	dir := t.TempDir()
	room(t, dir, 2*size+size/10)
	file := random(t, filepath.Join(dir, "film.mkv"), size, 1)
	before := snapshot(t, dir)

	share := alice.StartCmd(alice.command("share", file)).Within(10 * time.Minute)
	var shared published
	share.Event("shared", &shared)
	get := bob.Get(shared.Link, t.TempDir()).Within(10 * time.Minute)
	got := arrived(t, get)

	t.Logf("%d bytes came in %.1f s", got.Bytes, got.Seconds)

	// Each is read once: there is much of it.
	after, fetched := snapshot(t, dir), snapshot(t, got.Path)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what was shared has changed:\n%s", diff)
	}
	if want := before["film.mkv"]; fetched["."].Hash != want.Hash || fetched["."].Size != want.Size {
		t.Errorf("fetched %+v of %+v", fetched["."], want)
	}
	info, err := os.Stat(got.Path)
	if err != nil {
		t.Fatal(err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks * 512; blocks < size {
		t.Errorf("the file has holes: %d bytes on disk", blocks)
	}
}

// room fails the test early where the disk cannot hold what it makes.
func room(t testing.TB, dir string, bytes uint64) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	if free := s.Bavail * uint64(s.Bsize); free < bytes {
		lab.Skip(t, "needs more room in the temporary folder")
	}
}

// A share can be fetched from everyone who has it, and goes on when the first
// to have it has left.
//
//	alice ── router ── core ── router ── bob, then carol
func TestFetcherSharesOnAfterTheFirstHasLeft(t *testing.T) {
	net := lab.New(t)
	alice, bob, carol := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 5<<20+3, 2)

	share := alice.Share(file)
	bob.Get(share.Link, t.TempDir(), "--seed", "forever", "--listen", "[::]:7000").Event("done", nil)
	if status := share.Interrupt(); status != 130 {
		t.Errorf("share ended with status %d when interrupted", status)
	}
	got := carol.Fetch(withPeer(lab.Magnet(share.ID), bob.At(7000)))
	identical(t, file, got.Path)
}

// Ctrl-C in the middle is clean, and the second get goes on where the first was.
//
//	alice ── router (4 MiB/s) ── core ── router ── bob
func TestInterruptedGetGoesOn(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob := at(t, home.Host("alice")), at(t, net.Home("bob"))
	const size = 24 << 20
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), size, 3)
	share := alice.Share(file)

	home.Bandwidth(0, 4<<20)
	into := t.TempDir()
	get := bob.Get(share.Link, into)
	var p progress
	for p.Bytes < size/3 {
		get.Event("progress", &p)
	}
	if status := get.Interrupt(); status != 130 {
		t.Errorf("get ended with status %d when interrupted", status)
	}
	if _, err := os.Stat(filepath.Join(into, "film.mkv")); err == nil {
		t.Error("an unfinished file has its final name")
	}

	home.Bandwidth(0, 0)
	before := bob.received()
	got := arrived(t, bob.Get(share.Link, into))
	identical(t, file, got.Path)
	if again := bob.received() - before; again > size-p.Bytes+size/10 {
		t.Errorf("%d bytes were there and yet %d of %d came", p.Bytes, again, int64(size))
	}
}

// Nobody there: status 3 within the time given, and nothing left but the state.
//
//	bob ── router ── core
func TestNobodyHasIt(t *testing.T) {
	net := lab.New(t)
	bob := at(t, net.Home("bob"))
	get := bob.Get(lab.Magnet("0123456789abcdef0123456789abcdef01234567"), t.TempDir(), "--timeout", "1s")
	if status := get.Wait(); status != 3 {
		t.Errorf("status %d\n%s", status, get.Stderr())
	}
}
