//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// diagnosis is what doctor prints.
type diagnosis struct {
	Warning, Answer, Next string
	Verdict               string
	Addresses             []struct {
		Address, Scope, Kind string
		Port                 int
		Published            bool
		TCP, UDP, Evidence   string
	}
	Pinholes []struct {
		Address, Protocol, Method, Error string
		Port                             int
		Until                            time.Time
	}
	Seen []struct{ Address, By string }
	IPv4 *struct {
		Addresses []string
		Mapping   *struct{ External, Internal, Method, Gateway, Error string }
		Gateways  []struct{ Method, Error string }
	}
}

// own is what the doctor says of the only address in links.
func (d diagnosis) own(t *testing.T) (tcp, udp, evidence string, port int) {
	t.Helper()
	for _, a := range d.Addresses {
		if a.Published && a.Scope == "global" {
			return a.TCP, a.UDP, a.Evidence, a.Port
		}
	}
	t.Fatalf("no address is published: %+v", d)
	return "", "", "", 0
}

// Doctor asks the running node how it can be reached.
func (u *user) Doctor(flags ...string) (d diagnosis) {
	u.t.Helper()
	p := u.StartCmd(u.bare(append([]string{"doctor", "--json", "--state", u.state}, flags...)...))
	if status := p.Wait(); status != 0 {
		u.t.Fatalf("doctor: status %d\n%s", status, p.Stderr())
	}
	if err := json.Unmarshal([]byte(p.Stdout()), &d); err != nil {
		u.t.Fatalf("doctor: %v: %s", err, p.Stdout())
	}
	return d
}

// DoctorUntil asks until the answer is as wanted, and gives it.
func (u *user) DoctorUntil(what string, wanted func(diagnosis) bool) diagnosis {
	u.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		d := u.Doctor()
		if wanted(d) {
			return d
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: not %s: %+v", u.Name, what, d)
		}
	}
}

// The first stranger who comes is proof, for TCP and, by the DHT, for UDP.
//
//	alice ── router (open) ── core ── router ── bob
func TestDoctorBelievesTheFirstStranger(t *testing.T) {
	net := lab.New(t)
	alice, bob := at(t, net.Home("alice")), at(t, net.Home("bob"))
	file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 21)
	none := []string{"--bootstrap", "none", "--listen", "[::]:7000"}
	share := alice.StartCmd(alice.guided("share", none, file))
	var shared published
	share.Event("shared", &shared)
	if d := alice.Doctor(); d.Verdict != "unknown" || !strings.Contains(d.Answer, "not known yet") {
		t.Errorf("before anybody came: %+v", d)
	}
	arrived(t, bob.StartCmd(bob.guided("get", []string{"--bootstrap", alice.At(7000)}, "--output", t.TempDir(), shared.Link)))
	d := alice.DoctorUntil("proven both ways", func(d diagnosis) bool {
		tcp, udp, _, _ := d.own(t)
		return tcp == "reachable" && udp == "reachable"
	})
	_, _, evidence, _ := d.own(t)
	if d.Verdict != "reachable" || !strings.Contains(evidence, bob.Addr.String()) || !strings.Contains(d.Answer, alice.Addr.String()) {
		t.Errorf("%+v", d)
	}
}

// Where nobody comes, peers are asked to call: two of different networks, since
// one might have a reason of its own to fail.
//
//	alice ── router (open or not) ─┐
//	bob   ── router ───────────────┼─ core
//	carol ── router ───────────────┘
func TestDoctorHasPeersDialBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options []lab.Option
		verdict string
	}{
		{"open", nil, "reachable"},
		{"firewalled", []lab.Option{lab.Firewalled}, "unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			net := lab.New(t)
			home := net.Router("alice", c.options...)
			alice, bob, carol := at(t, home.Host("alice")), at(t, net.Home("bob")), at(t, net.Home("carol"))
			file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 22)
			link := bob.Share(file).Link
			carol.StartCmd(carol.command("get", "--seed", "forever", "--output", t.TempDir(), link)).Event("done", nil)
			both := withPeer(link, carol.Published())
			alice.StartCmd(alice.command("get", "--seed", "forever", "--output", t.TempDir(), both)).Event("done", nil)

			d := alice.Doctor("--wait", "30s")
			tcp, udp, evidence, port := d.own(t)
			if d.Verdict != c.verdict || tcp != c.verdict {
				t.Fatalf("%+v", d)
			}
			if c.verdict == "reachable" {
				if !strings.Contains(evidence, "connected on request") {
					t.Errorf("evidence %q", evidence)
				}
				alice.DoctorUntil("proven by UDP", func(d diagnosis) bool { _, udp, _, _ := d.own(t); return udp == "reachable" })
				return
			}
			want := fmt.Sprintf("Open TCP and UDP %d to %s in your router's IPv6 firewall.", port, alice.Addr)
			if !strings.Contains(d.Next, want) || udp != "unreachable" {
				t.Errorf("UDP %s, next: %s", udp, d.Next)
			}
			// The same for people, on a terminal of 80 columns.
			text := alice.Run(shoal, "doctor", "--state", alice.state)
			for line := range strings.Lines(text) {
				if len(line) > 81 {
					t.Errorf("%d columns: %s", len(line), line)
				}
			}
			// Once the firewall lets strangers in, a test tells.
			home.Open()
			if d := alice.Doctor("--wait", "1m"); d.Verdict != "reachable" {
				t.Errorf("after the firewall was opened: %+v", d)
			}
			if seen := alice.Doctor().Seen; len(seen) == 0 || seen[0].Address != alice.Addr.String() {
				t.Errorf("seen as %+v", seen)
			}
		})
	}
}

