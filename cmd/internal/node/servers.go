package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui"
)

// page serves browsers.
type page struct {
	auth   *webui.Auth
	server *webui.Server
	pair   *keyPair // nil without TLS
}

// keyPair is a certificate that can be renewed while it is in use.
type keyPair struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]
}

func (k *keyPair) read() error {
	c, err := tls.LoadX509KeyPair(k.cert, k.key)
	if err != nil {
		return fmt.Errorf("reading the certificate: %w", err)
	}
	k.now.Store(&c)
	return nil
}

func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.now.Load(), nil }

// openServers opens the listeners of the API: in memory, the control socket, and the page
// over TCP if it is configured.
func (n *Node) openServers(act *inherited) (run []func(context.Context) error, err error) {
	n.socket = filepath.Join(n.current().State, socketName)
	socket := act.api
	if socket == nil {
		if socket, err = listenSocket(n.socket); err != nil {
			return nil, err
		}
	} else {
		n.socket = socket.Addr().String()
	}
	defer func() {
		if err != nil {
			socket.Close()
			n.webLinks.close()
		}
	}()
	if run, err = n.openDoor(act.links); err != nil {
		return nil, err
	}
	a := n.access
	switch _, a.broken = webui.OpenAuth(filepath.Join(n.current().State, credentialsName), n.o.Now); {
	case a.broken != nil:
		// The node runs without the page. It is not known who may sign in, so nobody can.
		a.broken = fmt.Errorf("the page is not served: %w", a.broken)
		n.log.Error("nobody can sign in", "error", a.broken)
		if act.web != nil {
			act.web.Close()
		}
	case n.o.Daemon && (n.current().Web != "" || act.web != nil):
		if a.page, err = n.openPage(act.web); err != nil {
			return nil, err
		}
		run = append(run, a.page.server.Run)
	}
	own := act.api == nil
	return append(run,
		n.serveMemory,
		func(ctx context.Context) error {
			err := n.serve(ctx, socket)
			if own {
				err = errors.Join(err, removeStale(n.socket))
			}
			return err
		},
	), nil
}

func (n *Node) openPage(l net.Listener) (p *page, err error) {
	if l == nil {
		addr, err := config.ParseEndpoint(n.current().Web)
		if err != nil {
			return nil, err
		}
		if l, err = n.listen("tcp", "web "+n.current().Web, addr); err != nil {
			return nil, share.Errorf(share.Failed, "serving the page at %s: %w", n.current().Web, advised(err, addr.Port()))
		}
	}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	p = &page{}
	if p.auth, err = webui.OpenAuth(filepath.Join(n.current().State, credentialsName), n.o.Now); err != nil {
		return nil, share.Errorf(share.Failed, "serving the page: %w", err)
	}
	c := webui.Config{
		Logger: n.part("web"), API: n.api.Handler(), Page: webui.Page(), Auth: p.auth, Hosts: n.current().WebHosts, Now: n.o.Now, MaxConns: n.visitors(),
	}
	if n.current().WebCert != "" {
		p.pair = &keyPair{cert: n.current().WebCert, key: n.current().WebKey}
		if err := p.pair.read(); err != nil {
			return nil, share.Errorf(share.Usage, "serving the page: %w", err)
		}
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.pair.get}
	}
	if c.TLS == nil {
		c.Secured = n.webLinks.secured()
	}
	p.server, err = webui.New(c, l)
	if err != nil {
		return nil, share.Errorf(share.Usage, "serving the page: %w", err)
	}
	return p, nil
}

// listen listens where a setting says, at the former port if any port will do. what is the
// setting and its words.
func (n *Node) listen(network, what string, a netip.AddrPort) (l net.Listener, err error) {
	for _, at := range n.o.former.at(what, a) {
		if l, err = net.Listen(network, at.String()); err == nil {
			if t, ok := l.Addr().(*net.TCPAddr); ok {
				n.bound[what] = t.AddrPort()
			}
			return l, nil
		}
	}
	return nil, err
}

// Time limits for clients of the control socket.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// graceTime is for answers that are under way when the node stops.
	graceTime = 3 * time.Second
)

func (n *Node) serveMemory(ctx context.Context) error { return n.serve(ctx, n.memory) }

// serve answers the API on l until ctx ends.
func (n *Node) serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: n.api.Handler(), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(n.part("api").Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the API: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the API: %w", err)
	}
	return nil
}
