package door

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// newPlace tells a page that is open where its link is now.
type newPlace struct {
	// At is the beginning of the URLs of the link: scheme, host and port. It is empty
	// while the address at which it was asked is good.
	At string `json:"at"`
}

// where tells the script of a page whether its link has moved.
func (d *Door) where(v *visit) {
	if v.rest != "" {
		d.missing(v)
		return
	}
	v.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(v.w).Encode(newPlace{d.newBase(v.r)}) // the reader may have gone
}

// moved is the URL of a page at the new address of its link, empty if it has not moved.
func (d *Door) moved(v *visit) string {
	base := d.newBase(v.r)
	if base == "" {
		return ""
	}
	u := url.URL{Path: v.r.URL.Path, RawQuery: v.r.URL.RawQuery}
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		u = url.URL{Path: v.link.Path() + "/"}
	}
	return base + u.String()
}

// newBase is the beginning of the URLs of the door if the address that a visitor used is
// none of those where it is now. That is an address that the host still has and soon will
// not: it was renumbered. A visitor who used a name, or an address that is not of the
// internet, such as behind a proxy or in the LAN, is told nothing.
func (d *Door) newBase(r *http.Request) string {
	used, ok := hostOf(r.Host)
	if !ok || !used.IsGlobalUnicast() || used.IsPrivate() {
		return ""
	}
	at := d.At()
	is := func(base string) bool {
		u, err := url.Parse(base)
		if err != nil {
			return false
		}
		ip, ok := hostOf(u.Host)
		return ok && ip == used
	}
	if len(at) == 0 || slices.ContainsFunc(at, is) {
		return ""
	}
	return at[0]
}

// hostOf is the address in the host of a URL, if it is one.
func hostOf(host string) (netip.Addr, bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ip.Unmap().WithZone(""), err == nil
}
