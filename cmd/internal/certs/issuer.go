package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/shoalnet/shoal/share"
)

// LetsEncrypt is the default CA.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// profile is the one in which Let's Encrypt issues for addresses. A CA without it decides
// by itself.
const profile = "shortlived"

// requestTime bounds each request to the CA.
const requestTime = 30 * time.Second

var _ certmagic.Issuer = (*issuer)(nil)

// issuer places orders at the CA. certmagic's own has no way to see the Retry-After of a
// CA, and listens at ports 80 and 443 when it can.
type issuer struct {
	directory  string
	email      string
	roots      *x509.CertPool // of the CA's web server; nil is the system's
	log        *slog.Logger
	store      store
	challenges *challenges
}

// An order is what an issuer needs beside the request.
type order struct {
	replaces  *x509.Certificate // that is renewed; nil for the first
	http, tls bool              // challenges that this host can answer
	waits     *time.Time        // set to when the CA allows the next request
}

type orderKey struct{}

// IssuerKey implements certmagic.Issuer.
func (i *issuer) IssuerKey() string { return i.store.key }

// keyOf names a CA in paths.
func keyOf(directory string) (string, error) {
	u, err := url.Parse(directory)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", share.Errorf(share.Usage, "%q is not the URL of a CA: it begins with https:// and is the directory of RFC 8555", directory)
	}
	return certmagic.StorageKeys.Safe(u.Host + u.Path), nil
}

// rootsOf reads the certificates of a file.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, share.Errorf(share.Usage, "reading the root of the CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, share.Errorf(share.Usage, "%s has no certificate in PEM", file)
	}
	return pool, nil
}

// client makes a client of the CA and a function that ends it.
func (i *issuer) client(o *order) (*acmez.Client, func()) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: requestTime}).DialContext,
		TLSHandshakeTimeout: requestTime, ResponseHeaderTimeout: requestTime, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: i.roots},
	}
	c := &acmez.Client{
		Client: &acme.Client{
			Directory: i.directory, UserAgent: "shoal",
			HTTPClient: &http.Client{Transport: &patience{RoundTripper: t, order: o}, Timeout: requestTime},
		},
		ChallengeSolvers: map[string]acmez.Solver{},
	}
	if o.http {
		c.ChallengeSolvers[acme.ChallengeTypeHTTP01] = overHTTP{i.challenges}
	}
	if o.tls {
		c.ChallengeSolvers[acme.ChallengeTypeTLSALPN01] = overTLS{i.challenges}
	}
	return c, t.CloseIdleConnections
}

// patience notes when a CA that refused a request allows the next one.
type patience struct {
	http.RoundTripper
	order *order

	mu sync.Mutex
}

func (p *patience) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode < 400 || p.order.waits == nil {
		return resp, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := retryAfter(resp.Header.Get("Retry-After"), time.Now()); at.After(*p.order.waits) {
		*p.order.waits = at
	}
	return resp, nil
}

// retryAfter reads the field of RFC 9110: seconds, or a date. The zero Time is none.
func retryAfter(field string, now time.Time) time.Time {
	if n, err := strconv.ParseInt(field, 10, 32); err == nil && n >= 0 {
		return now.Add(time.Duration(n) * time.Second)
	}
	at, err := http.ParseTime(field)
	if err != nil {
		return time.Time{}
	}
	return at
}

// Issue implements certmagic.Issuer.
func (i *issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	o := ctx.Value(orderKey{}).(*order)
	c, end := i.client(o)
	defer end()
	for again := false; ; again = true {
		account, err := i.account(ctx, c)
		if err != nil {
			return nil, err
		}
		params, err := acmez.OrderParametersFromCSR(account, csr)
		if err != nil {
			return nil, err
		}
		dir, err := c.GetDirectory(ctx)
		if err != nil {
			return nil, err
		}
		if dir.Meta != nil && dir.Meta.Profiles[profile] != "" {
			params.Profile = profile
		}
		if dir.RenewalInfo != "" {
			params.Replaces = o.replaces
		}
		chains, err := c.ObtainCertificate(ctx, params)
		problem, ok := errors.AsType[acme.Problem](err)
		if ok && problem.Type == acme.ProblemTypeAccountDoesNotExist && !again {
			i.log.Warn("the CA does not know the account any more; making a new one", "ca", i.directory)
			if err := i.store.Delete(ctx, i.accountKey(".json")); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(chains) == 0 {
			return nil, errors.New("the CA sent no certificate")
		}
		return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, nil
	}
}

func (i *issuer) accountKey(suffix string) string {
	return path.Join("acme", i.store.key, "account"+suffix)
}

// account is that of this node at the CA. Without one it makes one: --acme agrees to the
// terms.
func (i *issuer) account(ctx context.Context, c *acmez.Client) (a acme.Account, err error) {
	key, err := i.accountPrivateKey(ctx)
	if err != nil {
		return a, err
	}
	b, err := i.store.Load(ctx, i.accountKey(".json"))
	if err == nil && json.Unmarshal(b, &a) == nil && a.Status == acme.StatusValid && a.Location != "" {
		a.PrivateKey = key
		return a, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	a = acme.Account{TermsOfServiceAgreed: true, PrivateKey: key}
	if i.email != "" {
		a.Contact = []string{"mailto:" + i.email}
	}
	if a, err = c.NewAccount(ctx, a); err != nil { // the same again, if the CA knows the key
		return a, fmt.Errorf("making an account: %w", err)
	}
	if b, err = json.Marshal(a); err != nil {
		return a, err
	}
	return a, i.store.Store(ctx, i.accountKey(".json"), b)
}

func (i *issuer) accountPrivateKey(ctx context.Context) (crypto.Signer, error) {
	b, err := i.store.Load(ctx, i.accountKey(".key"))
	if err == nil {
		if key, err := certmagic.PEMDecodePrivateKey(b); err == nil {
			return key, nil
		}
		i.log.Warn("the key of the account at the CA is damaged; making a new account", "ca", i.directory)
		if err := i.store.Delete(ctx, i.accountKey(".json")); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if b, err = certmagic.PEMEncodePrivateKey(key); err != nil {
		return nil, err
	}
	return key, i.store.Store(ctx, i.accountKey(".key"), b)
}

// advice is when the CA wants a certificate to be renewed, and when to ask again. The zero
// Time is no advice.
func (i *issuer) advice(ctx context.Context, leaf *x509.Certificate) (renew, again time.Time, err error) {
	c, end := i.client(&order{})
	defer end()
	dir, err := c.GetDirectory(ctx)
	if err != nil || dir.RenewalInfo == "" {
		return renew, again, err
	}
	info, err := c.GetRenewalInfo(ctx, leaf)
	if err != nil {
		return renew, again, err
	}
	if info.RetryAfter != nil {
		again = *info.RetryAfter
	}
	return info.SelectedTime, again, nil
}
