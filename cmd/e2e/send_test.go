//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// What alice pipes into share --once, one other fetches: shoal, which closes when it has all,
// and libtorrent, which stays, or closes. Then her command ends by itself, says who has it,
// and leaves nothing.
//
//	alice ──┬── bob
//	        └── libtorrent
func TestStandardInputIsSharedOnce(t *testing.T) {
	lt := func(more ...string) func(*testing.T, *lab.Lab, *published, string) {
		return func(_ *testing.T, net *lab.Lab, p *published, dir string) {
			net.Home("other").Libtorrent(append([]string{"get", p.Link, dir}, more...)...)
		}
	}
	for name, c := range map[string]struct {
		fetch  func(*testing.T, *lab.Lab, *published, string)
		client string
	}{
		"shoal": {func(t *testing.T, net *lab.Lab, p *published, dir string) {
			arrived(t, at(t, net.Home("bob")).Get(p.Link, dir))
		}, "shoal"},
		"libtorrent that stays": {lt("--stay"), "libtorrent"},
		"libtorrent that ends":  {lt(), "libtorrent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			alice := at(t, net.Home("alice"))
			film := filepath.Join(t.TempDir(), "film.mkv")
			random(t, film, 20<<20+17, 7)
			in, err := os.Open(film)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			cmd := alice.command("share", "--listen", "[::]:7000", "--once", "--name", "film.mkv", "-")
			cmd.Stdin = in
			p := &published{Proc: alice.StartCmd(cmd)}
			p.Event("shared", p)
			dir := t.TempDir()
			c.fetch(t, net, p, dir)
			var by struct{ Address, Client string }
			p.Event("fetched", &by)
			if !strings.Contains(strings.ToLower(by.Client), c.client) || by.Address == "" {
				t.Errorf("fetched by %+v, want %s", by, c.client)
			}
			if status := p.Wait(); status != 0 {
				t.Errorf("share --once ended with status %d\n%s", status, p.Stderr())
			}
			settles(t, film, filepath.Join(dir, "film.mkv"))
			if left, err := os.ReadDir(filepath.Join(alice.state, "spool")); err != nil || len(left) > 0 {
				t.Errorf("the spool has %v: %v", left, err)
			}
		})
	}
}
