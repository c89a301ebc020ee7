//go:build linux

package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// The provider gives the sharing home another prefix while a file is fetched
// from it. The fetch goes on by the new one, and so does who comes later with
// the ID alone; the node is never restarted.
//
//	alice ── router (2001:db8:1:1::/64, then :1:2::/64) ─┐
//	bob   ── router ─────────────────────────────────────┼─ core ── router ── guide
//	carol ── router ─────────────────────────────────────┘
func TestRenumberingInTheMiddleOfAFetch(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	home := net.Router("alice")
	alice, bob, carol, guide := at(t, home.Host("alice")), at(t, net.Home("bob")), at(t, net.Home("carol")), at(t, net.Home("guide"))
	guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
	knows := []string{"--bootstrap", guide.At(7000)}
	carol.StartCmd(carol.guided("daemon", knows)).Event("ready", nil)
	file := random(t, filepath.Join(t.TempDir(), "film.mkv"), 24<<20, 31)
	share := alice.StartCmd(alice.guided("share", knows, file))
	var shared published
	share.Event("shared", &shared)

	get := bob.StartCmd(bob.guided("get", append(knows, "--down", "1MiB", "--timeout", "3m"), "--output", t.TempDir(), shared.Link))
	get.Event("progress", nil)
	for progressOf(get).Bytes < 2<<20 {
		time.Sleep(50 * time.Millisecond)
	}
	was := alice.Addr
	old := home.Renumber() // alice has both for a while, the old one deprecated
	for have := progressOf(get).Bytes; progressOf(get).Bytes < have+2<<20; {
		time.Sleep(50 * time.Millisecond)
	}
	home.Retire(old)
	gone := time.Now()
	if left := progressOf(get); left.Bytes >= left.Total {
		t.Fatal("the fetch was over before the address was gone")
	}

	identical(t, file, arrived(t, get.Within(4*time.Minute)).Path)
	t.Logf("the running fetch was over %s after the address was gone", time.Since(gone).Round(time.Second))

	// Somebody else comes with the ID alone.
	later := time.Now()
	identical(t, file, arrived(t, carol.StartCmd(carol.bare("get", "--json", "--state", carol.state, "--timeout", "2m", "--output", t.TempDir(), shared.ID))).Path)
	if took := time.Since(later); took > 2*time.Minute {
		t.Errorf("found after %s", took)
	} else {
		t.Logf("by its ID found and fetched in %s", took.Round(time.Second))
	}
	for _, a := range alice.Doctor().Addresses {
		if a.Address == was.String() {
			t.Errorf("the old address is still told: %+v", a)
		}
	}
}

// progressOf is the last line of progress that a get has printed.
func progressOf(get *lab.Proc) (p progress) {
	text := get.Stdout()
	text = text[:strings.LastIndexByte(text, '\n')+1]
	for line := range strings.Lines(text) {
		var next progress
		if json.Unmarshal([]byte(line), &next) == nil && next.Total > 0 {
			p = next
		}
	}
	return p
}

// A host that changes its privacy address every few seconds tells others the one
// that stays.
//
//	alice ── router ── core ── router ── bob
func TestPrivacyAddressesAreNotTold(t *testing.T) {
	t.Parallel()
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 32)
	alice.Run("/bin/sh", "-c", "cd /proc/sys/net/ipv6/conf/eth0 && echo 2 >use_tempaddr && echo 0 >max_desync_factor && "+
		"echo 8 >temp_prefered_lft && echo 30 >temp_valid_lft")
	alice.IP("addr change " + alice.Addr.String() + "/64 dev eth0 nodad mngtmpaddr valid_lft 7200 preferred_lft 7200")
	shared := alice.Share(file)
	if want := "x.pe=[" + alice.Addr.String() + "]:"; strings.Count(shared.Link, "x.pe=") != 1 || !strings.Contains(shared.Link, want) {
		t.Fatalf("the link is %s", shared.Link)
	}
	temporary := map[string]bool{}
	alice.DoctorUntil("at its third privacy address", func(d diagnosis) bool {
		for _, a := range d.Addresses {
			if a.Kind == "temporary" {
				temporary[a.Address] = true
			}
			if a.Published != (a.Address == alice.Addr.String()) && a.Scope == "global" {
				t.Fatalf("told: %+v", a)
			}
		}
		return len(temporary) >= 3
	})
	identical(t, file, bob.Fetch(shared.Link).Path)
}

