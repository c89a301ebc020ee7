//go:build linux

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// Libtorrent finds us and we find it by nothing but the DHT.
//
//	guide ── router ──┐                ┌── seed, libtorrent
//	alice ── router ──┼── core ── routers
//	bob ──── router ──┘                └── fetcher, libtorrent
func TestByTheDHTAlone(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	guide, alice, bob := at(t, net.Home("guide")), at(t, net.Home("alice")), at(t, net.Home("bob"))
	guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	knows := []string{"--no-lan", "--bootstrap", guide.At(7000)}
	seed, fetcher := net.Home("seed"), net.Home("fetcher")

	ours := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20+5, 23)
	var shared published
	alice.StartCmd(alice.guided("share", knows, "--no-addresses", ours)).Event("shared", &shared)
	into := t.TempDir()
	fetcher.Libtorrent("get", lab.Magnet(shared.ID), into, "--dht", "--node", guide.At(7000), "--listen", fetcher.At(7000))

	theirs := random(t, filepath.Join(t.TempDir(), "film.mkv"), 1<<20+7, 24)
	torrent, id := seed.MakeTorrent(theirs)
	seed.Libtorrent("seed", torrent, filepath.Dir(theirs), "--dht", "--node", guide.At(7000), "--listen", seed.At(7000))
	bob.StartCmd(bob.guided("daemon", knows)).Event("ready", nil)
	get := bob.StartCmd(bob.bare("get", "--json", "--state", bob.state, "--output", t.TempDir(), id)).Within(patience)
	identical(t, theirs, arrived(t, get).Path)
	bob.foundOnlyBy(id, "dht")
	settles(t, ours, filepath.Join(into, "song.ogg"))
}

// Libtorrent finds us and we find it by nothing but multicast on one link
// (BEP 14). aria2 and Transmission do this over IPv4 only, and rtorrent does not.
//
//	alice, bob, seed, fetcher ── LAN
func TestByTheLANAlone(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	lan := net.LAN("lan")
	alice, bob := at(t, lan.Host("alice")), at(t, lan.Host("bob"))
	seed, fetcher := lan.Host("seed"), lan.Host("fetcher")
	alone := []string{"--bootstrap", "none"}

	ours := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20+5, 25)
	var shared published
	alice.StartCmd(alice.guided("share", alone, "--no-addresses", ours)).Event("shared", &shared)
	into := t.TempDir()
	fetcher.Libtorrent("get", lab.Magnet(shared.ID), into, "--lan", "--listen", fetcher.At(7000))

	theirs := random(t, filepath.Join(t.TempDir(), "film.mkv"), 1<<20+7, 26)
	torrent, id := seed.MakeTorrent(theirs)
	bob.StartCmd(bob.guided("daemon", alone)).Event("ready", nil)
	get := bob.StartCmd(bob.bare("get", "--json", "--state", bob.state, "--output", t.TempDir(), id)).Within(patience)
	get.Event("progress", nil)
	// A seed that is there before would call whoever it hears, and not be found.
	seed.Libtorrent("seed", torrent, filepath.Dir(theirs), "--lan", "--listen", seed.At(7000))
	identical(t, theirs, arrived(t, get).Path)
	bob.foundOnlyBy(id, "lan")
	settles(t, ours, filepath.Join(into, "song.ogg"))
}

// We find a seed by nothing but what a peer that we know tells of it (BEP 11).
// Nobody can call bob.
//
//	seed, qbittorrent ── router (2 MiB/s) ──┐
//	guide, libtorrent ── router ────────────┴── core ── router (firewall) ── bob
func TestByPEXAlone(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	home := net.Router("seed")
	seed, guide, bob := home.Host("seed"), net.Home("guide"), at(t, net.Home("bob", lab.Firewalled))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 24<<20, 27)
	torrent, id := seed.MakeTorrent(file)
	home.Bandwidth(0, 2<<20)
	seed.QBittorrent(filepath.Dir(file), lab.Plain, torrent)
	knowing := guide.Libtorrent("get", torrent, t.TempDir(), "--listen", guide.At(7000), "--peer", seed.At(6881))
	for p := (progress{}); p.Bytes == 0; {
		knowing.Event("progress", &p)
	}

	// Of two calls that cross, libtorrent keeps that of the lower port.
	bob.StartCmd(bob.command("daemon", "--listen", "[::]:6000")).Event("ready", nil)
	get := bob.StartCmd(bob.bare("get", "--json", "--state", bob.state, "--output", t.TempDir(), withPeer(lab.Magnet(id), guide.At(7000))))
	for p := (progress{}); p.Peers < 2; {
		get.Event("progress", &p)
	}
	knowing.Kill()
	home.Bandwidth(0, 0)
	identical(t, file, arrived(t, get).Path)
	bob.foundBy(id, "pex")
}
