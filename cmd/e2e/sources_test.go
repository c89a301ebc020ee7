//go:build linux

package e2e

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A link with nothing but a tracker that its maker chose.
//
//	tracker ── router ──┐
//	alice ──── router ──┼── core ── routers ── bob, carol
func TestTrackerOfTheLinkIsAsked(t *testing.T) {
	net := lab.New(t)
	tracker := net.Home("tracker").Tracker()
	alice, bob, carol := at(t, net.Home("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20+1, 1)
	share := alice.Share(file, "--listen", "[::]:7000")
	tracker.Announce(share.ID, alice.At(7000))

	link := lab.Magnet(share.ID, tracker.URL)
	if get := carol.Get(link, t.TempDir(), "--no-trackers", "--timeout", "2s"); get.Wait() != 3 {
		t.Errorf("with --no-trackers: status %d", get.Wait())
	}
	if n := len(tracker.Peers()); n != 1 {
		t.Errorf("the tracker was asked although --no-trackers was given: it knows %d peers", n)
	}
	got := bob.Fetch(link)
	identical(t, file, got.Path)
	if n := len(tracker.Peers()); n != 2 {
		t.Errorf("the tracker knows %d peers", n)
	}
}

// A torrent file with nothing but a web seed (BEP 19); nobody else has the
// content.
//
//	web server ── router ── core ── router ── bob
func TestWebSeed(t *testing.T) {
	net := lab.New(t)
	web, bob := net.Home("web"), at(t, net.Home("bob"))
	folder := smallFolder(t)
	torrent, _ := web.MakeTorrent(folder)
	root := web.Serve(http.FileServer(http.Dir(filepath.Dir(folder))))
	got := bob.Fetch(webSeeded(t, torrent, root+"/"))
	identical(t, folder, got.Path)
}

// A web server may also be named by the link, once the metadata came from a
// peer that has nothing else to give.
//
//	web server ── router ──┐
//	libtorrent ── router ──┴── core ── router ── bob
func TestWebSeedOfTheLink(t *testing.T) {
	net := lab.New(t)
	web, peer, bob := net.Home("web"), net.Home("peer"), at(t, net.Home("bob"))
	folder := smallFolder(t)
	torrent, id := web.MakeTorrent(folder)
	root := web.Serve(http.FileServer(http.Dir(filepath.Dir(folder))))
	// It has the torrent file and not a byte of the content.
	peer.Libtorrent("get", torrent, t.TempDir(), "--listen", "[::]:7000").Event("ready", nil)
	link := withPeer(lab.Magnet(id), peer.At(7000)) + "&ws=" + url.QueryEscape(root+"/")
	got := bob.Fetch(link)
	identical(t, folder, got.Path)
}
