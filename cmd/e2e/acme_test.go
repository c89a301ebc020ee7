//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// certificate is what doctor says of the certificate of the best address.
type certificate struct {
	State, Answer, Next string
	Addresses           []struct {
		Address, State, Error string
		Until, Retry          time.Time
	}
}

// CertificateNow is what doctor says.
func (u *user) CertificateNow(flags ...string) certificate {
	u.t.Helper()
	var d struct {
		Web struct{ Certificate certificate }
	}
	p := u.StartCmd(u.bare(append([]string{"doctor", "--json", "--state", u.state}, flags...)...))
	if status := p.Wait(); status != 0 {
		u.t.Fatalf("doctor: status %d\n%s", status, p.Stderr())
	}
	if err := json.Unmarshal([]byte(p.Stdout()), &d); err != nil {
		u.t.Fatal(err)
	}
	return d.Web.Certificate
}

// Certificate asks until the certificate is in a state.
func (u *user) Certificate(state string, flags ...string) certificate {
	u.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c := u.CertificateNow(flags...)
		if c.State == state {
			return c
		}
		if time.Now().After(end) {
			u.t.Fatalf("%s: not %s: %+v", u.Name, state, c)
		}
	}
}

// Certificates for bare addresses, from a real CA: by http-01 to who has only port 80, by
// tls-alpn-01 to who has only port 443, renewed when the CA wants it, and for the new
// address after a renumbering. A CA that limits, refuses or does not answer, and a host
// that has neither port, are told as what they are.
//
//	alice (80), tess (443), lim, cut, ref, busy: each ── router ─┐
//	ca (pebble, fences before it; curl) ── router ───────────────┴─ core
func TestCertificatesFromACA(t *testing.T) {
	t.Parallel()
	curl := lab.Tool(t, "curl", "curl")
	net := lab.New(t)
	stranger := net.Home("ca")
	ca := stranger.Pebble()
	problem := func(w http.ResponseWriter, status int, kind, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":%q}`, kind, detail)
	}
	orders := func(answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "order") {
				return false
			}
			answer(w)
			return true
		}
	}
	limit := ca.Fence(14001, orders(func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3")
		problem(w, http.StatusTooManyRequests, "rateLimited", "too many certificates for this address")
	}))
	refuse := ca.Fence(14002, orders(func(w http.ResponseWriter) {
		problem(w, http.StatusForbidden, "rejectedIdentifier", "this address is on a list")
	}))
	outage := ca.Fence(14003, func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return true
	})
	file := filepath.Join(t.TempDir(), "a picture.jpg")
	if err := os.WriteFile(file, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(u *user, url string, flags ...string) {
		t.Helper()
		u.StartCmd(u.command("daemon", append([]string{"--listen", "[::]:7000", "--acme", "--acme-ca", url, "--acme-root", ca.Root}, flags...)...)).Event("ready", nil)
	}
	prove := func(u *user, port int) { // a stranger comes
		t.Helper()
		stranger.Run(curl, "-gs", "-o", "/dev/null", "http://"+u.At(port)+"/")
	}
	home := net.Router("alice")
	alice, tess := at(t, home.Host("alice")), at(t, net.Home("tess"))
	lim, cut, ref, busy := at(t, net.Home("lim")), at(t, net.Home("cut")), at(t, net.Home("ref")), at(t, net.Home("busy"))

	alice.Listen(443)
	tess.Listen(80)
	busy.Listen(80)
	busy.Listen(443)
	start(alice, ca.URL)
	password := tess.bare("config", "set-password", "--state", tess.state)
	password.Stdin = strings.NewReader("correct horse battery\n")
	if p := tess.StartCmd(password); p.Wait() != 0 {
		t.Fatal(p.Stderr())
	}
	start(tess, ca.URL, "--web", tess.At(8080))
	start(lim, limit.URL)
	start(ref, refuse.URL)
	start(cut, outage.URL)
	start(busy, ca.URL)

	// Nothing is asked of the CA before a stranger came.
	if c := alice.Certificate("not-reachable"); !strings.Contains(c.Answer, "not known that strangers reach") {
		t.Errorf("%+v", c)
	}
	sealed := func(u *user) string {
		t.Helper()
		var made struct {
			webLink
			ID string
		}
		u.StartCmd(u.bare("share", "--json", "--state", u.state, "--web-link", "--sealed", file)).Event("shared", &made)
		if made.Web.ID == "" || made.Web.URL != "" {
			t.Errorf("a sealed share has the web link %q without a certificate", made.Web.URL)
		}
		return made.ID
	}
	id := sealed(alice)
	prove(alice, 80)
	prove(tess, 443)
	for _, u := range []*user{lim, ref, cut} {
		prove(u, 80)
	}

	root := ca.IssuerRoot()
	fetch := func(url string) string {
		t.Helper()
		return stranger.Run(curl, "-gsf", "--cacert", root, url+"/file/a%20picture.jpg")
	}
	for _, u := range []*user{alice, tess} {
		c := u.Certificate("issued")
		if left := time.Until(c.Addresses[0].Until); left < 5*24*time.Hour || left > 7*24*time.Hour {
			t.Errorf("%s: not in the profile for short lives: %s", u.Name, left)
		}
	}
	first := alice.WebLink(id).URL
	if !strings.HasPrefix(first, "https://"+alice.At(7000)+"/s/") {
		t.Errorf("alice's link is %s", first)
	}
	if got := fetch(first); got != "a picture" {
		t.Errorf("alice sends %q", got)
	}
	if to := stranger.Run(curl, "-gs", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", strings.Replace(first, "https:", "http:", 1)); !strings.HasPrefix(to, "308 "+first) {
		t.Errorf("without TLS: %s", to)
	}
	var plain webLink
	tess.StartCmd(tess.bare("share", "--json", "--state", tess.state, "--web-link", file)).Event("shared", &plain)
	if !strings.HasPrefix(plain.Web.URL, "https://["+tess.Addr.String()+"]/s/") || fetch(plain.Web.URL) != "a picture" {
		t.Errorf("tess's link is %s", plain.Web.URL)
	}
	// The owner's page has the certificate, too.
	if page := stranger.Run(curl, "-gsf", "--cacert", root, "https://"+tess.At(8080)+"/"); !strings.Contains(page, "<title>") {
		t.Errorf("the page is %q", page)
	}
	if to := stranger.Run(curl, "-gs", "-o", "/dev/null", "-w", "%{redirect_url}", "http://"+tess.At(8080)+"/"); to != "https://"+tess.At(8080)+"/" {
		t.Errorf("the page without TLS leads to %q", to)
	}

	// The failures, each in words.
	if c := busy.Certificate("no-port"); !strings.Contains(c.Next, "Port 443") || !strings.Contains(c.Next, "another program") {
		t.Errorf("busy: %+v", c)
	}
	if c := ref.Certificate("refused"); !strings.Contains(c.Answer, "this address is on a list") || c.Addresses[0].Retry.IsZero() {
		t.Errorf("refused: %+v", c)
	}
	if c := cut.Certificate("ca-unreachable"); !strings.Contains(c.Answer, "does not answer") {
		t.Errorf("outage: %+v", c)
	}
	outage.Open()
	cut.Certificate("issued", "--wait", "1s")
	asked := limit.Passed.Load()
	c := lim.Certificate("limited")
	if wait := c.Addresses[0].Retry; wait.IsZero() || !strings.Contains(c.Answer, "too many certificates") {
		t.Errorf("limited: %+v", c)
	}
	lim.Certificate("limited", "--wait", "1s") // who may not wait asks for nothing
	if now := limit.Passed.Load(); now > asked+4 {
		t.Errorf("while the CA wanted to be left alone it had %d requests", now-asked)
	}
	limit.Open()
	lim.Certificate("issued")

	// The CA wants a certificate renewed; the next one is in use at once.
	old := stranger.Certificate(tess.At(443))
	ca.Renew(old)
	tess.Doctor("--wait", "1s")
	for end := time.Now().Add(time.Minute); stranger.Certificate(tess.At(443)).SerialNumber.Cmp(old.SerialNumber) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not renewed: %+v", tess.Certificate("issued"))
		}
	}

	// Another prefix: another certificate, at once and before any stranger comes, and the old
	// link is told to be dead.
	was := home.Renumber()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		c := alice.CertificateNow()
		if c.State == "issued" && strings.Contains(c.Answer, alice.Addr.String()) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the renumbering: %+v", c)
		}
	}
	home.Retire(was)
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		l := alice.WebLink(id)
		if strings.HasPrefix(l.URL, "https://"+alice.At(7000)+"/s/") && len(l.Former) == 1 && l.Former[0].URL == first && !l.Former[0].Works {
			if got := fetch(l.URL); got != "a picture" {
				t.Errorf("after the renumbering alice sends %q", got)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the renumbering: %+v", l)
		}
	}
	for _, dir := range []string{"", "acme", "certificates"} {
		private(t, filepath.Join(alice.state, "certificates", dir))
	}
	text := alice.Run(shoal, "doctor", "--state", alice.state)
	if !strings.Contains(text, "the certificate is valid until") {
		t.Errorf("doctor says\n%s", text)
	}
}

