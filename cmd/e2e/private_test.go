//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Nodes that have only private addresses find each other by a bare ID through a node of
// the DHT in their middle, with no flag: those on one private network, and those on one
// machine.
//
//	alice, guide, bob ── LAN         alice, guide, bob: one machine, ::1
func TestPrivateNetworksFindByID(t *testing.T) {
	t.Parallel()
	find := func(t *testing.T, alice, guide, bob *user, address string, listen ...string) (id string) {
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
		return shared.ID
	}
	t.Run("unique local addresses", func(t *testing.T) {
		lan := lab.New(t).LAN("lan")
		alice, guide, bob := at(t, lan.Host("alice")), at(t, lan.Host("guide")), at(t, lan.Host("bob"))
		find(t, alice, guide, bob, "["+guide.Addr.String()+"]")
		if d := bob.Doctor(); !strings.HasPrefix(d.Warning, "This machine has no global IPv6 address") {
			t.Errorf("doctor warns: %q", d.Warning)
		}
	})
	// The one who looks has a global address, too.
	t.Run("unique local addresses beside global ones", func(t *testing.T) {
		lan := lab.New(t).LAN("lan")
		alice, guide, bob := at(t, lan.Host("alice")), at(t, lan.Host("guide")), at(t, lan.Host("bob"))
		bob.IP("addr add 2001:db8:77::1/64 dev eth0 nodad")
		id := find(t, alice, guide, bob, "["+guide.Addr.String()+"]")
		// Alice may have called first, but what the DHT tells of her counts.
		for deadline := time.Now().Add(time.Minute); !bob.finds(id, "dht"); time.Sleep(time.Second) {
			if time.Now().After(deadline) {
				t.Fatal("bob takes no unique local address from the DHT")
			}
		}
	})
	t.Run("loopback", func(t *testing.T) {
		host := lab.New(t).LAN("lan").Host("host")
		find(t, at(t, host), at(t, host), at(t, host), "[::1]", "--listen", "[::1]:0")
	})
}
