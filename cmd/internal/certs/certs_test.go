package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"github.com/shoalnet/shoal/share"
)

// What went wrong is told by what the CA says, in its words.
func TestFailuresAreTold(t *testing.T) {
	problem := func(kind, detail string, status int) error {
		return fmt.Errorf("attempt 1: %w", acme.Problem{Type: acme.ProblemTypeNamespace + kind, Detail: detail, Status: status})
	}
	for name, c := range map[string]struct {
		err   error
		state share.CertificateState
		words string
	}{
		"rate":        {problem("rateLimited", "too many", 429), share.CertificateLimited, "too many"},
		"rate, bare":  {acme.Problem{Status: 429}, share.CertificateLimited, ""},
		"firewall":    {problem("connection", "Timeout during connect", 400), share.CertificateUnproven, "Timeout during connect"},
		"refused":     {problem("rejectedIdentifier", "on a list", 403), share.CertificateRefused, "on a list"},
		"no words":    {problem("unauthorized", "", 403), share.CertificateRefused, "unauthorized"},
		"trouble":     {problem("serverInternal", "sorry", 500), share.CertificateNoCA, "sorry"},
		"no answer":   {fmt.Errorf("x: %w", errors.New("connection refused")), share.CertificateNoCA, "connection refused"},
		"a full disk": {&fs.PathError{Op: "write", Path: "a.crt", Err: errors.New("no space left")}, share.CertificateFailed, "write a.crt: no space left"},
		"long":        {problem("malformed", strings.Repeat("long words ", 100), 400), share.CertificateRefused, "long words"},
	} {
		state, words := classify(c.err)
		if state != c.state || !strings.HasPrefix(words, c.words) || len(words) > longest+4 {
			t.Errorf("%s: %s, %q", name, state, words)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for field, want := range map[string]time.Time{
		"": {}, "soon": {}, "-1": {}, "90": now.Add(90 * time.Second), "0": now,
		"Mon, 30 Nov 2026 04:00:00 GMT": now.Add(time.Hour), "99999999999999999999": {},
	} {
		if got := retryAfter(field, now); !got.Equal(want) {
			t.Errorf("%q: %s", field, got)
		}
	}
}

// keeper is one whose CA nobody asks.
func keeper(t *testing.T, dir string, now *time.Time, all ...Address) *Keeper {
	t.Helper()
	k, err := New(Config{
		Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return *now }, Dir: dir, CA: "https://ca.example/dir",
		Addresses: func() []Address { return all }, Changed: func(netip.Addr) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Failures are remembered across restarts with the time of the next try, which the CA may
// set and the user cannot shorten then.
func TestFailuresAreRemembered(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	a := netip.MustParseAddr("2001:db8:1::5")
	at := Address{IP: a, Wanted: true, TCP: share.Reachable, HTTP: true}
	limited := fmt.Errorf("x: %w", acme.Problem{Status: 429, Detail: "too many"})
	k := keeper(t, dir, &now, at)
	s := k.load(a)
	k.failed(context.Background(), s, "", limited, now.Add(5*time.Hour))
	k = keeper(t, dir, &now, at)
	for _, again := range []bool{false, true} {
		k.round(context.Background(), nil, again) // asks nobody
		states := k.States()
		if len(states) != 1 || states[0].State != share.CertificateLimited || !states[0].Retry.Equal(now.Add(5*time.Hour)) || states[0].Error != "too many" {
			t.Errorf("again %t: %+v", again, states)
		}
	}
	r := k.Report(nil)
	if r.State != share.CertificateLimited || !strings.Contains(r.Answer, "accepts no more requests until") || !strings.Contains(r.Answer, "too many.") {
		t.Errorf("%+v", r)
	}

	// A CA that wants us to wait for years is not believed.
	k.failed(context.Background(), k.load(a), "", limited, now.Add(10*365*24*time.Hour))
	if got := k.States()[0].Retry; !got.Equal(now.Add(mostPatience)) {
		t.Errorf("until %s", got)
	}
	// Refusals come less and less often.
	k = keeper(t, t.TempDir(), &now, at)
	refused := fmt.Errorf("x: %w", acme.Problem{Status: 403, Detail: "no"})
	var waits []time.Duration
	for range 6 {
		k.failed(context.Background(), k.load(a), "", refused, time.Time{})
		waits = append(waits, k.load(a).try.Retry.Sub(now))
	}
	if waits[0] != pauses[0] || waits[3] != pauses[3] || waits[5] != pauses[3] {
		t.Errorf("%v", waits)
	}
	if k.load(a).try.mayNow(now) || !k.load(a).try.mayNow(now.Add(notAgain)) {
		t.Error("the user's patience is not bounded by a minute")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tries", "ca.exampledir.json")); err != nil || !strings.Contains(string(b), a.String()) {
		t.Errorf("%s, %v", b, err)
	}
}

// Without a port that the CA tests, or without a proof, nothing is asked.
func TestNothingIsAskedTooEarly(t *testing.T) {
	now := time.Now()
	a := netip.MustParseAddr("2001:db8:1::5")
	for name, c := range map[string]struct {
		at   Address
		want share.CertificateState
	}{
		"no port":  {Address{IP: a, Wanted: true, TCP: share.Reachable}, share.CertificateNoPort},
		"no proof": {Address{IP: a, Wanted: true, TCP: share.NotKnown, TLS: true}, share.CertificateUnproven},
		"refuted":  {Address{IP: a, Wanted: true, TCP: share.Unreachable, HTTP: true}, share.CertificateUnproven},
	} {
		k := keeper(t, t.TempDir(), &now, c.at)
		k.round(context.Background(), nil, true)
		if s := k.States(); len(s) != 1 || s[0].State != c.want {
			t.Errorf("%s: %+v", name, s)
		}
	}
	k := keeper(t, t.TempDir(), &now, Address{IP: a, TCP: share.Reachable, HTTP: true, TLS: true}) // temporary
	k.round(context.Background(), nil, true)
	if r := k.Report(nil); len(r.Addresses) != 0 || r.State != share.CertificateUnproven || !strings.Contains(r.Answer, "no stable global") {
		t.Errorf("%+v", r)
	}
}

// A host that was renumbered asks for its new address without waiting for a stranger: the CA
// came to another address of the same network not long ago. One that moved to another
// network waits, and while the CA does not get in at one successor, no other is tried.
func TestSuccessors(t *testing.T) {
	asked := 0
	ca := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		http.Error(w, "closed", http.StatusServiceUnavailable)
	}))
	defer ca.Close()
	dir := t.TempDir()
	root := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	old, next, third := netip.MustParseAddr("2001:db8:1::5"), netip.MustParseAddr("2001:db8:2::5"), netip.MustParseAddr("2001:db8:3::5")
	at := func(ip netip.Addr, link string) Address {
		return Address{IP: ip, Wanted: true, TCP: share.NotKnown, Link: link, Prepared: true, HTTP: true}
	}
	var all []Address
	open := func() *Keeper {
		t.Helper()
		k, err := New(Config{
			Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Dir: dir, CA: ca.URL + "/dir", Root: root,
			Addresses: func() []Address { return all }, Changed: func(netip.Addr) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	round := func(again bool, a ...Address) State {
		t.Helper()
		all = a
		config, end := k.magic()
		defer end()
		k.round(t.Context(), config, again)
		states := k.States()
		return states[len(states)-1]
	}
	// The old address has a certificate for six days, from before proofs were kept.
	k.load(old).take(&tls.Certificate{Leaf: &x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(6*24*time.Hour - time.Hour)}})
	if s := round(false, at(old, "eth0 fe80::1")); s.State != share.CertificateIssued {
		t.Fatalf("%+v", s)
	}
	now = now.Add(24 * time.Hour)
	k, asked = open(), 0 // the proof survives a restart

	elsewhere, early, refuted, unknown := at(next, "eth0 fe80::2"), at(next, "eth0 fe80::1"), at(next, "eth0 fe80::1"), at(next, "")
	early.Prepared, refuted.TCP = false, share.Unreachable
	for name, a := range map[string]Address{"elsewhere": elsewhere, "before the router was asked": early, "refuted": refuted, "no link": unknown} {
		if s := round(false, a); s.State != share.CertificateUnproven || asked > 0 {
			t.Errorf("%s: %+v, asked %d times", name, s, asked)
		}
	}
	if s := round(false, at(next, "eth0 fe80::1")); s.State != share.CertificateNoCA || asked == 0 {
		t.Fatalf("the successor: %+v", s)
	}
	// The next prefix comes before the first had its turn again.
	k, asked = open(), 0
	if s := round(false, at(third, "eth0 fe80::1")); s.State != share.CertificateUnproven || s.Retry.IsZero() || asked > 0 {
		t.Errorf("while another waits: %+v, asked %d times", s, asked)
	}
	proven := at(third, "eth0 fe80::1")
	proven.TCP = share.Reachable
	if s := round(false, proven); s.State != share.CertificateNoCA || asked == 0 {
		t.Errorf("a stranger came: %+v", s)
	}
	// The old certificate has expired, and proves nothing any more.
	now = now.Add(6 * 24 * time.Hour)
	k, asked = open(), 0
	if s := round(true, at(next, "eth0 fe80::1")); s.State != share.CertificateUnproven || asked > 0 {
		t.Errorf("after a week: %+v, asked %d times", s, asked)
	}
}

// What is damaged on the disk is asked for again; it ends nothing.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	a := netip.MustParseAddr("2001:db8:1::5")
	site := filepath.Join(dir, "certificates", "ca.exampledir", "2001-db8-1--5")
	if err := os.MkdirAll(site, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"2001-db8-1--5.crt": "x", "2001-db8-1--5.key": "y"} {
		if err := os.WriteFile(filepath.Join(site, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "tries"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tries", "ca.exampledir.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := keeper(t, dir, &now, Address{IP: a, Wanted: true})
	if k.Certificate(a) != nil {
		t.Error("a damaged certificate is used")
	}
	if _, err := os.Stat(site); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestWhichCA(t *testing.T) {
	for _, url := range []string{"http://ca.example/dir", "ca.example", "", "https://", "https://%zz/"} {
		if _, err := keyOf(url); share.KindOf(err) != share.Usage {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := New(Config{CA: LetsEncrypt, Root: filepath.Join(t.TempDir(), "none")}); share.KindOf(err) != share.Usage {
		t.Errorf("no root: %v", err)
	}
}
