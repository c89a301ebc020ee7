//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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
	seed := rand.Uint32()
	root := filepath.Join(t.TempDir(), fmt.Sprintf("a folder of 3 (%d)", seed))
	if err := os.MkdirAll(filepath.Join(root, "more"), 0o755); err != nil {
		t.Fatal(err)
	}
	random(t, filepath.Join(root, "large.bin"), 3<<20+17, byte(seed))
	random(t, filepath.Join(root, "more", "with spaces é.bin"), 100_001, byte(seed>>8))
	random(t, filepath.Join(root, "tiny"), 1, byte(seed>>16))
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

// client is a program that others wrote.
type client struct {
	name string
	port int // where it listens

	// start has it fetch links and torrent files into dir, or seed what is there.
	start func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string)
}

var clients = []client{
	{"libtorrent", 7000, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		for i, source := range sources {
			h.Libtorrent("get", source, dir, "--stay", "--crypto", string(crypto), "--listen", fmt.Sprintf("[::]:%d", 7000+i))
		}
	}},
	{"aria2", 6881, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		for i, source := range sources {
			h.Aria2(source, dir, crypto, fmt.Sprintf("--listen-port=%d", 6881+i))
		}
	}},
	{"transmission", 51413, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		var torrents []string
		for _, source := range sources {
			if strings.HasPrefix(source, "magnet:") {
				h.TransmissionGet(source, dir, crypto)
				continue
			}
			torrents = append(torrents, source)
		}
		h.Transmission(dir, crypto, torrents...)
	}},
	{"qbittorrent", 6881, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		h.QBittorrent(dir, crypto, sources...)
	}},
	{"rtorrent", 6881, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		h.RTorrent(dir, crypto, sources...)
	}},
	{"deluge", 6881, func(h *lab.Host, dir string, crypto lab.Crypto, sources ...string) {
		h.Deluge(dir, crypto, sources...)
	}},
}

// What we share, others fetch from us alone: one thing by its link, another by
// its torrent file.
//
//	tracker ──┐                     ┌── libtorrent
//	          ├── core ── routers ──┼── aria2
//	alice ────┘                     ├── transmission
//	                                ├── qbittorrent
//	                                ├── rtorrent
//	                                └── deluge
func TestOthersFetchFromUs(t *testing.T) {
	for _, crypto := range handshakes {
		t.Run(string(crypto), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			alice := at(t, net.Home("alice"))
			alice.StartCmd(alice.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
			var folders []string
			for range 2 * len(clients) {
				folders = append(folders, smallFolder(t))
			}
			shares := map[string]published{} // by name
			for _, share := range alice.publish(folders...) {
				shares[share.Name] = share
				// Some take no address from a link; they hear of it as strangers do.
				tracker.Announce(share.ID, alice.At(7000))
			}
			was := map[string]map[string]entry{}
			into := map[string]string{}
			for i, c := range clients {
				dir := t.TempDir()
				for _, folder := range folders[2*i : 2*i+2] {
					was[folder] = snapshot(t, folder)
					into[folder] = filepath.Join(dir, filepath.Base(folder))
				}
				byLink, byFile := shares[filepath.Base(folders[2*i])], shares[filepath.Base(folders[2*i+1])]
				c.start(net.Home(c.name), dir, crypto, withTracker(byLink.Link, tracker),
					trackedCopy(t, alice.torrentFile(byFile.ID), tracker))
			}
			for folder, dir := range into {
				settles(t, folder, dir)
				unchanged(t, was[folder], folder)
			}
		})
	}
}

// What we share as a hybrid, libtorrent fetches by link and by torrent file, and
// qBittorrent by torrent file.
func TestOthersFetchOurHybrid(t *testing.T) {
	net := lab.New(t)
	tracker := net.Home("tracker").Tracker()
	alice := at(t, net.Home("alice"))
	folder := smallFolder(t)
	share := alice.Share(folder, "--listen", "[::]:7000", "--hybrid")
	torrent := trackedCopy(t, alice.torrentFile(share.ID), tracker)
	tracker.Announce(share.ID, alice.At(7000))
	byLink, byFile, q := t.TempDir(), t.TempDir(), t.TempDir()
	net.Home("libtorrent").Libtorrent("get", share.Link, byLink)
	net.Home("libtorrent2").Libtorrent("get", torrent, byFile)
	net.Home("qbittorrent").QBittorrent(q, lab.Plain, torrent)
	for _, dir := range []string{byLink, byFile, q} {
		settles(t, folder, filepath.Join(dir, share.Name))
	}
}

// What qBittorrent shares for BEP 52 alone or as a hybrid, we fetch by each ID and by
// torrent file. It takes one connection of a host.
//
//	tracker ── router ──────┐
//	                        ├── core ── routers ── bobs
//	qbittorrent ── router ──┘
func TestV2FromQBittorrent(t *testing.T) {
	for _, kind := range []string{"v2", "hybrid"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			seed := net.Home("qbittorrent")
			folder := smallFolder(t)
			made := seed.MakeTorrentOf(kind, folder, tracker.URL)
			seed.QBittorrent(filepath.Dir(folder), lab.Plain, made.File)
			tracker.Await(1)
			sources := []string{made.File, withPeer("magnet:?xt=urn:btmh:1220"+made.V2, seed.At(6881))}
			if kind == "hybrid" {
				sources = append(sources, withPeer(lab.Magnet(made.ID), seed.At(6881)))
			}
			var gets []*lab.Proc
			for _, source := range sources {
				gets = append(gets, at(t, net.Home("bob")).Get(source, t.TempDir()).Within(patience))
			}
			for _, get := range gets {
				identical(t, folder, arrived(t, get).Path)
			}
		})
	}
}

// What others share, we fetch from each of them alone: by a link with its address,
// then by a torrent file with a tracker.
//
//	tracker ──┐                     ┌── libtorrent
//	          ├── core ── routers ──┼── aria2
//	bob ──────┘                     ├── transmission
//	                                ├── qbittorrent
//	                                ├── rtorrent
//	                                └── deluge
func TestWeFetchFromOthers(t *testing.T) {
	for _, crypto := range handshakes {
		t.Run(string(crypto), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			maker, bob := net.Home("maker"), net.Home("bob")
			links, files := map[string]string{}, map[string]string{} // by folder
			for _, c := range clients {
				folder := smallFolder(t)
				torrent, id := maker.MakeTorrent(folder, tracker.URL)
				h := net.Home(c.name)
				c.start(h, filepath.Dir(folder), crypto, torrent)
				links[folder], files[folder] = withPeer(lab.Magnet(id), h.At(c.port)), torrent
			}
			tracker.Await(len(clients))
			for _, way := range []map[string]string{links, files} {
				gets := map[string]*lab.Proc{}
				for folder, source := range way {
					gets[folder] = at(t, bob).Get(source, t.TempDir()).Within(patience)
				}
				for folder, get := range gets {
					identical(t, folder, arrived(t, get).Path)
				}
			}
		})
	}
}
