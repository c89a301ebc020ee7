//go:build linux

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A link is enough where no TCP gets through.
//
//	alice (lets no TCP in) ── router ── core ── router ── bob
func TestALinkOverUTPAlone(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	alice.Run("nft", "add table inet f; add chain inet f in { type filter hook input priority filter; }; add rule inet f in meta l4proto tcp drop")
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 24<<20, 31)

	var shared published
	alice.StartCmd(alice.command("share", file)).Event("shared", &shared)
	got := bob.Fetch(shared.Link)

	identical(t, file, got.Path)
}
