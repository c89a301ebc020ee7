//go:build linux

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A single file goes straight into a pipe, in order, and nothing is kept.
//
//	alice ── router ── core ── router ── bob | sha256sum
func TestGetIntoAPipe(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	folder := smallFolder(t)
	share := alice.Share(folder)
	want, err := hash(filepath.Join(folder, "large.bin"))
	if err != nil {
		t.Fatal(err)
	}
	pipe := bob.bare("get", "--state", bob.state, "--bootstrap", "none", "--no-lan", "--output", "-", "--file", "large.bin", share.Link)
	cmd := bob.bare()
	cmd.Path = "/bin/sh"
	cmd.Args = append([]string{"sh", "-c", `"$@" | sha256sum`, "sh"}, pipe.Args...)
	p := bob.StartCmd(cmd)
	if status := p.Wait(); status != 0 {
		t.Fatalf("status %d\n%s", status, p.Stderr())
	}
	if got, _, _ := strings.Cut(p.Stdout(), " "); got != want {
		t.Errorf("%s came through the pipe, not %s\n%s", got, want, p.Stderr())
	}
}

// Only what was asked for is written.
//
//	alice ── router ── core ── router ── bob
func TestGetSomeFilesOnly(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	folder := smallFolder(t)
	got := bob.Fetch(alice.Share(folder).Link, "--file", "with*", "--file", "tiny")
	files := snapshot(t, got.Path)
	for name, e := range files {
		// The ends of a neighbour's pieces are kept under its unfinished name.
		if !e.Mode.IsRegular() || strings.HasSuffix(name, ".part") {
			delete(files, name)
		}
	}
	if names := slices.Sorted(maps.Keys(files)); !slices.Equal(names, []string{"more/with spaces é.bin", "tiny"}) {
		t.Errorf("there are %q", names)
	}
	for name := range files {
		if want, err := hash(filepath.Join(folder, name)); err != nil || files[name].Hash != want {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}

// Several links in one command, from several people.
//
//	alice ── router ──┐
//	carol ── router ──┴── core ── router ── bob
func TestGetSeveralLinks(t *testing.T) {
	net := lab.New(t)
	alice, carol, bob := at(t, net.Home("alice")), at(t, net.Home("carol")), at(t, net.Home("bob"))
	dir := t.TempDir()
	song := random(t, filepath.Join(dir, "song.ogg"), 1<<20, 1)
	film := random(t, filepath.Join(dir, "film.mkv"), 2<<20, 2)
	into := t.TempDir()
	get := bob.StartCmd(bob.command("get", "--output", into, alice.Share(song).Link, carol.Share(film).Link))
	if status := get.Wait(); status != 0 {
		t.Fatalf("status %d\n%s", status, get.Stderr())
	}
	identical(t, song, filepath.Join(into, "song.ogg"))
	identical(t, film, filepath.Join(into, "film.mkv"))
}

// Whoever fetches learns of others from those it fetches from (BEP 11): carol
// knows of bob only, who leaves.
//
//	alice ── router (2 MiB/s) ──┐
//	bob ──── router ────────────┴── core ── router ── carol
func TestPeersAreLearntFromPeers(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob, carol := at(t, home.Host("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 12<<20, 1)
	share := alice.Share(file)
	home.Bandwidth(0, 2<<20)

	atBob := bob.Get(share.Link, t.TempDir(), "--listen", "[::]:7000")
	atBob.Event("progress", nil)
	get := carol.Get(withPeer(lab.Magnet(share.ID), bob.At(7000)), t.TempDir())
	for p := (progress{}); p.Peers < 2; {
		get.Event("progress", &p)
	}
	atBob.Kill()
	home.Bandwidth(0, 0)
	identical(t, file, arrived(t, get).Path)
}

// What was changed under a share is never sent as if it were what was shared.
//
//	alice ── router ── core ── router ── bob
func TestChangedFileIsNotSent(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 3<<20, 1)
	share := alice.Share(file)
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("changed"), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	get := bob.Get(share.Link, into, "--timeout", "5s")
	if status := get.Wait(); status != 3 {
		t.Errorf("status %d\n%s", status, get.Stderr())
	}
	if _, err := os.Stat(filepath.Join(into, "song.ogg")); err == nil {
		t.Error("the changed file arrived as if it were the shared one")
	}
}