// The provider takes one prefix away and gives another, without a time in which both are
// valid. The node has the router let the CA in at the new address and gets a certificate for
// it, though no stranger ever came there. Where the CA does not get in, that is told with the
// time of the next try, and the user may have one before.
//
//	alice ── router (firewall, miniupnpd) ─┐
//	ca (pebble; curl) ── router ───────────┴─ core
func TestCertificateAfterAHardRenumbering(t *testing.T) {
	t.Parallel()
	curl := lab.Tool(t, "curl", "curl")
	net := lab.New(t)
	stranger := net.Home("ca")
	ca := stranger.Pebble()
	home := net.Router("alice", lab.Firewalled)
	alice := at(t, home.Host("alice"))
	gateway := home.Gateway(lab.PCP)
	gateway.Says("(?i)listening on port|HTTP listening|PCP")
	file := filepath.Join(t.TempDir(), "a picture.jpg")
	if err := os.WriteFile(file, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.StartCmd(alice.guided("daemon", []string{"--bootstrap", "none"}, "--acme", "--acme-ca", ca.URL, "--acme-root", ca.Root)).Event("ready", nil)
	var shared struct {
		webLink
		ID string
	}
	alice.StartCmd(alice.bare("share", "--json", "--state", alice.state, "--web-link", file)).Event("shared", &shared)
	for end := time.Now().Add(time.Minute); alice.CertificateNow().State != "issued"; time.Sleep(100 * time.Millisecond) {
		// The first proof is a stranger, who gets in once the router has opened the port.
		stranger.Start(curl, "-gsm", "2", "-o", "/dev/null", "http://"+alice.At(80)+"/").Wait()
		if time.Now().After(end) {
			t.Fatalf("%+v", alice.CertificateNow())
		}
	}
	link := func(dead ...string) string {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			l := alice.WebLink(shared.ID)
			told := strings.HasPrefix(l.URL, "https://["+alice.Addr.String()+"]/s/")
			for _, url := range dead {
				told = told && slices.Contains(l.Former, formerLink{url, false})
			}
			if told {
				return l.URL
			}
			if time.Now().After(end) {
				t.Fatalf("the link is %+v, dead should be %q; %+v", l, dead, alice.CertificateNow())
			}
		}
	}
	fetch := func(url string) {
		t.Helper()
		if got := stranger.Run(curl, "-gsf", "--cacert", ca.IssuerRoot(), url+"/file/a%20picture.jpg"); got != "a picture" {
			t.Errorf("%s sends %q", url, got)
		}
	}
	first := link()
	fetch(first)
	home.Retire(home.Renumber())
	began := time.Now()
	second := link(first)
	t.Logf("an encrypted link to the new address %s after the renumbering", time.Since(began).Round(time.Second))
	fetch(second)

	// The router forgets how to open ports, and the next prefix comes.
	gateway.Kill()
	home.Unpin()
	home.Retire(home.Renumber())
	var c certificate
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		c = alice.CertificateNow()
		// For tls-alpn-01, pebble calls it "unauthorized" that it cannot connect.
		if (c.State == "not-reachable" || c.State == "refused") && strings.Contains(c.Answer, alice.Addr.String()) && c.Addresses[0].Error != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", c)
		}
	}
	if wait := time.Until(c.Addresses[0].Retry); wait < 5*time.Minute || wait > 20*time.Minute || !strings.Contains(c.Next, "tried again at") {
		t.Errorf("tried again in %s: %+v", wait, c)
	}
	home.Open()
	alice.Certificate("issued", "--wait", "1s")
	fetch(link(first, second))
}

// private checks that nobody else can read a folder.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
