package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/cmd/internal/certs"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/webui"
)

// certificatesDir is below the state directory.
const certificatesDir = "certificates"

// The ports at which a CA tests an address.
const (
	httpPort  = 80
	httpsPort = 443
)

// newKeeper makes the keeper of certificates, if they are wanted.
func (n *Node) newKeeper() (*certs.Keeper, error) {
	c := n.current()
	if !c.ACME || n.o.Look {
		return nil, nil
	}
	k, err := certs.New(certs.Config{
		Logger: n.part("certificates"), Now: n.o.Now, Dir: filepath.Join(c.State, certificatesDir),
		CA: c.ACMECA, Root: c.ACMERoot, Email: c.ACMEEmail,
		Addresses: n.webLinks.certifiable,
		Changed:   func(a netip.Addr) { n.log.Info("web links are encrypted now", "address", a) },
	})
	if err == nil {
		n.part("certificates").Info("certificates for the addresses of this host are asked for, by the terms of the CA; the addresses appear in public logs", "ca", k.CA())
	}
	return k, err
}

// certifiable are the addresses of this host for which a certificate is possible, best
// first.
func (w *webLinks) certifiable() (all []certs.Address) {
	published := w.own()
	for _, h := range w.host.Addresses() {
		if h.Scope != reach.Global {
			continue
		}
		all = append(all, certs.Address{
			IP: h.IP, Wanted: h.Kind == reach.Stable && slices.Contains(published, h.IP), TCP: w.reached(h.IP),
			Link: linkOf(&h), Prepared: w.asked(h.IP),
			HTTP: w.listensAt(netip.AddrPortFrom(h.IP, httpPort)), TLS: w.listensAt(netip.AddrPortFrom(h.IP, httpsPort)),
		})
	}
	at := func(a certs.Address) int {
		if i := slices.Index(published, a.IP); i >= 0 {
			return i
		}
		return len(published)
	}
	slices.SortStableFunc(all, func(a, b certs.Address) int { return at(a) - at(b) })
	return all
}

// linkOf names the network that an address is in. A provider that changes the prefix leaves
// the router, and a host that moves has another; where the system does not tell the router,
// the host's own part of the address stands for it.
func linkOf(h *reach.Address) string {
	if h.Router.IsValid() {
		return h.Interface + " " + h.Router.String()
	}
	a := h.IP.As16()
	return fmt.Sprintf("%s ::%x", h.Interface, a[8:])
}

// reached tells whether strangers reach an address, at any port.
func (w *webLinks) reached(ip netip.Addr) share.Verdict {
	for _, l := range w.at() {
		if w.evidence.AboutPort(netip.AddrPortFrom(ip, l.Port())).Verdict == share.Reachable {
			return share.Reachable
		}
	}
	return w.verdict(ip)
}

// listensAt tells whether browsers are answered at an address and port of this host.
func (w *webLinks) listensAt(a netip.AddrPort) bool {
	return slices.ContainsFunc(append(w.at(), w.ports.addresses()...), func(l netip.AddrPort) bool {
		return l.Port() == a.Port() && (l.Addr() == a.Addr() || l.Addr().IsUnspecified() && l.Addr().Is6() == a.Addr().Is6())
	})
}

// certified tells whether there is a valid certificate for an address.
func (w *webLinks) certified(ip netip.Addr) bool {
	return w.keeper != nil && w.keeper.Certificate(ip) != nil
}

// secured is how servers use the certificates; nil where there will be none.
func (w *webLinks) secured() *webui.Secured {
	if w.keeper == nil {
		return nil
	}
	return &webui.Secured{
		TLS: &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				return w.keeper.Challenge(hello, localIP(hello.Conn)), nil
			},
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if c := w.keeper.Certificate(localIP(hello.Conn)); c != nil {
					return c, nil
				}
				return nil, errors.New("there is no certificate for this address")
			},
		},
		Elsewhere: func(local netip.AddrPort) (netip.AddrPort, bool) {
			if local.Port() == httpPort && w.listensAt(netip.AddrPortFrom(local.Addr(), httpsPort)) {
				local = netip.AddrPortFrom(local.Addr(), httpsPort)
			}
			return local, w.certified(local.Addr())
		},
	}
}

func localIP(conn net.Conn) netip.Addr {
	a, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return a.Addr().Unmap().WithZone("")
}

// expecting tells whether the CA may come to the port for peers.
func (w *webLinks) expecting() bool {
	port := w.ports.port()
	return w.keeper != nil && (port == httpPort || port == httpsPort) && w.keeper.Expecting()
}

// challenged answers the CA.
func (w *webLinks) challenged(rw http.ResponseWriter, r *http.Request, local netip.AddrPort) bool {
	return w.keeper.Answer(rw, r, local.Addr())
}

// visited takes a visitor at a port for web links for evidence: nobody calls from there, so
// no call has opened the way.
func (w *webLinks) visited(local, remote netip.AddrPort) {
	known := w.evidence.AboutPort(local).Verdict == share.Reachable
	if w.evidence.CameTo(local, remote.Addr(), "connected on its own") && !known {
		w.look(false)
	}
}

// look has certificates looked after now.
func (w *webLinks) look(again bool) {
	if w.keeper != nil {
		w.keeper.Look(again)
	}
}

// endpoints are where web links are served beside the ports for peers, for the router.
func (w *webLinks) endpoints() (all []reach.Endpoint) {
	published := w.own()
	for _, l := range w.at() {
		for _, h := range w.host.Addresses() {
			if w.ports.has(l.Port()) || l.Addr() != h.IP && l.Addr() != netip.IPv6Unspecified() {
				continue
			}
			all = append(all, reach.Endpoint{Address: h, Port: l.Port(), Published: slices.Contains(published, h.IP)})
		}
	}
	return all
}

// report says how browsers reach this node; nil where they do not.
func (w *webLinks) report() *share.WebReport {
	if w.door == nil {
		return nil
	}
	r := &share.WebReport{Doors: []share.DoorReport{}, Refused: w.refused}
	for _, e := range w.endpoints() {
		if e.Scope != reach.Global || !e.Published {
			continue
		}
		f := w.evidence.AboutPort(netip.AddrPortFrom(e.IP, e.Port))
		r.Doors = append(r.Doors, share.DoorReport{Address: e.IP, Port: e.Port, TCP: f.Verdict, Evidence: f.Evidence.String(), EvidenceText: f.Evidence.Of(), Time: f.Time.Round(0)})
	}
	slices.SortStableFunc(r.Doors, func(a, b share.DoorReport) int { return rankOf(a.TCP) - rankOf(b.TCP) })
	switch {
	case w.pair != nil:
		leaf := w.pair.now.Load().Leaf
		r.Certificate = share.CertificateReport{
			State: share.CertificateOwn, Until: leaf.NotAfter,
			Answer: "Web links use the certificate in " + w.pair.cert + ", valid until " + leaf.NotAfter.Local().Format("2006-01-02 15:04") + ".",
			Next:   w.pair.expired(w.door.Now()).String(),
		}
	case w.keeper != nil:
		r.Certificate = w.keeper.Report(w.refused)
	default:
		r.Certificate = share.CertificateReport{
			State:  share.CertificateNone,
			Answer: "Web links are plain HTTP: there is no certificate.",
			Next:   "Start the node with --acme to get one, or give it yours with --web-link-cert and --web-link-key.",
		}
	}
	return r
}

// rankOf orders verdicts, best first.
func rankOf(v share.Verdict) int {
	switch v {
	case share.Reachable:
		return 0
	case share.Unreachable:
		return 2
	}
	return 1
}