// Networks that are not as they should be get a plain answer, and the node goes
// on without complaint.
func TestDoctorOfOddNetworks(t *testing.T) {
	t.Parallel()
	calm := func(t *testing.T, p *lab.Proc) {
		t.Helper()
		if log := p.Stderr(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") || strings.Count(log, "\n") > 30 {
			t.Errorf("the node complains: %s", log)
		}
	}
	start := func(t *testing.T, u *user, flags ...string) *lab.Proc {
		t.Helper()
		p := u.StartCmd(u.guided("daemon", append([]string{"--bootstrap", "none"}, flags...)))
		p.Event("ready", nil)
		return p
	}
	answers := func(t *testing.T, u *user, verdict, answer string) diagnosis {
		t.Helper()
		d := u.Doctor()
		if d.Verdict != verdict || !strings.Contains(d.Answer, answer) {
			t.Errorf("%s: %s", d.Verdict, d.Answer)
		}
		return d
	}
	t.Run("ULA only", func(t *testing.T) {
		alice := at(t, lab.New(t).LAN("lan").Host("alice"))
		node := start(t, alice)
		if d := answers(t, alice, "unreachable", "Only your own network can reach you"); !strings.Contains(strings.ToLower(d.Next), "ask your provider") ||
			!strings.HasPrefix(d.Warning, "This machine has no global IPv6 address") {
			t.Errorf("next: %s", d.Next)
		}
		calm(t, node)
	})
	t.Run("no IPv6", func(t *testing.T) {
		alice := at(t, lab.New(t).Home("alice"))
		alice.Run("/bin/sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
		node := start(t, alice)
		answers(t, alice, "unreachable", "no IPv6 address")
		file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1000, 33)
		out := alice.StartCmd(alice.bare("share", "--state", alice.state, file))
		if status := out.Wait(); status != 0 || !strings.HasPrefix(out.Stderr(), "This machine has no usable IPv6 address") {
			t.Errorf("share: status %d, %s", status, out.Stderr())
		}
		calm(t, node)
	})
	t.Run("an interface that comes up later", func(t *testing.T) {
		net := lab.New(t)
		alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
		alice.IP("link set eth0 down")
		node := start(t, alice, "--listen", "[::]:7000")
		answers(t, alice, "unreachable", "no IPv6 address")
		file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 34)
		alice.Run(shoal, "share", "--state", alice.state, file)
		alice.IP("link set eth0 up", "addr add "+alice.Addr.String()+"/64 dev eth0 nodad", "route add default via fe80::1 dev eth0")
		alice.DoctorUntil("noticed", func(d diagnosis) bool { return d.Verdict == "unknown" })
		identical(t, file, bob.Fetch(withPeer("magnet:?xt=urn:btih:"+alice.Only().ID, alice.At(7000))).Path)
		alice.DoctorUntil("proven", func(d diagnosis) bool { return d.Verdict == "reachable" })
		calm(t, node)
	})
	t.Run("one of two prefixes is wanted", func(t *testing.T) {
		net := lab.New(t)
		home, bob := net.Router("home"), at(t, net.Home("bob"))
		alice := at(t, home.Host("alice"))
		first := alice.Addr
		home.Renumber()
		alice.IP("addr change " + first.String() + "/64 dev eth0 nodad valid_lft forever preferred_lft forever")
		file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1000, 36)
		for _, a := range []string{first.String(), alice.Addr.String()} {
			share := alice.Share(file, "--prefix", a+"/64")
			if strings.Count(share.Link, "x.pe=") != 1 || !strings.Contains(share.Link, "["+a+"]") {
				t.Errorf("of %s only: %s", a, share.Link)
			}
			identical(t, file, bob.Fetch(share.Link).Path)
			share.Interrupt()
		}
	})
	t.Run("a second interface that leads nowhere", func(t *testing.T) {
		net := lab.New(t)
		dead := net.Router("dead") // has the lower addresses
		home, bob, guide := net.Router("home"), at(t, net.Home("bob")), at(t, net.Home("guide"))
		dead.Unplug()
		alice := at(t, home.Host("alice"))
		alice.Attach(&dead.Link)
		guide.StartCmd(guide.command("daemon", "--listen", "[::]:7000")).Event("ready", nil)
		knows := []string{"--bootstrap", guide.At(7000)}
		file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 35)
		share := alice.StartCmd(alice.guided("share", knows, file))
		var shared published
		share.Event("shared", &shared)
		// Not by the link, whose second address is of no use, but by the DHT,
		// which must have been told from the first.
		identical(t, file, arrived(t, bob.StartCmd(bob.guided("get", knows, "--output", t.TempDir(), shared.ID))).Path)
		d := alice.DoctorUntil("proven", func(d diagnosis) bool { return d.Verdict == "reachable" })
		if !strings.Contains(d.Answer, alice.Addr.String()) || !strings.Contains(shared.Link[:strings.Index(shared.Link, "]")], alice.Addr.String()) {
			t.Errorf("%s\n%s", d.Answer, shared.Link)
		}
		calm(t, share)
	})
}