// Published is the first address that the running node puts into links.
func (u *user) Published() string {
	u.t.Helper()
	d := u.Doctor()
	for _, a := range d.Addresses {
		if a.Published {
			return fmt.Sprintf("[%s]:%d", a.Address, a.Port)
		}
	}
	u.t.Fatalf("%s has no address: %+v", u.Name, d)
	return ""
}

// A router that opens pinholes when asked is asked, by whichever protocol it
// speaks; and asked again when it has restarted.
//
//	alice ── router (firewall, miniupnpd) ─┐
//	bob   ── router ───────────────────────┼─ core
//	carol ── router ───────────────────────┘
func TestPinholesAreOpenedAndProven(t *testing.T) {
	t.Parallel()
	for _, protocol := range []lab.Protocol{lab.PCP, lab.IGD2} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			net := lab.New(t)
			home := net.Router("alice", lab.Firewalled)
			alice, bob := at(t, home.Host("alice")), at(t, net.Home("bob"))
			first := home.Gateway(protocol)
			first.Says("(?i)listening on port|HTTP listening|PCP")
			file := random(t, filepath.Join(t.TempDir(), "song.ogg"), 1<<20, 23)
			shared := alice.Share(file)
			alice.DoctorUntil("open", func(d diagnosis) bool { return d.open() == 2 })
			if rules := home.Pinholes(); len(rules) != 2 {
				t.Errorf("the router's firewall has %q", rules)
			}
			// A stranger comes through, which is the proof.
			identical(t, file, bob.Fetch(shared.Link).Path)
			d := alice.DoctorUntil("proven", func(d diagnosis) bool { return d.Verdict == "reachable" })
			for _, p := range d.Pinholes {
				if want := map[lab.Protocol]string{lab.PCP: "PCP", lab.IGD2: "UPnP"}[protocol]; p.Method != want || time.Until(p.Until) < time.Minute {
					t.Errorf("%+v", p)
				}
			}

			first.Kill()
			home.Unpin()
			home.Gateway(protocol).Says("(?i)listening on port|HTTP listening|PCP")
			restarted := time.Now()
			for len(home.Pinholes()) != 2 {
				if time.Since(restarted) > time.Minute {
					t.Fatalf("a minute after the restart the firewall has %q", home.Pinholes())
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("opened again %s after the restart", time.Since(restarted).Round(time.Second))

			// Whoever ends closes the door behind him.
			if status := shared.Interrupt(); status != 130 {
				t.Errorf("status %d", status)
			}
			if rules := home.Pinholes(); len(rules) != 0 {
				t.Errorf("after the end the firewall has %q", rules)
			}
		})
	}
}

// open is how many pinholes are open.
func (d diagnosis) open() (n int) {
	for _, p := range d.Pinholes {
		if p.Error == "" && !p.Until.IsZero() {
			n++
		}
	}
	return n
}

// Two who let nobody in are brought together by a third, who has nothing of what
// one wants from the other.
//
//	alice ── router (firewall) ─┐
//	bob   ── router (firewall) ─┼─ core
//	guide ── router ────────────┘
func TestHolePunching(t *testing.T) { meetThroughAThird(t, 0) }

// How often it works, as docs/protocol/reachability.md has it: 50 times, and 50
// times over lines that lose packets.
func TestSoakHolePunching(t *testing.T) {
	if !soak() {
		t.Skip("only with SOAK=1")
	}
	for _, permille := range []int{0, 50} {
		worked := 0
		for i := range 50 {
			if t.Run(fmt.Sprintf("loss %d, run %d", permille, i), func(t *testing.T) { meetThroughAThird(t, permille) }) {
				worked++
			}
		}
		t.Logf("with %d of 1000 packets lost: %d of 50", permille, worked)
	}
}

func meetThroughAThird(t *testing.T, loss int) {
	net := lab.New(t)
	home, away := net.Router("alice"), net.Router("bob", lab.Firewalled)
	alice, bob := at(t, home.Host("alice")), at(t, away.Host("bob"))
	guide := at(t, net.Home("guide"))
	folder := filepath.Join(t.TempDir(), "album")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := random(t, filepath.Join(folder, "song.ogg"), 3<<20, 24)
	random(t, filepath.Join(folder, "cover.jpg"), 1000, 25)

	shared := alice.Share(folder, "--no-pinholes")
	guide.StartCmd(guide.command("get", "--listen", "[::]:7000", "--seed", "forever", "--file", "cover.jpg", "--output", t.TempDir(), shared.Link)).Event("done", nil)
	// From now on nobody can call alice; whom she is connected with she stays
	// connected with.
	home.Firewall()
	home.Loss(loss)
	away.Loss(loss)
	began := time.Now()
	fetch := bob.StartCmd(bob.command("get", "--no-pinholes", "--output", t.TempDir(), withPeer(shared.Link, guide.At(7000))))
	identical(t, file, filepath.Join(arrived(t, fetch).Path, "song.ogg"))
	t.Logf("fetched in %s", time.Since(began).Round(10*time.Millisecond))
}
