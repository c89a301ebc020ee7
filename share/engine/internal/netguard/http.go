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
	// MaxBody is the most bytes that are read of an answer, after decompression;
	// reading further fails with ErrTooLarge. Zero: 1 MiB.
	MaxBody int64
	// MaxRedirects is the most redirects that are followed. Zero: 5.
	MaxRedirects int
	UserAgent    string
	// RootCAs and the like; nil is the system's.
	TLS *tls.Config
}

// ErrTooLarge is returned when an answer is longer than allowed.
var ErrTooLarge = errors.New("the answer is too large")

// Client returns an HTTP client that checks the policy for every connection. It uses
// no proxy, stores no cookies, supports only http and https, and does not follow a
// redirect from https to http. CloseIdleConnections of the client releases all its
// resources.
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

// Streams is a guarded transport for streaming, without a limit on the length or
// duration of an answer.
type Streams struct{ next *http.Transport }

// Transport returns a transport for web seeds. Timeout bounds the wait for the
// response header; MaxBody and MaxRedirects have no effect.
func Transport(cfg ClientConfig) *Streams { return &Streams{transport(cfg)} }

// RoundTrip implements http.RoundTripper.
func (s *Streams) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkScheme(req.URL); err != nil {
		return nil, err
	}
	return s.next.RoundTrip(req)
}

// CloseIdleConnections lets http.Client close idle connections.
func (s *Streams) CloseIdleConnections() { s.next.CloseIdleConnections() }

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return share.Errorf(share.Refused, "the URL scheme %q is not supported", u.Scheme)
	}
	return nil
}

const maxURL = 2048

// CheckURL refuses URLs that are not valid for an http or https request. The address
// that the URL leads to is checked when it is dialled.
func CheckURL(text string) error {
	if len(text) > maxURL {
		return share.Errorf(share.Refused, "a URL of %d bytes is too long", len(text))
	}
	req, err := http.NewRequest(http.MethodGet, text, nil)
	if err != nil {
		return share.Errorf(share.Refused, "parsing a URL: %w", err)
	}
	if req.URL.Hostname() == "" {
		return share.Errorf(share.Refused, "the URL %q has no host", text)
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
	// Reading one more byte than allowed detects a longer body.
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
