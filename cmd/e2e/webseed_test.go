//go:build linux

package e2e

import (
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// The web seed of our own link is one for everybody: clients fetch a folder from it with no
// peer at all, by a .torrent file that names it. When it has ended, it answers nobody.
//
//	alice ── router ── core ── routers ── libtorrent, aria2, transmission, bob
func TestOthersFetchFromOurWebSeed(t *testing.T) {
	t.Parallel()
	curl := lab.Tool(t, "curl", "curl")
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	var homes []*lab.Host
	for _, c := range clients[:3] {
		homes = append(homes, net.Home(c.name))
	}
	folder := smallFolder(t)
	share := alice.Share(folder, "--listen", "[::]:7000", "--web-seed")
	link, err := url.Parse(share.Link)
	if err != nil {
		t.Fatal(err)
	}
	root := link.Query().Get("ws")
	if !strings.HasPrefix(root, "http://"+alice.At(7000)+"/w/") {
		t.Fatalf("the web seed of %s is %q, and alice is at %s", share.Link, root, alice.At(7000))
	}
	torrent := webSeeded(t, alice.torrentFile(share.ID), root)
	t.Run("clients", func(t *testing.T) {
		for i, c := range clients[:3] {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				c.start(homes[i], dir, lab.Plain, torrent)
				settles(t, folder, filepath.Join(dir, filepath.Base(folder)))
			})
		}
		t.Run("shoal", func(t *testing.T) {
			t.Parallel()
			identical(t, folder, bob.Fetch(torrent).Path)
		})
	})
	if given := alice.Only(); given.Peers > 0 {
		t.Errorf("it was fetched from a peer: %+v", given)
	}

	large := root + url.PathEscape(filepath.Base(folder)) + "/large.bin"
	bob.Run(curl, "-gsf", "-o", "/dev/null", large)
	if end := alice.StartCmd(alice.bare("remove", "--state", alice.state, "--web-seed", share.ID)); end.Wait() != 0 {
		t.Fatal(end.Stderr())
	}
	if p := bob.StartCmd(exec.Command(curl, "-gsf", "-o", "/dev/null", large)); p.Wait() == 0 {
		t.Error("it is served although it has ended")
	}
	if link := alice.Only().Link; strings.Contains(link, "ws=") {
		t.Errorf("the link still has it: %s", link)
	}
}
