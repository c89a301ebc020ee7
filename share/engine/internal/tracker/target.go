package tracker

import (
	"net"
	"net/url"
	"strings"
)

// target is the address of a tracker, checked once.
type target struct {
	text string
	url  *url.URL
}

const maxURL = 2048

// parseTarget reads the URL of a tracker; nil for one that we cannot ask.
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

// host is what a UDP tracker is dialled by.
func (t *target) host() string { return net.JoinHostPort(t.url.Hostname(), t.url.Port()) }
