package netguard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// ClientConfig describes an HTTP client for one purpose.
type ClientConfig struct {
	Policy Policy
	// TrustHost is a host name or address the user typed. Connections to it
	// are not checked; redirects to any other host are. May be empty.
	TrustHost string
	// Timeout ends a request with everything it reads. Zero: 30 seconds.
	Timeout time.Duration
	// MaxBody is the most bytes of an answer that are handed on, after
	// decompression; reading further fails with ErrTooLarge. Zero: 1 MiB.
	MaxBody int64
	// MaxRedirects is how many redirects are followed. Zero: 5.
	MaxRedirects int
	UserAgent    string
	// RootCAs and the like; nil is the system's.
	TLS *tls.Config
}

// ErrTooLarge is returned while reading an answer longer than was allowed.
var ErrTooLarge = errors.New("the answer is too large")

// Client makes an HTTP client that follows the policy at every connection. It
// uses no proxy, keeps no cookies, speaks http and https only, and does not
// follow a redirect from https to http. CloseIdleConnections of the returned
// client releases everything it holds.
func Client(cfg ClientConfig) *http.Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.MaxRedirects == 0 {
		cfg.MaxRedirects = 5
	}
	return &http.Client{
		Timeout: cfg.Timeout,
		Transport: &bounded{
			next:  transport(cfg),
			max:   cfg.MaxBody,
			agent: cfg.UserAgent,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > cfg.MaxRedirects {
				return share.Errorf(share.Refused, "more than %d redirects", cfg.MaxRedirects)
			}
			if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return share.Errorf(share.Refused, "redirect from https to %s", req.URL.Scheme)
			}
			return nil
		},
	}
}

// Streams is a guarded transport for those who stream, without a limit on the
// length of an answer or the time it takes.
type Streams struct{ next *http.Transport }

// Transport makes a transport for web seeds. Timeout bounds the wait for the
// header of an answer; MaxBody and MaxRedirects are of no effect.
func Transport(cfg ClientConfig) *Streams { return &Streams{transport(cfg)} }

// RoundTrip implements http.RoundTripper.
func (s *Streams) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkScheme(req.URL); err != nil {
		return nil, err
	}
	resp, err := s.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = calm{resp.Body}
	return resp, nil
}

// CloseIdleConnections is for http.Client.
func (s *Streams) CloseIdleConnections() { s.next.CloseIdleConnections() }

// calm has nothing to complain about when closed: torrent.Client ends the
// process when closing an answer fails, which is up to the server.
type calm struct{ io.ReadCloser }

func (c calm) Close() error {
	_ = c.ReadCloser.Close()
	return nil
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return share.Errorf(share.Refused, "scheme %q is not fetched", u.Scheme)
	}
	return nil
}

const maxURL = 2048

// CheckURL refuses what cannot be the address of something to fetch over http
// or https: torrent.Client ends the process when it is given the address of a
// web seed that no request can be made from. Where it leads is checked when it
// is dialled.
func CheckURL(text string) error {
	if len(text) > maxURL {
		return share.Errorf(share.Refused, "an address of %d bytes", len(text))
	}
	req, err := http.NewRequest(http.MethodGet, text, nil)
	if err != nil {
		return share.Errorf(share.Refused, "reading an address: %w", err)
	}
	if req.URL.Hostname() == "" {
		return share.Errorf(share.Refused, "address %q has no host", text)
	}
	return checkScheme(req.URL)
}

func transport(cfg ClientConfig) *http.Transport {
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	return &http.Transport{
		Proxy: nil,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if cfg.TrustHost != "" && sameHost(address, cfg.TrustHost) {
				d := net.Dialer{Timeout: dialTimeout}
				return d.DialContext(ctx, network, address)
			}
			return cfg.Policy.DialContext(ctx, network, address)
		},
		TLSClientConfig:        cfg.TLS,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

func sameHost(address, host string) bool {
	h, _, err := net.SplitHostPort(address)
	return err == nil && strings.EqualFold(h, strings.Trim(host, "[]"))
}

// bounded limits the body of every answer.
type bounded struct {
	next  *http.Transport
	max   int64
	agent string
}

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkScheme(req.URL); err != nil {
		return nil, err
	}
	if b.agent != "" && req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", b.agent)
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > b.max {
		resp.Body.Close()
		return nil, fmt.Errorf("%d bytes where at most %d are taken: %w", resp.ContentLength, b.max, ErrTooLarge)
	}
	resp.Body = &capped{body: resp.Body, left: b.max}
	return resp, nil
}

// CloseIdleConnections lets http.Client reach the transport's.
func (b *bounded) CloseIdleConnections() { b.next.CloseIdleConnections() }

type capped struct {
	body io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	// One byte more than is allowed tells a full body from a longer one.
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.body.Read(p)
	if int64(n) > c.left {
		n, c.left = int(c.left), 0
		return n, ErrTooLarge
	}
	c.left -= int64(n)
	return n, err
}

func (c *capped) Close() error { return c.body.Close() }
