package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui"
	"github.com/shoalnet/shoal/webui/api"
	"github.com/shoalnet/shoal/webui/door"
)

var _ api.WebLinks = (*webLinks)(nil)

// webLinks are the links for browsers as their owner sees them: with the addresses at which
// this node serves them.
type webLinks struct {
	links     *door.Links
	engine    *engine.Engine
	passwords webui.Passwords
	own       func() []netip.Addr     // of the host, best first
	ports     *ports                  // for peers, which answer browsers, too
	proven    func() []netip.AddrPort // where peers reach them, best first

	// Set before the node serves.
	door      *door.Door // nil where none is served
	pair      *keyPair   // nil without TLS
	listeners []net.Listener
}

func (w *webLinks) close() {
	for _, l := range w.listeners {
		l.Close()
	}
}

// at is where the links are served.
func (w *webLinks) at() (all []netip.AddrPort) {
	for _, l := range w.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			all = append(all, a.AddrPort())
		}
	}
	return all
}

// scheme is how the links are served; empty if they are not.
func (w *webLinks) scheme() string {
	switch {
	case w.door == nil:
		return ""
	case w.door.Encrypted:
		return "https"
	}
	return "http"
}

// follow ends the links of shares that end, until ctx does. A link that cannot be ended in
// the state leads nowhere, and is tried again with the next one.
func (w *webLinks) follow(ctx context.Context) error {
	const buffer = 256
	for ctx.Err() == nil {
		sub := w.engine.Subscribe(buffer)
		again := w.take(ctx, sub)
		sub.Close()
		if !again {
			return nil
		}
	}
	return nil
}

