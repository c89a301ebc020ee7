package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/certs"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/reach"
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
	has       func(netip.Addr) bool   // the host has the address, published or not
	verdict   func(netip.Addr) share.Verdict
	evidence  *reach.Evidence
	asked     func(netip.Addr) bool // the router was asked to let strangers in there
	host      *reach.Watcher

	// Set before the node serves.
	door      *door.Door    // nil where none is served
	pair      *keyPair      // nil without TLS
	keeper    *certs.Keeper // nil where no certificates are asked for
	listeners []net.Listener
	refused   []share.RefusedPort

	open atomic.Bool // these are set
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
	case w.door.Encrypted, slices.ContainsFunc(w.own(), w.certified):
		return "https"
	}
	return "http"
}

// serves tells whether the port for peers answers browsers with or without TLS. A link that
// is served over TLS with a certificate of the owner is never answered without: it would
// be seen on the way. Links of before there was a certificate of a CA are sent to it.
func (w *webLinks) serves(tls bool) bool {
	if w.keeper != nil {
		return !tls || w.scheme() == "https"
	}
	return tls == w.door.Encrypted
}

// follow ends the links of shares that end, and what is under way of those that are paused,
// until ctx does. A link that cannot be ended in the state leads nowhere, and is tried again
// with the next one.
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
			w.door.Rest()
		}
		select {
		case <-ctx.Done():
			return false
		case ev, ok := <-sub.C:
			if !ok {
				return sub.Lagged()
			}
			if ended = ev.Type == share.EventRemoved; ended {
				w.door.Forget(ev.ID)
			} else if ev.Transfer != nil && !door.Serves(ev.Transfer) {
				w.door.Rest()
			}
		}
	}
}

func (w *webLinks) List() ([]api.WebLink, error) {
	all := []api.WebLink{}
	for _, l := range w.links.All() {
		if l.Receive {
			continue
		}
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
		if !l.Seed {
			all = append(all, w.shown(l, t.Seal != ""))
		}
	}
	return all, w.give()
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
	if err := door.Refuses(t, w.door.Encrypted || w.keeper != nil); err != nil {
		return api.WebLink{}, err
	}
	if !n.Expires.IsZero() && !n.Expires.After(w.door.Now()) {
		return api.WebLink{}, share.Errorf(share.Usage, "a web link cannot expire in the past")
	}
	if n.Password != "" || n.MaxDownloads > 0 || !n.Expires.IsZero() {
		if err := w.bounded(t); err != nil {
			return api.WebLink{}, err
		}
	}
	l := door.Link{Transfer: t.ID, Added: t.Added, Expires: n.Expires.UTC(), MaxDownloads: n.MaxDownloads}
	if n.Password != "" {
		l.Password = w.passwords.Hash(n.Password)
	}
	if l, err = w.links.Add(l); err != nil {
		return api.WebLink{}, err
	}
	v := w.shown(l, t.Seal != "")
	return v, w.give()
}

func (w *webLinks) Revoke(id string) error {
	if l, ok := w.links.Get(id); ok && l.Receive {
		return share.Errorf(share.Failed, "%w: %.40q is a link for receiving files", api.ErrNoWebLink, id)
	}
	if err := w.links.Revoke(id); err != nil {
		return err
	}
	if w.door != nil {
		w.door.End(id)
	}
	return nil
}

// shown is a link with its URLs. One to a sealed share has only those that are encrypted.
func (w *webLinks) shown(l door.Link, sealed bool) api.WebLink {
	v := api.WebLink{
		ID: l.ID, Transfer: l.Transfer, Created: l.Created, Expires: l.Expires, MaxDownloads: l.MaxDownloads, Downloads: l.Downloads,
		Password: l.Password != "", Ended: w.links.Ended(&l),
	}
	bases := w.bases()
	if sealed {
		bases = slices.DeleteFunc(bases, func(b string) bool { return !encrypted(b) })
	}
	for i, base := range bases[:min(len(bases), mostBases)] {
		if i == 0 {
			v.URL, v.Reachable, v.Encrypted = base+l.Path(), w.reachable(base), encrypted(base)
		} else {
			v.Others = append(v.Others, base+l.Path())
		}
	}
	v.Former = w.former(&l, bases, sealed)
	return v
}

