//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

var handshakes = []lab.Crypto{lab.Plain, lab.Encrypted}

// patience is how long others may take: transmission asks a tracker when it
// sees fit.
const patience = 3 * time.Minute

// smallFolder makes a folder that every client can represent, with content
// that no other test has.
func smallFolder(t testing.TB) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a folder of 3")
	if err := os.MkdirAll(filepath.Join(root, "more"), 0o755); err != nil {
		t.Fatal(err)
	}
	seed := byte(rand.IntN(256))
	random(t, filepath.Join(root, "large.bin"), 3<<20+17, seed)
	random(t, filepath.Join(root, "more", "with spaces é.bin"), 100_001, seed+1)
	random(t, filepath.Join(root, "tiny"), 1, seed+2)
	return root
}

// settles waits until what another client fetches is all there.
func settles(t testing.TB, shared, fetched string) {
	t.Helper()
	want := content(snapshot(t, shared))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		// Files change their names under us until all is there.
		if got, err := read(fetched); err == nil && maps.Equal(want, content(got)) {
			return
		}
	}
	identical(t, shared, fetched)
}

// webSeeded is a copy of a torrent file with a web seed written into it.
func webSeeded(t testing.TB, torrent, root string) string {
	t.Helper()
	data, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatal(err)
	}
	// "url-list" is the last of the keys that such a file can have.
	data = fmt.Appendf(nil, "%s8:url-list%d:%se", data[:len(data)-1], len(root), root)
	name := filepath.Join(t.TempDir(), "webseeded.torrent")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// trackedCopy is a torrent file with a tracker written into it.
func trackedCopy(t testing.TB, torrent string, tracker *lab.Tracker) string {
	t.Helper()
	data, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatal(err)
	}
	// "announce" is the first of the keys that such a file can have.
	data = fmt.Appendf(nil, "d8:announce%d:%s%s", len(tracker.URL), tracker.URL, data[1:])
	name := filepath.Join(t.TempDir(), "tracked.torrent")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What we share, others fetch by its link.
//
//	tracker ──┐                     ┌── libtorrent
//	          ├── core ── routers ──┼── aria2
//	alice ────┘                     ├── transmission-cli
//	                                └── transmission-daemon
func TestOthersFetchFromUs(t *testing.T) {
	for _, crypto := range handshakes {
		t.Run(string(crypto), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			alice := at(t, net.Home("alice"))
			folder := smallFolder(t)
			before := snapshot(t, folder)
			share := alice.Share(folder, "--listen", "[::]:7000")
			torrent := alice.torrentFile(share.ID)
			// Aria2 and transmission take no address from a link; they hear of
			// it as strangers do.
			tracker.Announce(share.ID, alice.At(7000))
			link := withTracker(share.Link, tracker)

			lt, aria, cli, daemon := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
			net.Home("libtorrent").Libtorrent("get", share.Link, lt, "--crypto", string(crypto))
			net.Home("aria2").Aria2(link, aria, crypto)
			net.Home("cli").TransmissionGet(link, cli, crypto)
			net.Home("daemon").Transmission(daemon, crypto, trackedCopy(t, torrent, tracker))
			for _, dir := range []string{lt, aria, cli, daemon} {
				settles(t, folder, filepath.Join(dir, share.Name))
			}
			unchanged(t, before, folder)
		})
	}
}

// What we share as a hybrid, libtorrent fetches by link and by torrent file, and
// checks the v2 hashes, too. Transmission 3.00 and aria2 1.36 read no hybrid,
// whoever made it.
func TestOthersFetchOurHybrid(t *testing.T) {
	net := lab.New(t)
	tracker := net.Home("tracker").Tracker()
	alice := at(t, net.Home("alice"))
	folder := smallFolder(t)
	share := alice.Share(folder, "--listen", "[::]:7000", "--hybrid")
	torrent := alice.torrentFile(share.ID)
	tracker.Announce(share.ID, alice.At(7000))
	byLink, byFile := t.TempDir(), t.TempDir()
	net.Home("libtorrent").Libtorrent("get", share.Link, byLink)
	net.Home("libtorrent2").Libtorrent("get", trackedCopy(t, torrent, tracker), byFile)
	for _, dir := range []string{byLink, byFile} {
		settles(t, folder, filepath.Join(dir, share.Name))
	}
}

// What others share, we fetch: by a link with an address, by a link with a
// tracker, and by a torrent file.
//
//	tracker ──┐                     ┌── libtorrent
//	          ├── core ── routers ──┼── aria2
//	bob ──────┘                     └── transmission
func TestWeFetchFromOthers(t *testing.T) {
	for _, crypto := range handshakes {
		t.Run(string(crypto), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			maker := net.Home("maker")
			bob := net.Home("bob")
			host := func(name string) (h *lab.Host, folder, torrent, id string) {
				folder = smallFolder(t)
				torrent, id = maker.MakeTorrent(folder, tracker.URL)
				return net.Home(name), folder, torrent, id
			}
			h, folder1, torrent, id := host("libtorrent")
			h.Libtorrent("seed", torrent, filepath.Dir(folder1), "--listen", "[::]:7000", "--crypto", string(crypto))
			link1 := withPeer(lab.Magnet(id), h.At(7000))

			h, folder2, torrent, id := host("aria2")
			h.Aria2(torrent, filepath.Dir(folder2), crypto)
			link2 := lab.Magnet(id, tracker.URL)

			h, folder3, torrent, _ := host("transmission")
			h.Transmission(filepath.Dir(folder3), crypto, torrent)
			link3 := torrent

			tracker.Await(3)
			gets := map[string]*lab.Proc{}
			for folder, link := range map[string]string{folder1: link1, folder2: link2, folder3: link3} {
				gets[folder] = at(t, bob).Get(link, t.TempDir()).Within(patience)
			}
			for folder, get := range gets {
				identical(t, folder, arrived(t, get).Path)
			}
		})
	}
}
