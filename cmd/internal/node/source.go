package node

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// source reads what a request names: a link or a torrent, which may be at a URL. A file
// that was sent or downloaded as a torrent may contain a link instead.
func source(ctx context.Context, link string, torrent []byte) (share.Link, []byte, error) {
	scheme, _, _ := strings.Cut(strings.TrimSpace(link), ":")
	switch {
	case len(torrent) > 0:
		return readSource(torrent, "the file")
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		got, err := download(ctx, strings.TrimSpace(link))
		if err != nil {
			return share.Link{}, nil, err
		}
		if got.link != "" {
			l, err := readLink(got.link)
			return l, nil, err
		}
		return readSource(got.body, "what "+got.host+" sends")
	}
	l, err := readLink(link)
	return l, nil, err
}

func readLink(text string) (share.Link, error) {
	return share.ParseLink(text)
}

// readSource reads b, which is a torrent, a torrent compressed with gzip, or a link.
// Errors call it what.
func readSource(b []byte, what string) (share.Link, []byte, error) {
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		var err error
		if b, err = gunzip(b); err != nil {
			return share.Link{}, nil, share.Errorf(share.Refused, "%s is compressed with gzip, and unpacking it failed: %w", what, err)
		}
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // some editors put it before text
	text := bytes.TrimSpace(b)
	switch {
	case len(text) == 0:
		return share.Link{}, nil, share.Errorf(share.Refused, "%s is empty, not a torrent", what)
	case len(text) <= share.MaxLink && share.IsMagnet(string(text)):
		l, err := readLink(string(text))
		return l, nil, err
	case text[0] == '<':
		return share.Link{}, nil, share.Errorf(share.Refused,
			"%s is a web page (HTML), not a torrent: perhaps you have to sign in; get the .torrent file or the magnet link in a browser", what)
	}
	return share.Link{}, b, nil
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(io.LimitReader(z, metainfo.MaxTorrent+1))
	if err == nil && len(b) > metainfo.MaxTorrent {
		err = errors.New("it is larger than a torrent may be")
	}
	return b, err
}

// Limits of downloading a .torrent file over HTTP.
const (
	downloadTime  = time.Minute
	downloadHops  = 5
	downloadWait  = 20 * time.Second
	downloadAgent = "shoal"
)

// downloaded is what a URL led to: a body, or a magnet link that the server redirected
// to, as some indexers do.
type downloaded struct {
	host string
	body []byte
	link string
}

// download downloads a .torrent file. The user chose the address, so it may be private.
// A redirect may lead to a private address only from another one.
func download(ctx context.Context, rawURL string) (downloaded, error) {
	first, err := url.Parse(rawURL)
	if err != nil || first.Host == "" {
		return downloaded{}, share.Errorf(share.Refused, "%s is not a URL that can be fetched", share.Quote(rawURL))
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	h := &hops{}
	transport := &http.Transport{
		DialContext:            h.dial,
		DisableKeepAlives:      true,
		ResponseHeaderTimeout:  downloadWait,
		TLSHandshakeTimeout:    downloadWait,
		MaxResponseHeaderBytes: 2 * share.MaxLink, // one may be a link
	}
	client := &http.Client{Transport: transport, CheckRedirect: h.redirected}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return downloaded{}, share.Errorf(share.Refused, "%s is not a URL that can be fetched: %w", share.Quote(rawURL), err)
	}
	req.Header.Set("User-Agent", downloadAgent)
	resp, err := client.Do(req)
	if h.link != "" {
		if err == nil {
			resp.Body.Close()
		}
		return downloaded{host: first.Host, link: h.link}, nil
	}
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL, which the message has already
		}
		kind := share.KindOf(err)
		if d, ok := errors.AsType[*net.DNSError](err); ok {
			err = errors.New(d.Err) // without the address of the server that was asked
		}
		return downloaded{}, share.Errorf(kind, "fetching the torrent from %s: %w", first.Host, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return downloaded{}, share.Errorf(share.Failed,
			"fetching the torrent from %s: the server answered %s: perhaps you have to sign in; get the .torrent file in a browser", first.Host, resp.Status)
	default:
		return downloaded{}, share.Errorf(share.Failed, "fetching the torrent from %s: the server answered %s", first.Host, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, metainfo.MaxTorrent+1))
	if err != nil {
		return downloaded{}, share.Errorf(share.Failed, "fetching the torrent from %s: %w", first.Host, err)
	}
	if len(b) > metainfo.MaxTorrent {
		return downloaded{}, share.Errorf(share.Refused, "the answer of %s is larger than a torrent may be", first.Host)
	}
	return downloaded{host: first.Host, body: b}, nil
}

// hops follows the redirects of one download. It is used by one request at a time.
type hops struct {
	count   int
	private bool // the address that the user gave is private
	link    string
}

func (h *hops) redirected(r *http.Request, _ []*http.Request) error {
	if h.count++; h.count > downloadHops {
		return share.Errorf(share.Refused, "it redirects more than %d times", downloadHops)
	}
	if to := r.Response.Header.Get("Location"); share.IsMagnet(to) {
		h.link = to
		return http.ErrUseLastResponse
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return share.Errorf(share.Refused, "it redirects to a %s: address", r.URL.Scheme)
	}
	return nil
}

// dial decides by the address that it connects to.
func (h *hops) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{
		Timeout: downloadWait,
		// This runs after the lookup: a second lookup might return another address.
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("dialling %s: %w", strconv.Quote(address), err)
			}
			if h.count > 0 && !h.private && isPrivate(to.Addr()) {
				return share.Errorf(share.Refused, "it redirects to the private address %s", to.Addr())
			}
			return nil
		},
	}
	c, err := d.DialContext(ctx, network, address)
	if err == nil && h.count == 0 {
		if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			h.private = isPrivate(a.AddrPort().Addr())
		}
	}
	return c, err
}

// isPrivate reports whether only this host or its own network can reach a.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast()
}
