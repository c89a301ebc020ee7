//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// punching says which client plays which part: bob asks guide to introduce him to alice.
type punching struct{ bob, guide, alice puncher }

type puncher string

const (
	ours       puncher = "shoal"
	libtorrent puncher = "libtorrent"
)

// Two who let nobody in are brought together by a third, and libtorrent is each of the
// three in turn. Only it needs uTP.
//
//	alice (seed)        ── router (firewall) ─┐
//	bob                 ── router (firewall) ─┼─ core
//	guide (25 kB/s down) ─ router ────────────┘
func TestHolePunchingWithLibtorrent(t *testing.T) {
	for _, who := range []punching{
		{bob: ours, guide: libtorrent, alice: libtorrent},
		{bob: libtorrent, guide: ours, alice: libtorrent},
		{bob: libtorrent, guide: libtorrent, alice: ours},
	} {
		t.Run(fmt.Sprint(who), func(t *testing.T) {
			t.Parallel()
			who.meet(t)
		})
	}
}

// How often it works, as docs/protocol/reachability.md has it. libtorrent among its own
// shows what is to be had.
func TestSoakHolePunchingWithLibtorrent(t *testing.T) {
	if !soak() {
		t.Skip("only with SOAK=1")
	}
	all := []punching{
		{libtorrent, libtorrent, libtorrent},
		{ours, libtorrent, libtorrent},
		{libtorrent, ours, libtorrent},
		{libtorrent, libtorrent, ours},
		{ours, ours, ours},
	}
	worked := make([]atomic.Int32, len(all))
	for i := range 50 {
		t.Run(fmt.Sprint("run ", i), func(t *testing.T) {
			for k, who := range all {
				t.Run(fmt.Sprint(who), func(t *testing.T) {
					t.Parallel()
					who.meet(t)
					worked[k].Add(1)
				})
			}
		})
	}
	for k, who := range all {
		t.Logf("bob, guide and alice are %v: %d of 50", who, worked[k].Load())
	}
}

// meet has bob fetch a file that only alice has.
func (who punching) meet(t *testing.T) {
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob, guide := at(t, home.Host("alice")), at(t, net.Home("bob", lab.Firewalled)), at(t, net.Home("guide"))
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 8<<20, 33)
	torrent, id := alice.MakeTorrent(file)
	link := lab.Magnet(id)

	if who.alice == ours {
		shared := alice.Share(file, "--utp", "--no-pinholes", "--listen", "[::]:7001")
		torrent, link = alice.torrentFile(shared.ID), shared.Link
	} else {
		alice.Libtorrent("seed", torrent, filepath.Dir(file), "--utp", "--hasty", "--listen", alice.At(7001)).Event("ready", nil)
	}
	// libtorrent does not tell over uTP where it listens. Its introducer has to have
	// called it, to tell others of it.
	knowing := guide.fetches(who.guide, torrent, link, 7000, alice.At(7001), "--down", "25000")
	for p := (progress{}); p.Peers == 0; {
		knowing.Event("progress", &p)
	}
	// From now on nobody can call alice; whom she is connected with she stays connected
	// with.
	home.Firewall()

	began := time.Now()
	fetch := bob.fetches(who.bob, torrent, link, 7002, guide.At(7000))
	fetch.Event("done", nil)
	t.Logf("fetched in %s", time.Since(began).Round(10*time.Millisecond))
}

// fetches starts a client that fetches with uTP from a port of its own, and knows a peer.
func (u *user) fetches(with puncher, torrent, link string, port int, peer string, args ...string) *lab.Proc {
	u.t.Helper()
	into := u.t.TempDir()
	if with == ours {
		args = append(args, "--utp", "--no-pinholes", "--listen", fmt.Sprintf("[::]:%d", port), "--output", into, withPeer(link, peer))
		return u.StartCmd(u.command("get", args...))
	}
	return u.Libtorrent(append([]string{"get", torrent, into, "--utp", "--hasty", "--listen", u.At(port), "--peer", peer}, args...)...)
}

// A seed that nobody can call finds out by itself who wants its content, and calls. Then it
// can be introduced to somebody whom it cannot call either.
//
//	alice (seed) ── router (firewall) ─┐
//	bob          ── router (firewall) ─┤
//	carol        ── router ────────────┼─ core
//	hub (DHT)    ── router ────────────┘
func TestAFirewalledSeedCallsOut(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice", lab.Firewalled)), at(t, net.Home("bob", lab.Firewalled))
	carol, hub := at(t, net.Home("carol")), at(t, net.Home("hub"))
	knows := []string{"--bootstrap", hub.At(7000), "--no-lan", "--no-pinholes"}
	folder := filepath.Join(t.TempDir(), "album")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := random(t, filepath.Join(folder, "song.ogg"), 3<<20, 34)
	random(t, filepath.Join(folder, "cover.jpg"), 1000, 35)
	start := func(u *user, verb string, args ...string) *lab.Proc {
		return u.StartCmd(u.bare(append(append([]string{verb, "--json", "--state", u.state}, knows...), args...)...))
	}

	hub.StartCmd(hub.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	var shared published
	start(alice, "share", folder).Event("shared", &shared)
	// By its ID alone: carol finds where alice is, and cannot call her.
	start(carol, "get", "--file", "cover.jpg", "--seed", "forever", "--output", t.TempDir(), shared.ID).Event("done", nil)
	began := time.Now()
	got := arrived(t, start(bob, "get", "--output", t.TempDir(), shared.ID))
	t.Logf("through carol in %s", time.Since(began).Round(10*time.Millisecond))
	identical(t, file, filepath.Join(got.Path, "song.ogg"))
}
