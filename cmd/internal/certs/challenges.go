package certs

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challenges are the answers to what the CA asks this host at ports 80 and 443 while an
// order is under way. They are given by listeners of others.
type challenges struct {
	mu   sync.Mutex
	http map[netip.Addr]acme.Challenge
	tls  map[netip.Addr]*tls.Certificate
}

func newChallenges() *challenges {
	return &challenges{http: map[netip.Addr]acme.Challenge{}, tls: map[netip.Addr]*tls.Certificate{}}
}

// any tells whether the CA may come now.
func (c *challenges) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.http)+len(c.tls) > 0
}

// answer answers a request of the CA, and reports whether r was one.
func (c *challenges) answer(w http.ResponseWriter, r *http.Request, local netip.Addr) bool {
	c.mu.Lock()
	chal, ok := c.http[local]
	c.mu.Unlock()
	if !ok || r.TLS != nil || r.Method != http.MethodGet || r.URL.Path != chal.HTTP01ResourcePath() {
		return false
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Connection", "close")
	_, _ = w.Write([]byte(chal.KeyAuthorization))
	return true
}

// config is what a handshake of the CA needs; nil for the handshakes of others.
func (c *challenges) config(hello *tls.ClientHelloInfo, local netip.Addr) *tls.Config {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acmez.ACMETLS1Protocol || !strings.HasSuffix(strings.TrimSuffix(hello.ServerName, "."), ".arpa") {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cert := c.tls[local]
	if cert == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acmez.ACMETLS1Protocol}, Certificates: []tls.Certificate{*cert}}
}

// overHTTP and overTLS implement acmez.Solver.
type (
	overHTTP struct{ *challenges }
	overTLS  struct{ *challenges }
)

func (c overHTTP) Present(_ context.Context, chal acme.Challenge) error {
	a, err := netip.ParseAddr(chal.Identifier.Value)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.http[a] = chal
	return nil
}

func (c overHTTP) CleanUp(_ context.Context, chal acme.Challenge) error {
	a, err := netip.ParseAddr(chal.Identifier.Value)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.http, a)
	return nil
}

func (c overTLS) Present(_ context.Context, chal acme.Challenge) error {
	a, err := netip.ParseAddr(chal.Identifier.Value)
	if err != nil {
		return err
	}
	cert, err := acmez.TLSALPN01ChallengeCert(chal)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tls[a] = cert
	return nil
}

func (c overTLS) CleanUp(_ context.Context, chal acme.Challenge) error {
	a, err := netip.ParseAddr(chal.Identifier.Value)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tls, a)
	return nil
}
