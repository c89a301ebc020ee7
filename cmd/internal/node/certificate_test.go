package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// With a certificate, web links are https at the names and addresses in it, at the port for
// peers, too, and a sealed share gets one. Nothing is sent without TLS. A certificate that
// was renewed is used after a reload, and one that is not valid any more is reported.
func TestWebLinksWithACertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	named := func(serial int64, until time.Time, names ...string) {
		writeCertificate(t, cert, key, &x509.Certificate{
			SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
			DNSNames: names, IPAddresses: []net.IP{net.IPv6loopback},
		})
	}
	named(1, time.Now().Add(time.Hour), "*.example", "files.example")
	o := options(t, stateDir(t), map[string][]string{"web-link-cert": {cert}, "web-link-key": {key}, "web-link-listen": {"[::1]:0"}})
	n := startDaemon(t, o)
	c := n.Client()
	defer c.Close()
	ctx := testContext(t)
	file := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(file, []byte("a picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := c.Share(ctx, api.ShareRequest{Path: file, ShareOptions: share.ShareOptions{Sealed: true}})
	if err != nil {
		t.Fatal(err)
	}
	sealed := await(t, c, first.ID, func(t share.Transfer) bool { return t.State == share.Seeding && t.Link != "" })
	link, err := c.NewWebLink(ctx, sealed.ID, api.NewWebLink{})
	if err != nil {
		t.Fatal(err)
	}
	peers := strconv.Itoa(int(n.ports.port()))
	own := strconv.Itoa(int(n.webLinks.at()[0].Port()))
	hosts := []string{"files.example:" + own, "files.example:" + peers, "[::1]:" + own, "[::1]:" + peers}
	for i, raw := range append([]string{link.URL}, link.Others...) {
		if u, err := url.Parse(raw); err != nil || u.Scheme != "https" || u.Host != hosts[i] || !link.Encrypted {
			t.Errorf("link %d is %s, want it at %s", i, raw, hosts[i])
		}
	}
	get := func(raw string) (body string, serial int64, err error) {
		pem, err := os.ReadFile(cert)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				var d net.Dialer
				return d.DialContext(ctx, "tcp", net.JoinHostPort("::1", port))
			},
		}
		defer transport.CloseIdleConnections()
		r, err := (&http.Client{Transport: transport}).Get(raw)
		if err != nil {
			return "", 0, err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return string(b), r.TLS.PeerCertificates[0].SerialNumber.Int64(), err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); { // until its pieces are known to be right
		if body, _, err := get(link.URL + "/file/a.txt"); err != nil || body == "a picture" {
			break
		}
	}
	for _, raw := range append([]string{link.URL}, link.Others...) {
		if body, serial, err := get(raw + "/file/a.txt"); err != nil || body != "a picture" || serial != 1 {
			t.Errorf("%s: %q, serial %d, %v", raw, body, serial, err)
		}
	}
	if n.browsers.Open(false) {
		t.Error("the port for peers answers without TLS")
	}
	if got := n.Info().Problems; len(got) > 0 {
		t.Errorf("problems: %q", got)
	}

	named(2, time.Now().Add(time.Hour), "new.example")
	n.Reload(o.Config)
	all, err := c.WebLinks(ctx)
	if err != nil || len(all) != 1 || !strings.HasPrefix(all[0].URL, "https://new.example:"+own+"/s/") {
		t.Fatalf("after a reload: %+v, %v", all, err)
	}
	if _, serial, err := get(all[0].URL + "/file/a.txt"); err != nil || serial != 2 {
		t.Errorf("after a reload: serial %d, %v", serial, err)
	}
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.Reload(o.Config) // keeps what it has
	if all, err = c.WebLinks(ctx); err != nil || !strings.HasPrefix(all[0].URL, "https://new.example:") {
		t.Errorf("after a reload that failed: %+v, %v", all, err)
	}
	named(3, time.Now().Add(-time.Hour), "new.example")
	n.Reload(o.Config)
	if got := n.Info().Problems; len(got) != 1 || !strings.Contains(got[0], "has expired") {
		t.Errorf("an expired certificate: %q", got)
	}
}

// A certificate with which no link could be made is refused at the start.
func TestCertificatesForNoName(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"*.example"}})
	if _, err := openPair(cert, key); share.KindOf(err) != share.Usage || !strings.Contains(err.Error(), "names no host") {
		t.Errorf("a certificate for a * only: %v", err)
	}
	if _, err := openPair(cert, filepath.Join(dir, "none")); share.KindOf(err) != share.Usage {
		t.Errorf("no key: %v", err)
	}
}
