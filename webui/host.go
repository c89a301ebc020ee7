package webui

import (
	"fmt"
	"html"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// knownHost refuses requests for names that are not ours. A page elsewhere can point its
// own name at this machine, but the browser then sends that name. Nobody can do so with
// an address: who asks for one has it.
func (s *Server) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.knows(r) {
			next.ServeHTTP(w, r)
			return
		}
		if accepts := r.Header.Get("Accept"); strings.Contains(accepts, "text/html") && !strings.HasPrefix(r.URL.Path, apiPath) {
			s.explainHost(w, r)
			return
		}
		problem(w, http.StatusMisdirectedRequest,
			fmt.Sprintf("this node is not known as %q; use its address, or start it with --web-hosts and the name", clip(r.Host, 100)))
	})
}

// knows tells whether the Host of a request is one of ours.
func (s *Server) knows(r *http.Request) bool {
	sent := r.Host
	host, port, err := net.SplitHostPort(sent)
	bare := err != nil
	if bare { // browsers leave out 80 and 443
		host, port = strings.Trim(sent, "[]"), s.port
	}
	host = strings.ToLower(host)
	if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
		return s.named(host) || port == s.port && (!bare || s.port == defaultPort(r) || s.hosts[ip.WithZone("").Unmap().String()])
	}
	return s.hosts[host] && (port == s.port || s.named(host))
}

func defaultPort(r *http.Request) string {
	if r.TLS != nil {
		return "443"
	}
	return "80"
}

// explainHost is the answer to a person.
func (s *Server) explainHost(w http.ResponseWriter, r *http.Request) {
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = r.Host
	}
	name = html.EscapeString(clip(name, 100))
	var own string
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if a, err := netip.ParseAddrPort(at.String()); err == nil {
			u := html.EscapeString(s.urlAt(a.Addr().WithZone("").Unmap()))
			own = fmt.Sprintf(`<li>Open it by its address: <a href="%s">%s</a></li>`, u, u)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusMisdirectedRequest)
	fmt.Fprintf(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>shoal: unknown name</title>
<h1>This shoal node is not known as “%s”</h1>
<p>Any website could use a name of its own for this machine, so the page opens only by its address or by a name that you have allowed.</p>
<ul>
%s
<li>Or allow the name: start the node with <code>--web-hosts %s</code>, or add <code>web-hosts = ["%s"]</code> to its configuration.</li>
</ul>
`, name, own, name, name)
}

// named reports whether the user allowed host, a name or an address. It may have the port
// of a proxy.
func (s *Server) named(host string) bool {
	return slices.ContainsFunc(s.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// scheme is how the page is served at an address of this host.
func (s *Server) scheme(ip netip.Addr) string {
	if s.cfg.TLS != nil {
		return "https"
	}
	if s.cfg.Secured != nil {
		if _, ok := s.cfg.Secured.Elsewhere(netip.AddrPortFrom(ip, s.at().Port())); ok {
			return "https"
		}
	}
	return "http"
}

// URL is the address of the page on this machine, without a sign-in.
func (s *Server) URL() string {
	addr := s.at()
	ip := addr.Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.IPv6Loopback()
	}
	return s.urlAt(ip)
}

func (s *Server) at() netip.AddrPort { return netip.MustParseAddrPort(s.listener.Addr().String()) }

func (s *Server) urlAt(ip netip.Addr) string {
	return s.scheme(ip) + "://" + netip.AddrPortFrom(ip, s.at().Port()).String() + "/"
}

// mostURLs keeps lines short.
const mostURLs = 4

// OtherURLs are the addresses of the page for other machines, given those of this one.
// Those that reach farthest come first.
func (s *Server) OtherURLs(own []netip.Addr) (urls []string) {
	listens := s.at().Addr().Unmap()
	if listens.IsLoopback() {
		return nil
	}
	if !listens.IsUnspecified() {
		return []string{s.urlAt(listens)}
	}
	rank := func(a netip.Addr) int {
		switch {
		case a.Is6() && !a.IsPrivate():
			return 0
		case a.Is4():
			return 1
		}
		return 2
	}
	var all []netip.Addr
	for _, a := range own {
		if a = a.Unmap(); a.IsGlobalUnicast() && (a.Is4() || listens.Is6()) {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	all = slices.Compact(all)
	for _, a := range all[:min(len(all), mostURLs)] {
		urls = append(urls, s.urlAt(a))
	}
	return urls
}
