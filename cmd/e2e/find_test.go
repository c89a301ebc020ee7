//go:build linux

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A share is found by its ID alone, and goes on being found when the host that
// brought everybody together is gone.
//
//	alice ── router ─┐
//	bob   ── router ─┼─ core ── router ── guide (killed in the middle)
//	carol ── router ─┘
func TestDHTFindsByIDAndOutlivesItsBootstrapHost(t *testing.T) {
	net := lab.New(t)
	alice, bob, carol, guide := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol")), at(t, net.Home("guide"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 3<<20+7, 11)

	first := guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000"))
	first.Event("ready", nil)
	knows := []string{"--bootstrap", guide.At(7000)}

	share := alice.StartCmd(alice.guided("share", knows, "--no-addresses", file))
	var shared published
	share.Event("shared", &shared)
	// Carol is there from the start and so knows others when the guide goes.
	carolNode := carol.StartCmd(carol.guided("daemon", knows))
	carolNode.Event("ready", nil)

	identical(t, file, arrived(t, bob.StartCmd(bob.guided("get", knows, "--output", t.TempDir(), shared.ID))).Path)

	first.Kill()
	identical(t, file, arrived(t, carol.StartCmd(carol.bare("get", "--json", "--state", carol.state, "--output", t.TempDir(), shared.ID))).Path)
}

// Two hosts on one link find each other with no router, no bootstrap host and
// no address in the link. A third does not want to.
//
//	alice, bob, carol ── LAN
func TestLANFindsByID(t *testing.T) {
	net := lab.New(t)
	lan := net.LAN("lan")
	alice, bob := at(t, lan.Host("alice")), at(t, lan.Host("bob"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 3<<20+7, 12)
	alone := []string{"--bootstrap", "none"}

	share := alice.StartCmd(alice.guided("share", alone, "--no-addresses", file))
	var shared published
	share.Event("shared", &shared)
	// Who does not ask the local network does not find it there.
	carol := at(t, lan.Host("carol"))
	deaf := carol.StartCmd(carol.guided("get", alone, "--no-lan", "--timeout", "5s", "--output", t.TempDir(), shared.ID))
	if status := deaf.Wait(); status != 3 {
		t.Errorf("with --no-lan: status %d", status)
	}
	get := bob.StartCmd(bob.guided("get", alone, "--seed", "forever", "--output", t.TempDir(), shared.ID))
	var got fetched
	get.Event("done", &got)
	identical(t, file, got.Path)
	// Whoever hears the other first calls.
	for deadline := time.Now().Add(time.Minute); !bob.finds(shared.ID, "lan") && !alice.finds(shared.ID, "lan"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("neither says that it found the other by the local network")
		}
	}
}

// The address in a link makes a node part of the DHT: with that, and no host to
// begin with, it finds by its ID what somebody else shares.
//
//	alice ── router ─┐
//	bob   ── router ─┼─ core
//	carol ── router ─┘
func TestLinkLeadsIntoTheDHT(t *testing.T) {
	net := lab.New(t)
	alice, bob, carol := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	song := random(t, filepath.Join(t.TempDir(), "song.ogg"), 300_000, 13)
	film := random(t, filepath.Join(t.TempDir(), "film.mkv"), 400_000, 14)

	shared := alice.Share(song, "--listen", "[::]:7000")
	var far published
	carol.StartCmd(carol.guided("share", []string{"--bootstrap", alice.At(7000)}, "--no-lan", "--no-addresses", film)).Event("shared", &far)

	bob.StartCmd(bob.command("daemon")).Event("ready", nil)
	fetch := func(link string) fetched {
		get := bob.bare("get", "--json", "--state", bob.state, "--output", t.TempDir(), link)
		return arrived(t, bob.StartCmd(get))
	}
	identical(t, song, fetch(shared.Link).Path)
	identical(t, film, fetch(far.ID).Path)
	bob.foundBy(shared.ID, "link")
	bob.foundOnlyBy(far.ID, "dht")
}

// foundBy fails unless the node of u says that a way of finding peers found some
// for a transfer.
func (u *user) foundBy(id, source string) {
	u.t.Helper()
	if !u.finds(id, source) {
		u.t.Errorf("%s does not say that it was found by %s", u.Name, source)
	}
}

// foundOnlyBy fails unless the node of u says that the only way there is brought it
// together with its peer: it found the peer, or the peer found it and called.
func (u *user) foundOnlyBy(id, source string) {
	u.t.Helper()
	if !u.finds(id, source) && !u.finds(id, "incoming") {
		u.t.Errorf("%s does not say that it was found by %s, or called", u.Name, source)
	}
}

// finds tells whether the node of u says so.
func (u *user) finds(id, source string) bool {
	u.t.Helper()
	show := u.StartCmd(u.bare("show", "--json", "--state", u.state, id))
	if status := show.Wait(); status != 0 {
		u.t.Fatalf("show ended with status %d: %s", status, show.Stderr())
	}
	var shown struct {
		Discovery []struct {
			Source string
			Found  int
		}
	}
	if err := json.Unmarshal([]byte(show.Stdout()), &shown); err != nil {
		u.t.Fatal(err)
	}
	for _, way := range shown.Discovery {
		if way.Source == source && way.Found > 0 {
			return true
		}
	}
	u.t.Logf("%s: %s was found by %+v", u.Name, id, shown.Discovery)
	return false
}

// guided is shoal with a verb that starts a node, with flags that say who is
// asked for peers.
func (u *user) guided(verb string, who []string, args ...string) *exec.Cmd {
	return u.bare(append(append([]string{verb, "--json", "--state", u.state}, who...), args...)...)
}
