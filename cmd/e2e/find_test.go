//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

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
// no address in the link.
//
//	alice ── LAN ── bob
func TestLANFindsByID(t *testing.T) {
	net := lab.New(t)
	lan := net.LAN("lan")
	alice, bob := at(t, lan.Host("alice")), at(t, lan.Host("bob"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 3<<20+7, 12)
	alone := []string{"--bootstrap", "none"}

	share := alice.StartCmd(alice.guided("share", alone, "--no-addresses", file))
	var shared published
	share.Event("shared", &shared)
	get := bob.StartCmd(bob.guided("get", alone, "--output", t.TempDir(), shared.ID))
	identical(t, file, arrived(t, get).Path)
}

// guided is shoal with a verb that starts a node, with flags that say who is
// asked for peers.
func (u *user) guided(verb string, who []string, args ...string) *exec.Cmd {
	return u.bare(append(append([]string{verb, "--json", "--state", u.state}, who...), args...)...)
}
