package node

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
	"github.com/shoalnet/shoal/webui/door"
)

// give remembers at which addresses the owner of the links is shown them now: who has a
// link from before the host was renumbered has one that is dead.
func (w *webLinks) give() error {
	bases := w.bases()
	if w.door == nil || len(bases) == 0 {
		return nil
	}
	return w.links.Give(bases[:min(len(bases), mostBases)])
}

// former are the URLs at which l was given out before and is not now, the latest first,
// without those that work as long as the others. A sealed share was only where it was
// encrypted.
func (w *webLinks) former(l *door.Link, now []string, sealed bool) (all []api.FormerURL) {
	if w.door == nil {
		return nil // it is not known where they will be
	}
	for _, base := range slices.Backward(l.Given) {
		if slices.Contains(now, base) || sealed && !encrypted(base) {
			continue
		}
		works := w.answers(base)
		if _, at, ok := place(base); !works || !ok || !slices.Contains(w.own(), at.Addr()) {
			all = append(all, api.FormerURL{URL: base + l.Path(), Works: works})
		}
	}
	return all
}

// answers reports whether the node still answers at the beginning of a URL that it gives
// to nobody any more.
func (w *webLinks) answers(base string) bool {
	scheme, at, ok := place(base)
	if !ok || !w.has(at.Addr()) || !w.listensAt(at) {
		return false
	}
	if w.keeper != nil { // without TLS, browsers are sent to where there is some
		return scheme == "http" || w.certified(at.Addr())
	}
	return scheme == w.scheme()
}

// reachable is whether strangers reach the beginning of a URL. A firewall may treat another
// port otherwise than that for peers.
func (w *webLinks) reachable(base string) share.Verdict {
	_, at, ok := place(base)
	switch {
	case !ok:
		return share.NotKnown
	case w.ports.has(at.Port()):
		return w.verdict(at.Addr())
	}
	return w.evidence.AboutPort(at).Verdict
}

// place is the scheme, address and port of the beginning of a URL. It is not ok for names.
func place(base string) (scheme string, at netip.AddrPort, ok bool) {
	u, err := url.Parse(base)
	if err != nil {
		return "", at, false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return "", at, false
	}
	port := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil {
			return "", at, false
		}
	}
	return u.Scheme, netip.AddrPortFrom(ip, uint16(port)), true
}