func encrypted(base string) bool { return strings.HasPrefix(base, "https:") }

// mostBases keeps lists short.
const mostBases = 4

// aDoor is an address and port at which web links are served.
type aDoor struct {
	netip.AddrPort
	verdict   share.Verdict
	encrypted bool
}

// odd reports whether the port is the usual one of the other scheme.
func (d aDoor) odd() bool {
	return d.Port() == httpPort && d.encrypted || d.Port() == httpsPort && !d.encrypted
}

// doors are where web links are served to others, best first: where strangers were seen to
// get in, encrypted before plain, and odd ports last.
func (w *webLinks) doors() (all []aDoor) {
	add := func(ip netip.Addr, port uint16, v share.Verdict) {
		d := aDoor{netip.AddrPortFrom(ip, port), v, w.door.Encrypted || w.certified(ip)}
		if w.keeper == nil || !d.odd() || w.ports.has(port) {
			all = append(all, d)
		}
	}
	for _, l := range w.at() {
		ips := []netip.Addr{l.Addr().Unmap().WithZone("")}
		if l.Addr().IsUnspecified() {
			ips = w.own()
		}
		for _, ip := range ips {
			if ip.Is6() == l.Addr().Unmap().Is6() && !w.ports.has(l.Port()) {
				add(ip, l.Port(), w.evidence.AboutPort(netip.AddrPortFrom(ip, l.Port())).Verdict)
			}
		}
	}
	for _, a := range w.proven() {
		ip := a.Addr().Unmap().WithZone("")
		add(ip, a.Port(), w.verdict(ip))
	}
	slices.SortStableFunc(all, func(a, b aDoor) int {
		return cmp.Or(rankOf(a.verdict)-rankOf(b.verdict), last(!a.encrypted)-last(!b.encrypted), last(a.odd())-last(b.odd()))
	})
	return all
}

// last sorts what it is true of after the rest.
func last(of bool) int {
	if of {
		return 1
	}
	return 0
}

// bases are the beginnings of the URLs, best first. With a certificate of the owner, they
// are at the names and addresses in it.
func (w *webLinks) bases() (all []string) {
	add := func(scheme, host string, port uint16) {
		if url := beginning(scheme, host, port); !slices.Contains(all, url) {
			all = append(all, url)
		}
	}
	if w.door == nil {
		return nil
	}
	if w.pair != nil {
		for _, host := range w.pair.hosts() {
			for _, l := range append(w.at(), w.ports.addresses()...) {
				add("https", host, l.Port())
			}
		}
		return all
	}
	for _, d := range w.doors() {
		scheme := "http"
		if d.encrypted {
			scheme = "https"
		}
		add(scheme, urlHost(d.Addr()), d.Port())
	}
	if len(all) == 0 { // this host has no address that others could use
		for _, l := range append(w.at(), w.ports.addresses()...) {
			if l.Addr().Unmap().Is4() {
				add("http", "127.0.0.1", l.Port())
			} else {
				add("http", "[::1]", l.Port())
			}
		}
	}
	return all
}

