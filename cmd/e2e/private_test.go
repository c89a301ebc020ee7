//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Nodes that have only private addresses find each other by a bare ID through a node of
// the DHT in their middle, with no flag: those on one private network, and those on one
// machine.
//
//	alice, guide, bob ── LAN         alice, guide, bob: one machine, ::1
func TestPrivateNetworksFindByID(t *testing.T) {
	t.Parallel()
	find := func(t *testing.T, alice, guide, bob *user, address string, listen ...string) {
		t.Helper()
		file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20+7, 41)
		guide.StartCmd(guide.command("daemon", "--listen", address+":7000")).Event("ready", nil)
		knows := append([]string{"--no-lan", "--bootstrap", address + ":7000"}, listen...)
		share := alice.StartCmd(alice.guided("share", knows, "--no-addresses", file))
		var shared published
		share.Event("shared", &shared)
		if strings.Contains(shared.Link, "x.pe") {
			t.Fatalf("the link has an address: %s", shared.Link)
		}
		get := bob.StartCmd(bob.guided("get", knows, "--seed", "forever", "--output", t.TempDir(), shared.ID))
		var got fetched
		get.Event("done", &got)
		identical(t, file, got.Path)
		bob.foundOnlyBy(shared.ID, "dht")
	}
	t.Run("unique local addresses", func(t *testing.T) {
		lan := lab.New(t).LAN("lan")
		alice, guide, bob := at(t, lan.Host("alice")), at(t, lan.Host("guide")), at(t, lan.Host("bob"))
		find(t, alice, guide, bob, "["+guide.Addr.String()+"]")
		if d := bob.Doctor(); !strings.HasPrefix(d.Warning, "This machine has no global IPv6 address") {
			t.Errorf("doctor warns: %q", d.Warning)
		}
	})
	t.Run("loopback", func(t *testing.T) {
		host := lab.New(t).LAN("lan").Host("host")
		find(t, at(t, host), at(t, host), at(t, host), "[::1]", "--listen", "[::1]:0")
	})
}
