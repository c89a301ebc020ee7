//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// btmh is a link by a v2 ID, in hex.
func btmh(id string) string { return "magnet:?xt=urn:btmh:1220" + id }

// What libtorrent shares for BEP 52 alone or as a hybrid, we fetch by its torrent file
// and by a link with any of its IDs: the piece hashes come from the peer where they are
// not in the file. What came by a v2 ID alone is checked and served without asking
// anybody again.
//
//	tracker ──┐
//	libtorrent├── core ── router ── bob, carol
func TestV2FromLibtorrent(t *testing.T) {
	for _, kind := range []string{"v2", "hybrid"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			tracker := net.Home("tracker").Tracker()
			seed, bob, carol := net.Home("seed"), net.Home("bob"), net.Home("carol")
			folder := smallFolder(t)
			made := seed.MakeTorrentOf(kind, folder, tracker.URL)
			seed.Libtorrent("seed", made.File, filepath.Dir(folder), "--listen", "[::]:7000")
			sources := map[string]string{"torrent": made.File, "v2": withPeer(btmh(made.V2), seed.At(7000))}
			if kind == "hybrid" {
				sources["v1"] = withPeer(lab.Magnet(made.ID), seed.At(7000))
				sources["both"] = sources["v1"] + "&xt=urn:btmh:1220" + made.V2
			}
			ids := []string{made.V2[:40]}
			if kind == "hybrid" {
				ids = append(ids, made.ID)
			}
			tracker.Await(len(ids))
			users, gets := map[string]*user{}, map[string]*lab.Proc{}
			for name, source := range sources {
				users[name] = at(t, bob)
				gets[name] = users[name].Get(source, t.TempDir()).Within(patience)
			}
			for name, get := range gets {
				got := arrived(t, get)
				identical(t, folder, got.Path)
				if !slices.Contains(ids, got.ID) || name == "v2" && got.ID != made.V2[:40] {
					t.Errorf("%s: the ID is %s, of %s and %s", name, got.ID, made.ID, made.V2)
				}
			}

			// The piece hashes have been kept: nobody is there to ask.
			u := users["v2"]
			id := u.onlyOf(t, made)
			if p := u.StartCmd(u.command("verify", "--listen", "[::1]:0", id)); p.Wait() != 0 || !strings.Contains(p.Stdout(), `"verified"`) {
				t.Errorf("verify: %s%s", p.Stdout(), p.Stderr())
			}
			if b, err := os.ReadFile(u.torrentFile(id)); err != nil || !strings.Contains(string(b), "12:piece layers") {
				t.Errorf("the torrent file has no piece layers: %v", err)
			}
			// And are served: to a node that knows the v2 ID alone.
			daemon := u.StartCmd(u.command("daemon", "--listen", "[::]:7100"))
			daemon.Event("ready", nil)
			if p := u.StartCmd(u.bare("resume", "--state", u.state, id)); p.Wait() != 0 {
				t.Errorf("resume: %s", p.Stderr())
			}
			got := at(t, carol).Fetch(withPeer(btmh(made.V2), u.At(7100)))
			identical(t, folder, got.Path)
		})
	}
}

// onlyOf is the ID of the only transfer, which has to be the content of a torrent by all
// of its IDs.
func (u *user) onlyOf(t testing.TB, made lab.Made) (id string) {
	t.Helper()
	all := u.List()
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	if one := all[0]; one.V2 != made.V2 || one.V1 != made.ID {
		t.Errorf("%+v is not %+v", one, made)
	}
	for _, arg := range []string{made.V2, made.V2[:12], btmh(made.V2), made.ID} {
		if arg == "" {
			continue
		}
		if p := u.StartCmd(u.bare("show", "--json", "--state", u.state, arg)); p.Wait() != 0 || !strings.Contains(p.Stdout(), fmt.Sprintf(`"id":%q`, all[0].ID)) {
			t.Errorf("show %s: %s%s", arg, p.Stdout(), p.Stderr())
		}
	}
	return all[0].ID
}
