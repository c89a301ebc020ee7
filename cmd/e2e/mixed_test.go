//go:build linux

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Everybody in one swarm: alice is the seed, bob comes when all others are at it,
// and carol, when alice and bob have left, is the only one who lacks anything.
//
//	tracker ──┐                                    ┌── libtorrent
//	alice ─── router (4 MiB/s) ──┐                 ├── aria2
//	bob ──────┤                  ├─ core ─ routers ┼── transmission
//	carol ────┘                  │                 ├── qbittorrent
//	                                               ├── rtorrent
//	                                               └── deluge
func TestMixedSwarm(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	tracker := net.Home("tracker").Tracker()
	home := net.Router("alice")
	alice, bob, carol := at(t, home.Host("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 16<<20+5, 21)
	share := alice.Share(file, "--listen", "[::]:7000")
	torrent := trackedCopy(t, alice.torrentFile(share.ID), tracker)
	tracker.Announce(share.ID, alice.At(7000))
	home.Bandwidth(0, 4<<20)

	var arriving []string
	for _, c := range clients {
		dir := t.TempDir()
		c.start(net.Home(c.name), dir, lab.Plain, torrent)
		arriving = append(arriving, filepath.Join(dir, share.Name))
	}
	tracker.Await(1 + len(clients))
	late := bob.Get(torrent, t.TempDir()).Within(patience)
	for _, path := range arriving {
		settles(t, file, path)
	}
	identical(t, file, arrived(t, late).Path)

	if status := share.Interrupt(); status != 130 {
		t.Errorf("share ended with status %d when interrupted", status)
	}
	identical(t, file, arrived(t, carol.Get(torrent, t.TempDir()).Within(patience)).Path)
}
