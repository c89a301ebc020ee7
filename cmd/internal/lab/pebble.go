//go:build linux

package lab

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// CA is pebble, the ACME server that Let's Encrypt tests clients with (RFC 8555). It issues
// for whom it reaches at port 80 or 443.
type CA struct {
	// URL is its directory, and Root the file with the certificate of its web server.
	URL, Root string

	t    testing.TB
	host *Host
	pair tls.Certificate
	base *url.URL
}

// The ports of pebble.
const (
	caPort     = 14000
	managePort = 15000
)

// goTool builds a program that go.mod names as a tool, and returns its path.
func goTool(t testing.TB, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return file
}

// Pebble runs pebble on the host.
func (h *Host) Pebble() *CA {
	t := h.lab.t
	t.Helper()
	dir := t.TempDir()
	ca := &CA{
		t: t, host: h, Root: filepath.Join(dir, "cert.pem"),
		base: &url.URL{Scheme: "https", Host: netip.AddrPortFrom(h.Addr, caPort).String()},
	}
	ca.URL = ca.base.String() + "/dir"
	key := filepath.Join(dir, "key.pem")
	ca.pair = selfSigned(t, h.Addr, ca.Root, key)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		// Without IPv4, Go takes [::] for 0.0.0.0.
		"listenAddress": ca.base.Host, "managementListenAddress": netip.AddrPortFrom(h.Addr, managePort).String(),
		"certificate": ca.Root, "privateKey": key, "httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{
			"default":    map[string]any{"description": "long", "validityPeriod": 90 * 86400},
			"shortlived": map[string]any{"description": "short", "validityPeriod": 6 * 86400},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(goTool(t, "github.com/letsencrypt/pebble/v2/cmd/pebble"), "-config", file)
	cmd.Env = []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0"}
	h.StartCmd(cmd)
	for end := time.Now().Add(h.lab.patience); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := ca.client().Get(ca.URL); err == nil {
			resp.Body.Close()
			return ca
		} else if time.Now().After(end) {
			t.Fatalf("pebble does not answer: %v", err)
		}
	}
}

func (ca *CA) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.pair.Leaf)
	return &http.Client{Transport: &http.Transport{
		DialContext: ca.host.Dial6, TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
	}}
}

// selfSigned makes a certificate for an address and writes it down.
func selfSigned(t testing.TB, a netip.Addr, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	is := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{a.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, is, is, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for file, b := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// IssuerRoot is a file with the root of the certificates that pebble issues.
func (ca *CA) IssuerRoot() string {
	ca.t.Helper()
	resp, err := ca.client().Get(fmt.Sprintf("https://%s/roots/0", netip.AddrPortFrom(ca.host.Addr, managePort)))
	if err != nil {
		ca.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		ca.t.Fatalf("%s, %v", resp.Status, err)
	}
	file := filepath.Join(ca.t.TempDir(), "root.pem")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		ca.t.Fatal(err)
	}
	return file
}

// Renew has pebble advise that a certificate be renewed now (RFC 9773), as after a mistake
// of the CA.
func (ca *CA) Renew(cert *x509.Certificate) {
	ca.t.Helper()
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})),
		"ARIResponse": fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q}}`,
			now.Add(-2*time.Hour).Format(time.RFC3339), now.Add(-time.Hour).Format(time.RFC3339)),
	})
	if err != nil {
		ca.t.Fatal(err)
	}
	resp, err := ca.client().Post(fmt.Sprintf("https://%s/set-renewal-info/", netip.AddrPortFrom(ca.host.Addr, managePort)), "application/json", bytes.NewReader(body))
	if err != nil {
		ca.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ca.t.Fatalf("pebble takes no advice: %s", resp.Status)
	}
}

// A Fence stands before a CA and, while it is shut, answers in its place.
type Fence struct {
	// URL is the directory of the CA, through the fence.
	URL string
	// Passed counts the requests that got through.
	Passed atomic.Int64

	shut atomic.Bool
}

// Open lets requests through.
func (f *Fence) Open() { f.shut.Store(false) }

// Fence puts a fence before the CA at a port of its host. It is shut. answer answers the
// requests; it returns false for those that are let through all the same.
func (ca *CA) Fence(port int, answer func(http.ResponseWriter, *http.Request) bool) *Fence {
	ca.t.Helper()
	f := &Fence{URL: fmt.Sprintf("https://%s/dir", netip.AddrPortFrom(ca.host.Addr, uint16(port)))}
	f.shut.Store(true)
	proxy := &httputil.ReverseProxy{
		// The name that the client used stays: pebble makes its URLs from it.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "https", ca.base.Host
			r.Out.Host = r.In.Host
		},
		Transport: ca.client().Transport,
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.shut.Load() && answer(w, r) {
			return
		}
		f.Passed.Add(1)
		proxy.ServeHTTP(w, r)
	})}
	l := tls.NewListener(ca.host.Listen(port), &tls.Config{Certificates: []tls.Certificate{ca.pair}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	ca.t.Cleanup(func() { server.Close(); <-done })
	return f
}

// Certificate is the one that a server at an address shows to the host.
func (h *Host) Certificate(at string) *x509.Certificate {
	h.lab.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), h.lab.patience)
	defer cancel()
	conn, err := h.Dial6(ctx, "tcp", at)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test looks at it
	if err := c.HandshakeContext(ctx); err != nil {
		h.lab.t.Fatalf("%s: %v", at, err)
	}
	return c.ConnectionState().PeerCertificates[0]
}