// take follows events until ctx ends or sub is closed. It returns true if it fell behind.
func (w *webLinks) take(ctx context.Context, sub *engine.Subscription) bool {
	for ended := true; ; {
		if ended {
			if _, err := w.List(); err != nil {
				w.door.Logger.Error("cannot end the web links of a share that has ended", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.C:
			if !ok {
				return sub.Lagged()
			}
			ended = ev.Type == share.EventRemoved
		}
	}
}

func (w *webLinks) List() ([]api.WebLink, error) {
	all := []api.WebLink{}
	for _, l := range w.links.All() {
		t, err := w.engine.Get(l.Transfer)
		if err != nil && !errors.Is(err, share.ErrUnknown) {
			return nil, err // the engine stops: nothing has ended
		}
		if err != nil || !t.Added.Equal(l.Added) {
			// The share has ended, and its links with it.
			if err := w.links.Revoke(l.ID); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, w.shown(l))
	}
	return all, nil
}

func (w *webLinks) Create(id share.ID, n api.NewWebLink) (api.WebLink, error) {
	if w.door == nil {
		return api.WebLink{}, share.Errorf(share.Failed, "this node only shows what is stored, and serves no web links")
	}
	if _, err := w.List(); err != nil { // makes room
		return api.WebLink{}, err
	}
	t, err := w.engine.Get(id)
	if err != nil {
		return api.WebLink{}, err
	}
	if t.State == share.Hashing {
		return api.WebLink{}, share.Errorf(share.Failed, "%w: it is being hashed; make the web link when that is over", share.ErrBusy)
	}
	if err := door.Refuses(t, w.door.Encrypted); err != nil {
		return api.WebLink{}, err
	}
	if !n.Expires.IsZero() && !n.Expires.After(w.door.Now()) {
		return api.WebLink{}, share.Errorf(share.Usage, "a web link cannot expire in the past")
	}
	l := door.Link{Transfer: t.ID, Added: t.Added, Expires: n.Expires.UTC(), MaxDownloads: n.MaxDownloads}
	if n.Password != "" {
		l.Password = w.passwords.Hash(n.Password)
	}
	if l, err = w.links.Add(l); err != nil {
		return api.WebLink{}, err
	}
	return w.shown(l), nil
}

func (w *webLinks) Revoke(id string) error {
	if err := w.links.Revoke(id); err != nil {
		return err
	}
	if w.door != nil {
		w.door.End(id)
	}
	return nil
}

// shown is a link with its URLs.
func (w *webLinks) shown(l door.Link) api.WebLink {
	v := api.WebLink{
		ID: l.ID, Transfer: l.Transfer, Created: l.Created, Expires: l.Expires, MaxDownloads: l.MaxDownloads, Downloads: l.Downloads,
		Password: l.Password != "", Encrypted: w.scheme() == "https", Ended: w.links.Ended(&l),
	}
	for i, base := range w.bases() {
		if i == 0 {
			v.URL = base + l.Path()
		} else {
			v.Others = append(v.Others, base+l.Path())
		}
	}
	return v
}

// mostBases keeps lists short.
const mostBases = 4

// bases are the beginnings of the URLs, best first. With a certificate, they are at the
// names and addresses in it.
func (w *webLinks) bases() (all []string) {
	scheme := w.scheme()
	usual := map[string]uint16{"http": 80, "https": 443}[scheme]
	addHost := func(host string, port uint16) {
		if port != usual {
			host += ":" + strconv.Itoa(int(port))
		}
		if url := scheme + "://" + host; len(all) < mostBases && !slices.Contains(all, url) {
			all = append(all, url)
		}
	}
	if w.pair != nil {
		for _, host := range w.pair.hosts() {
			for _, l := range append(w.at(), w.ports.addresses()...) {
				addHost(host, l.Port())
			}
		}
		return all
	}
	add := func(ip netip.Addr, port uint16) { addHost(urlHost(ip), port) }
	for _, l := range w.at() {
		ip := l.Addr().Unmap()
		if !ip.IsUnspecified() {
			add(ip.WithZone(""), l.Port())
			continue
		}
		for _, own := range w.own() {
			if own.Is6() == ip.Is6() {
				add(own, l.Port())
			}
		}
	}
	for _, a := range w.proven() {
		add(a.Addr().Unmap().WithZone(""), a.Port())
	}
	if len(all) == 0 { // this host has no address that others could use
		for _, l := range append(w.at(), w.ports.addresses()...) {
			if l.Addr().Unmap().Is4() {
				add(netip.AddrFrom4([4]byte{127, 0, 0, 1}), l.Port())
			} else {
				add(netip.IPv6Loopback(), l.Port())
			}
		}
	}
	return all
}

// urlHost is an address as in a URL.
func urlHost(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// hosts are the names and addresses in the certificate that a URL can have.
func (k *keyPair) hosts() (all []string) {
	leaf := k.now.Load().Leaf
	for _, name := range leaf.DNSNames {
		if !strings.HasPrefix(name, "*") {
			all = append(all, name)
		}
	}
	for _, a := range leaf.IPAddresses {
		if ip, ok := netip.AddrFromSlice(a); ok {
			all = append(all, urlHost(ip.Unmap()))
		}
	}
	return all
}

// expired says that the certificate is not valid any more, or not yet; empty if it is.
func (k *keyPair) expired(now time.Time) string {
	switch leaf := k.now.Load().Leaf; {
	case now.After(leaf.NotAfter):
		return "the certificate of the web links (" + k.cert + ") has expired: browsers refuse them until you renew it and reload the node"
	case now.Before(leaf.NotBefore):
		return "the certificate of the web links (" + k.cert + ") is not valid yet: browsers refuse them until " + leaf.NotBefore.Format(time.DateTime)
	}
	return ""
}

// openPair reads a certificate for web links.
func openPair(cert, key string) (*keyPair, error) {
	k := &keyPair{cert: cert, key: key}
	if err := k.read(); err != nil {
		return nil, share.Errorf(share.Usage, "serving web links: %w", err)
	}
	if len(k.hosts()) == 0 {
		return nil, share.Errorf(share.Usage, "serving web links: the certificate %s is for no host name and no address (a * is neither), so no link can lead to it", cert)
	}
	return k, nil
}

// newWebLinks reads the links of this node.
func (n *Node) newWebLinks() (*webLinks, error) {
	links, err := door.OpenLinks(n.state.db, n.o.Now)
	if err != nil {
		return nil, err
	}
	return &webLinks{links: links, engine: n.engine, passwords: webui.NewPasswords(), own: n.ownForBrowsers, ports: n.ports, proven: n.reach.links}, nil
}

// ownForBrowsers are the addresses that this host publishes, those first that strangers
// were seen to reach.
func (n *Node) ownForBrowsers() (ips []netip.Addr) {
	var all []netip.AddrPort
	for _, a := range n.watcher.Published() {
		all = append(all, netip.AddrPortFrom(a.IP.WithZone(""), n.ports.port()))
	}
	n.reach.evidence.Sort(all)
	for _, a := range all {
		ips = append(ips, a.Addr())
	}
	return ips
}

// visitors bounds the connections of each listener for browsers: the page and the web links
// divide what the process may have.
func (n *Node) visitors() int {
	_, all := shares(descriptors())
	return max(all/(2+len(n.webLinks.listeners)), fewestVisitors)
}

// openDoor opens the listeners for web links, besides the port for peers.
func (n *Node) openDoor() (run []func(context.Context) error, err error) {
	w := n.webLinks
	if c := n.current(); c.WebLinkCert != "" {
		if w.pair, err = openPair(c.WebLinkCert, c.WebLinkKey); err != nil {
			return nil, err
		}
	}
	for _, text := range n.current().WebLinkListen {
		at, err := config.ParseEndpoint(text)
		if err != nil {
			return nil, err
		}
		network := "tcp6"
		if at.Addr().Unmap().Is4() {
			network = "tcp4"
		}
		l, err := net.Listen(network, at.String())
		if err != nil {
			return nil, share.Errorf(share.Failed, "serving web links at %s: %w", text, err)
		}
		w.listeners = append(w.listeners, l)
	}
	n.browsers.any, n.browsers.tls = w.links.Any, w.pair != nil
	w.door = door.New(door.Config{
		Logger: n.part("door"), Links: w.links, Transfers: n.engine, Content: n.engine, Passwords: w.passwords,
		Guesses: webui.NewGuesses(n.o.Now), Patience: webui.Patience, Now: n.o.Now, Encrypted: w.pair != nil,
	})
	p := webui.Public{Logger: n.part("door"), Handler: w.door, MaxConns: n.visitors()}
	if w.pair != nil {
		p.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: w.pair.get}
	}
	for _, l := range append([]net.Listener{n.browsers}, w.listeners...) {
		run = append(run, func(ctx context.Context) error { return p.Run(ctx, l) })
	}
	return append(run, w.door.Run, w.follow), nil
}
