package tracker

import (
	"net"
	"net/url"
	"strings"
)

// target is the parsed URL of a tracker.
type target struct {
	text string
	url  *url.URL
}

const maxURL = 2048

// parseTarget parses the URL of a tracker; nil if it is not supported.
func parseTarget(text string) *target {
	text = strings.TrimSpace(text)
	if len(text) > maxURL {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Fragment, u.RawFragment = "", ""
	switch u.Scheme {
	case "udp":
		if u.Port() == "" {
			return nil
		}
	case "http", "https":
	default:
		return nil
	}
	return &target{text: text, url: u}
}

// host is the address to dial a UDP tracker.
func (t *target) host() string { return net.JoinHostPort(t.url.Hostname(), t.url.Port()) }
