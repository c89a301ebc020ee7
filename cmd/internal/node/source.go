package node

import (
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

// source reads what a request names: a link, or a torrent, which may be at a
// URL.
func (n *Node) source(ctx context.Context, link string, torrent []byte) (share.Link, []byte, error) {
	scheme, _, _ := strings.Cut(link, ":")
	switch {
	case len(torrent) > 0:
		return share.Link{}, torrent, nil
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		b, err := download(ctx, link)
		return share.Link{}, b, err
	}
	l, err := share.ParseLink(link)
	if err == nil && l.ID.IsZero() {
		err = share.Errorf(share.Refused, "the link names content by its v2 hash only, which cannot be fetched yet")
	}
	return l, nil, err
}

// Limits of fetching a .torrent file over HTTP.
const (
	downloadTime  = time.Minute
	downloadHops  = 5
	downloadWait  = 20 * time.Second
	downloadAgent = "shoal"
)

// download fetches a .torrent file. The user chose the address, so it may be a
// private one; where it redirects to may not be, unless the first was private,
// too.
func download(ctx context.Context, rawURL string) ([]byte, error) {
	first, err := url.Parse(rawURL)
	if err != nil || first.Host == "" {
		return nil, share.Errorf(share.Refused, "%q is not a URL that can be fetched", rawURL)
	}
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	h := &hops{}
	transport := &http.Transport{
		DialContext:            h.dial,
		DisableKeepAlives:      true,
		ResponseHeaderTimeout:  downloadWait,
		TLSHandshakeTimeout:    downloadWait,
		MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{Transport: transport, CheckRedirect: h.redirected}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, share.Errorf(share.Refused, "%q is not a URL that can be fetched: %w", rawURL, err)
	}
	req.Header.Set("User-Agent", downloadAgent)
	resp, err := client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // its message repeats the URL
		}
		return nil, share.Errorf(share.KindOf(err), "fetching the torrent from %s: %w", first.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, share.Errorf(share.Failed, "fetching the torrent from %s: it answers %s", first.Host, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, metainfo.MaxTorrent+1))
	if err != nil {
		return nil, share.Errorf(share.Failed, "fetching the torrent from %s: %w", first.Host, err)
	}
	if len(b) > metainfo.MaxTorrent {
		return nil, share.Errorf(share.Refused, "what %s sends is larger than a torrent may be", first.Host)
	}
	return b, nil
}

// hops watches where one download is led. It is used by one request at a time.
type hops struct {
	count   int
	private bool // the address that the user gave is
}

func (h *hops) redirected(r *http.Request, _ []*http.Request) error {
	if h.count++; h.count > downloadHops {
		return share.Errorf(share.Refused, "it redirects more than %d times", downloadHops)
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return share.Errorf(share.Refused, "it redirects to a %s: address", r.URL.Scheme)
	}
	return nil
}

// dial looks a name up once and decides by the address that is then dialled.
func (h *hops) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{
		Timeout: downloadWait,
		// After the lookup: what a name resolves to may change between two.
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

// isPrivate tells addresses that only this host or its own network can reach.
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast()
}