// beginning is a URL without a path.
func beginning(scheme, host string, port uint16) string {
	if port != map[string]uint16{"http": httpPort, "https": httpsPort}[scheme] {
		host += ":" + strconv.Itoa(int(port))
	}
	return scheme + "://" + host
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
func (k *keyPair) expired(now time.Time) share.Text {
	switch leaf := k.now.Load().Leaf; {
	case now.After(leaf.NotAfter):
		return share.Say("the certificate of the web links (%s) has expired: browsers refuse them until you renew it and reload the node", k.cert)
	case now.Before(leaf.NotBefore):
		return share.Say("the certificate of the web links (%s) is not valid yet: browsers refuse them until %s", k.cert, leaf.NotBefore.Format(time.DateTime))
	}
	return share.Text{}
}

// openPair reads a certificate for web links.
func openPair(cert, key string) (*keyPair, error) {
	k := &keyPair{cert: cert, key: key}
	if err := k.read(); err != nil {
		return nil, share.Errorf(share.Usage, "serving web links: %w", err)
	}
	if len(k.hosts()) == 0 {
		return nil, share.Errorf(share.Usage, "serving web links: the certificate %s names no host and no address (a * is neither), so no link can lead to it", cert)
	}
	return k, nil
}

// newWebLinks reads the links of this node.
func (n *Node) newWebLinks() (*webLinks, error) {
	links, err := door.OpenLinks(n.state.db, n.o.Now)
	if err != nil {
		return nil, err
	}
	return &webLinks{
		links: links, engine: n.engine, passwords: webui.NewPasswords(), own: n.ownForBrowsers, ports: n.ports, proven: n.reach.links,
		has:      func(ip netip.Addr) bool { return slices.Contains(n.addresses.ofHost(), ip) },
		verdict:  func(ip netip.Addr) share.Verdict { return n.reach.evidence.About(reach.TCP, ip).Verdict },
		evidence: n.reach.evidence, asked: n.reach.asked, host: n.watcher,
	}, nil
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

// upload limits and counts what a web link sends.
func (w *webLinks) upload(id share.ID, r *http.Request) (door.Upload, error) {
	return w.engine.Upload(id, webui.Conn(r))
}

// visitors bounds the connections of each listener for browsers: the page and the web links
// divide what the process may have.
func (n *Node) visitors() int {
	_, all := shares(descriptors())
	return max(all/(2+len(n.webLinks.listeners)), fewestVisitors)
}

// openDoor opens the listeners for web links, besides the port for peers. Some are
// inherited from systemd.
func (n *Node) openDoor(inherited []net.Listener) (run []func(context.Context) error, err error) {
	w := n.webLinks
	if c := n.current(); c.WebLinkCert != "" {
		if w.pair, err = openPair(c.WebLinkCert, c.WebLinkKey); err != nil {
			return nil, err
		}
	}
	if err := w.listen(n.current(), inherited, n.listen); err != nil {
		return nil, err
	}
	if w.keeper, err = n.newKeeper(); err != nil {
		return nil, err
	}
	sums, err := door.OpenSums(n.state.db, n.o.Now)
	if err != nil {
		return nil, err
	}
	w.door = door.New(door.Config{
		Logger: n.part("door"), Links: w.links, Sums: sums, Transfers: n.engine, Content: n.engine, Uploads: w.upload, Boxes: n.uploads, Intake: n.engine.Intake(), Passwords: w.passwords,
		Guesses: webui.NewGuesses(n.o.Now), Patience: webui.Patience, Now: n.o.Now, Encrypted: w.pair != nil, At: w.bases,
	})
	n.browsers.any, n.browsers.serves, n.browsers.expecting = w.links.Any, w.serves, w.expecting
	p := webui.Public{Logger: n.part("door"), Handler: w.door, MaxConns: n.visitors(), Secured: w.secured()}
	if w.pair != nil {
		p.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: w.pair.get}
	}
	if w.keeper != nil {
		p.Before = w.challenged
		run = append(run, w.keeper.Run)
	}
	run = append(run, func(ctx context.Context) error { return p.Run(ctx, n.browsers) })
	own := p
	own.Arrived = w.visited // the engine tells of those at the port for peers
	for _, l := range w.listeners {
		run = append(run, func(ctx context.Context) error { return own.Run(ctx, l) })
	}
	w.open.Store(true)
	return append(run, w.door.Run, w.follow), nil
}
