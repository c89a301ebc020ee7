package tracker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/bencode"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

const maxReply = 1 << 20

// replyLimits allow a few thousand peers in the dictionary form.
var replyLimits = bencode.Limits{Depth: 6, Items: 40_000}

type httpClient struct {
	policy netguard.Policy
	peerID [20]byte
	client *http.Client
}

func newHTTPClient(policy netguard.Policy, peerID [20]byte, agent string) *httpClient {
	return &httpClient{
		policy: policy,
		peerID: peerID,
		client: netguard.Client(netguard.ClientConfig{
			Policy: policy, Timeout: announceTimeout, MaxBody: maxReply, UserAgent: agent,
		}),
	}
}

func (c *httpClient) close() { c.client.CloseIdleConnections() }

// announceURL adds the parameters of BEP 3 to the tracker's URL.
func announceURL(t *target, peerID [20]byte, req request) string {
	u := *t.url
	var b strings.Builder
	b.WriteString(u.RawQuery)
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		// Some trackers do not decode a plus as a space.
		b.WriteString(strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	number := func(name string, n int64) { add(name, strconv.FormatInt(n, 10)) }
	add("info_hash", string(req.id[:]))
	add("peer_id", string(peerID[:]))
	number("port", int64(req.port))
	number("uploaded", req.progress.Uploaded)
	number("downloaded", req.progress.Downloaded)
	number("left", req.progress.left())
	add("compact", "1")
	add("no_peer_id", "1")
	add("supportcrypto", "1")
	number("numwant", int64(req.want))
	add("key", fmt.Sprintf("%08x", req.key))
	if req.event != regular {
		add("event", req.event.String())
	}
	if req.session != "" {
		add("trackerid", req.session)
	}
	u.RawQuery = b.String()
	return u.String()
}

func (c *httpClient) announce(ctx context.Context, t *target, req request) (reply, error) {
	hr, err := http.NewRequestWithContext(ctx, http.MethodGet, announceURL(t, c.peerID, req), nil)
	if err != nil {
		return reply{}, share.Wrapf("announcing to %s: %w", t.text, err)
	}
	resp, err := c.client.Do(hr)
	if err != nil {
		// The error of http.Client contains the whole URL with our parameters.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return reply{}, share.Wrapf("announcing to %s: %w", t.text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, share.Wrapf("reading the answer of %s: %w", t.text, err)
	}
	// Some trackers send their failure reason with an error status.
	r, perr := parseReply(body, c.policy)
	var no *refusal
	switch {
	case errors.As(perr, &no):
		return reply{}, share.Wrapf("announcing to %s: %w", t.text, no)
	case resp.StatusCode != http.StatusOK:
		return reply{}, share.Wrapf("announcing to %s: %w", t.text,
			&refusal{reason: resp.Status, retry: retryAfter(resp.Header.Get("Retry-After"))})
	case perr != nil:
		return reply{}, share.Wrapf("reading the answer of %s: %w", t.text, perr)
	}
	return r, nil
}

func retryAfter(header string) time.Duration {
	n, err := strconv.Atoi(header)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 86400)) * time.Second
}

// parseReply reads an answer of an HTTP tracker. Peers come as a compact
// string (BEP 23), as a list of dictionaries (BEP 3), or both, the IPv6 ones
// apart (BEP 7); those that are refused are left out.
func parseReply(body []byte, policy netguard.Policy) (reply, error) {
	v, _, err := bencode.Parse(body, replyLimits)
	if err != nil {
		return reply{}, err
	}
	if v.Kind != bencode.Dict {
		return reply{}, share.Wrapf("the answer is not a dictionary")
	}
	if reason := v.Get("failure reason"); reason.Kind == bencode.String {
		return reply{}, &refusal{reason: clean(reason.Str), retry: retryIn(v.Get("retry in"))}
	}
	r := reply{
		interval:    seconds(v.Get("interval")),
		minInterval: seconds(v.Get("min interval")),
		seeders:     count(v.Get("complete")),
		leechers:    count(v.Get("incomplete")),
	}
	if s := v.Get("tracker id").Str; len(s) <= 256 {
		r.session = string(s)
	}
	r.peers = compact.Peers6(v.Get("peers6").Str)
	switch p := v.Get("peers"); p.Kind {
	case bencode.String:
		r.peers = append(r.peers, compact.Peers4(p.Str)...)
	case bencode.List:
		for _, d := range p.List {
			ip, err := netip.ParseAddr(string(d.Get("ip").Str))
			port := d.Get("port").Int
			if err == nil && port > 0 && port <= 65535 {
				r.peers = append(r.peers, netip.AddrPortFrom(ip, uint16(port)))
			}
		}
	}
	r.peers = allowed(r.peers, policy)
	return r, nil
}

// maxPeers bounds the peers of one answer.
const maxPeers = 1000

func allowed(peers []netip.AddrPort, policy netguard.Policy) []netip.AddrPort {
	// A tracker reached over one address family may name peers of both, whichever the
	// policy allows for trackers.
	policy.IPv4, policy.NoIPv6 = true, false
	out := peers[:0]
	for _, p := range peers {
		if p.Addr().Zone() == "" && policy.CheckPeer(p) == nil && len(out) < maxPeers {
			out = append(out, netip.AddrPortFrom(p.Addr().Unmap(), p.Port()))
		}
	}
	return out
}

func seconds(v bencode.Value) time.Duration {
	return time.Duration(min(max(v.Int, 0), 7*86400)) * time.Second
}

func count(v bencode.Value) int { return int(min(max(v.Int, 0), 1<<30)) }

// retryIn is BEP 31: minutes, or "never".
func retryIn(v bencode.Value) time.Duration {
	if string(v.Str) == "never" {
		return -1
	}
	minutes := v.Int
	if v.Kind == bencode.String {
		n, err := strconv.ParseInt(string(v.Str), 10, 64)
		if err != nil {
			return 0
		}
		minutes = n
	}
	return time.Duration(min(max(minutes, 0), 7*24*60)) * time.Minute
}

// clean makes untrusted text safe for a log and a terminal.
func clean(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 200)]), "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
